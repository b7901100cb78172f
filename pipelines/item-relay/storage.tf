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

resource "aws_dynamodb_table" "items" {
  name                        = local.table
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = var.table.deletion_protection
  tags                        = var.tags

  hash_key = "id"

  attribute {
    name = "id"
    type = "S"
  }

  dynamic "server_side_encryption" {
    for_each = var.kms_key[*]
    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value.arn
    }
  }

  point_in_time_recovery {
    enabled = var.table.point_in_time_recovery
  }
}
