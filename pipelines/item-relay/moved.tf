# Former addresses of resources that moved into modules: stacks applied before keep their resources.

moved {
  from = aws_s3_bucket.relay
  to   = module.bucket.aws_s3_bucket.bucket
}
moved {
  from = aws_s3_bucket_versioning.relay
  to   = module.bucket.aws_s3_bucket_versioning.bucket
}
moved {
  from = aws_s3_bucket_public_access_block.relay
  to   = module.bucket.aws_s3_bucket_public_access_block.bucket
}
moved {
  from = aws_s3_bucket_ownership_controls.relay
  to   = module.bucket.aws_s3_bucket_ownership_controls.bucket
}
moved {
  from = aws_s3_bucket_server_side_encryption_configuration.relay
  to   = module.bucket.aws_s3_bucket_server_side_encryption_configuration.bucket
}
moved {
  from = aws_s3_bucket_policy.relay
  to   = module.bucket.aws_s3_bucket_policy.bucket
}
moved {
  from = aws_s3_bucket_lifecycle_configuration.relay
  to   = module.bucket.aws_s3_bucket_lifecycle_configuration.bucket
}
moved {
  from = aws_dynamodb_table.items
  to   = module.items.aws_dynamodb_table.table
}
moved {
  from = aws_cloudwatch_metric_alarm.rejected[0]
  to   = module.alarms[0].aws_cloudwatch_metric_alarm.alarm["rejections"]
}
