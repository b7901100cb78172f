# Former addresses of resources that moved into modules: stacks applied before keep their resources.

moved {
  from = aws_s3_bucket.images
  to   = module.bucket.aws_s3_bucket.bucket
}
moved {
  from = aws_s3_bucket_versioning.images
  to   = module.bucket.aws_s3_bucket_versioning.bucket
}
moved {
  from = aws_s3_bucket_public_access_block.images
  to   = module.bucket.aws_s3_bucket_public_access_block.bucket
}
moved {
  from = aws_s3_bucket_ownership_controls.images
  to   = module.bucket.aws_s3_bucket_ownership_controls.bucket
}
moved {
  from = aws_s3_bucket_server_side_encryption_configuration.images
  to   = module.bucket.aws_s3_bucket_server_side_encryption_configuration.bucket
}
moved {
  from = aws_s3_bucket_policy.images
  to   = module.bucket.aws_s3_bucket_policy.bucket
}
moved {
  from = aws_s3_bucket_lifecycle_configuration.images
  to   = module.bucket.aws_s3_bucket_lifecycle_configuration.bucket
}
moved {
  from = aws_cloudwatch_metric_alarm.rejected[0]
  to   = module.alarms[0].aws_cloudwatch_metric_alarm.alarm["rejections"]
}
moved {
  from = module.notification
  to   = module.notification[0]
}
