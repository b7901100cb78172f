# Former addresses of resources that moved into modules: stacks applied before keep their resources.

moved {
  from = aws_s3_bucket.watched
  to   = module.watched.aws_s3_bucket.bucket
}
moved {
  from = aws_s3_bucket_versioning.bucket["watched"]
  to   = module.watched.aws_s3_bucket_versioning.bucket
}
moved {
  from = aws_s3_bucket_public_access_block.bucket["watched"]
  to   = module.watched.aws_s3_bucket_public_access_block.bucket
}
moved {
  from = aws_s3_bucket_ownership_controls.bucket["watched"]
  to   = module.watched.aws_s3_bucket_ownership_controls.bucket
}
moved {
  from = aws_s3_bucket_server_side_encryption_configuration.bucket["watched"]
  to   = module.watched.aws_s3_bucket_server_side_encryption_configuration.bucket
}
moved {
  from = aws_s3_bucket_policy.bucket["watched"]
  to   = module.watched.aws_s3_bucket_policy.bucket
}
moved {
  from = aws_s3_bucket_lifecycle_configuration.bucket["watched"]
  to   = module.watched.aws_s3_bucket_lifecycle_configuration.bucket
}
moved {
  from = aws_s3_bucket.rejections
  to   = module.rejections.aws_s3_bucket.bucket
}
moved {
  from = aws_s3_bucket_versioning.bucket["rejections"]
  to   = module.rejections.aws_s3_bucket_versioning.bucket
}
moved {
  from = aws_s3_bucket_public_access_block.bucket["rejections"]
  to   = module.rejections.aws_s3_bucket_public_access_block.bucket
}
moved {
  from = aws_s3_bucket_ownership_controls.bucket["rejections"]
  to   = module.rejections.aws_s3_bucket_ownership_controls.bucket
}
moved {
  from = aws_s3_bucket_server_side_encryption_configuration.bucket["rejections"]
  to   = module.rejections.aws_s3_bucket_server_side_encryption_configuration.bucket
}
moved {
  from = aws_s3_bucket_policy.bucket["rejections"]
  to   = module.rejections.aws_s3_bucket_policy.bucket
}
moved {
  from = aws_s3_bucket_lifecycle_configuration.bucket["rejections"]
  to   = module.rejections.aws_s3_bucket_lifecycle_configuration.bucket
}
moved {
  from = aws_dynamodb_table.trail[0]
  to   = module.trail[0].aws_dynamodb_table.table
}
moved {
  from = aws_cloudwatch_metric_alarm.rejected[0]
  to   = module.alarms[0].aws_cloudwatch_metric_alarm.alarm["rejections"]
}
moved {
  from = module.watched
  to   = module.watched[0]
}
moved {
  from = module.notification
  to   = module.notification[0]
}
