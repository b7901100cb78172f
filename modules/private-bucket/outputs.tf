output "bucket" {
  description = "The bucket: name, arn. Whoever uses it waits until it is versioned, encrypted and private."
  # Both are known in the first plan; the dependencies are what the resource's own attributes would add, and more.
  value = { name = var.name, arn = local.arn }
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
