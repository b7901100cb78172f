# The original files.
module "bucket" {
  source = "../../modules/private-bucket"

  name          = local.bucket
  force_destroy = var.force_destroy_bucket
  kms_key       = var.kms_key
  tags          = var.tags
  leftover_days = var.lifecycle_days
  lifecycle_rules = {
    expire-files             = { prefix = local.files_prefix, expire_days = var.lifecycle_days.files }
    expire-rejection-records = { prefix = local.rejections_prefix, expire_days = var.lifecycle_days.rejections }
  }
}

module "items" {
  source = "../../modules/private-table"

  name                   = local.table
  hash_key               = "id"
  deletion_protection    = var.table.deletion_protection
  point_in_time_recovery = var.table.point_in_time_recovery
  kms_key                = var.kms_key
  tags                   = var.tags
}
