output "bucket" {
  description = "The bucket: name, arn, kms_key_arn (null for SSE-S3). It depends on versioning, encryption and access block."
  # All values are known in the first plan; depends_on adds the dependencies of the resource's attributes, and more.
  value = {
    name        = var.name
    arn         = local.arn
    kms_key_arn = one(var.kms_key[*].arn)
  }
  depends_on = [
    aws_s3_bucket.bucket,
    aws_s3_bucket_lifecycle_configuration.bucket,
    aws_s3_bucket_object_lock_configuration.bucket,
    aws_s3_bucket_ownership_controls.bucket,
    aws_s3_bucket_policy.bucket,
    aws_s3_bucket_public_access_block.bucket,
    aws_s3_bucket_server_side_encryption_configuration.bucket,
    aws_s3_bucket_versioning.bucket,
  ]
}

output "bucket_arn_static" {
  description = <<-EOT
    ARN composed from the bucket's name, known in the first plan: for `senders` of queues and `publishers` of topics it notifies.
  EOT
  value       = local.arn
}

output "object_lock_days" {
  description = "Days for which each version is locked; null without object lock."
  value       = one(aws_s3_bucket_object_lock_configuration.bucket[*].rule[0].default_retention[0].days)
}

output "lifecycle_rules" {
  description = "The rules by id: prefix and expire_days; of `remove-leftovers` noncurrent_days and incomplete_upload_days."
  value = merge(local.expiring, {
    remove-leftovers = { noncurrent_days = var.leftover_days.noncurrent, incomplete_upload_days = var.leftover_days.incomplete_upload }
  })
}
