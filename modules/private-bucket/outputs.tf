output "bucket" {
  description = "The bucket: name, arn, kms_key_arn (null for SSE-S3). Whoever uses it waits until it is versioned, encrypted and private."
  # All are known in the first plan; the dependencies are what the resource's own attributes would add, and more.
  value = {
    name        = var.name
    arn         = local.arn
    kms_key_arn = one(aws_s3_bucket_server_side_encryption_configuration.bucket.rule).apply_server_side_encryption_by_default[0].kms_master_key_id
  }
  depends_on = [
    aws_s3_bucket.bucket,
    aws_s3_bucket_lifecycle_configuration.bucket,
    aws_s3_bucket_ownership_controls.bucket,
    aws_s3_bucket_policy.bucket,
    aws_s3_bucket_public_access_block.bucket,
    aws_s3_bucket_server_side_encryption_configuration.bucket,
    aws_s3_bucket_versioning.bucket,
  ]
}

output "bucket_arn_static" {
  description = "ARN of the bucket written from its name, which waits for nothing: for the `senders` of queues and the `publishers` of topics that the bucket notifies."
  value       = local.arn
}

output "lifecycle_rules" {
  description = "The rules as S3 holds them, by id: prefix and expire_days, of `remove-leftovers` noncurrent_days and incomplete_upload_days."
  value = merge(local.expiring, {
    remove-leftovers = { noncurrent_days = var.leftover_days.noncurrent, incomplete_upload_days = var.leftover_days.incomplete_upload }
  })
}
