module "bucket" {
  source = "../../modules/private-bucket"

  name          = local.bucket
  force_destroy = var.force_destroy_bucket
  kms_key       = var.kms_key
  tags          = var.tags

  lifecycle_rules = merge(
    { for days in var.lifecycle_days.ingest[*] : "expire-uploads" => { prefix = var.source_prefix, expire_days = days } },
    {
      expire-rejection-records = { prefix = var.rejections_prefix, expire_days = var.lifecycle_days.rejections }
      remove-leftovers = {
        noncurrent_days        = var.lifecycle_days.noncurrent
        incomplete_upload_days = var.lifecycle_days.incomplete_upload
        expired_delete_markers = true
      }
    },
  )
}
