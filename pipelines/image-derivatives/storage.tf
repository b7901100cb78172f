module "bucket" {
  source = "../../modules/private-bucket"

  name          = local.bucket
  force_destroy = var.force_destroy_bucket
  kms_key       = var.kms_key
  tags          = var.tags
  leftover_days = var.lifecycle_days
  lifecycle_rules = {
    expire-uploads           = { prefix = var.source_prefix, expire_days = var.lifecycle_days.ingest }
    expire-rejection-records = { prefix = var.rejections_prefix, expire_days = var.lifecycle_days.rejections }
  }
}
