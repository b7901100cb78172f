# The objects here belong to users: only leftovers that users can no longer see expire.
module "watched" {
  source = "../../modules/private-bucket"
  count  = var.source_bucket == null ? 1 : 0

  name          = local.bucket
  force_destroy = var.force_destroy_buckets
  kms_key       = var.kms_key
  tags          = var.tags
  leftover_days = var.lifecycle_days
}

# Separate from the watched bucket, in which every stored record would cause another event.
module "rejections" {
  source = "../../modules/private-bucket"

  name          = local.rejections_bucket
  force_destroy = var.force_destroy_buckets
  kms_key       = var.kms_key
  tags          = var.tags
  leftover_days = var.lifecycle_days

  lifecycle_rules = { expire-rejection-records = { expire_days = var.lifecycle_days.rejections } }
}

# Writers of the table may also replace its items: IAM cannot require a condition expression. A version under
# object lock stays, in compliance mode even against administrators of the account.
module "records" {
  source = "../../modules/private-bucket"
  count  = local.locks_records ? 1 : 0

  name             = local.records_bucket
  force_destroy    = var.force_destroy_buckets
  kms_key          = var.kms_key
  tags             = var.tags
  leftover_days    = var.lifecycle_days
  object_lock_days = var.trail.object_lock_days

  lifecycle_rules = { expire-records = { expire_days = max(var.trail.retention_days, var.trail.object_lock_days) } }
}

# One item per event of an object, in the order of S3's sequencer, with an index by hour.
module "trail" {
  source = "../../modules/private-table"
  count  = var.trail == null ? 0 : 1

  name                = "${local.name}-trail"
  hash_key            = "object"
  range_key           = "event"
  indexes             = { by_hour = { hash_key = "hour", range_key = "event_time" } }
  ttl_attribute       = "expires_at"
  deletion_protection = var.trail.deletion_protection
  kms_key             = var.kms_key
  tags                = var.tags
}
