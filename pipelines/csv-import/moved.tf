# Former addresses of resources that moved into modules: stacks applied before keep their resources.

moved {
  from = module.notification
  to   = module.notification[0]
}
moved {
  from = aws_s3_bucket.imports
  to   = module.bucket.aws_s3_bucket.bucket
}
moved {
  from = aws_s3_bucket_versioning.imports
  to   = module.bucket.aws_s3_bucket_versioning.bucket
}
moved {
  from = aws_s3_bucket_public_access_block.imports
  to   = module.bucket.aws_s3_bucket_public_access_block.bucket
}
moved {
  from = aws_s3_bucket_ownership_controls.imports
  to   = module.bucket.aws_s3_bucket_ownership_controls.bucket
}
moved {
  from = aws_s3_bucket_server_side_encryption_configuration.imports
  to   = module.bucket.aws_s3_bucket_server_side_encryption_configuration.bucket
}
moved {
  from = aws_s3_bucket_policy.imports
  to   = module.bucket.aws_s3_bucket_policy.bucket
}
moved {
  from = aws_s3_bucket_lifecycle_configuration.imports
  to   = module.bucket.aws_s3_bucket_lifecycle_configuration.bucket
}
moved {
  from = aws_dynamodb_table.items
  to   = module.items.aws_dynamodb_table.table
}
moved {
  from = aws_dynamodb_table.ledger
  to   = module.ledger.aws_dynamodb_table.table
}
moved {
  from = aws_cloudwatch_metric_alarm.rejected[0]
  to   = module.alarms[0].aws_cloudwatch_metric_alarm.alarm["rejections"]
}
moved {
  from = aws_cloudwatch_metric_alarm.rows_rejected[0]
  to   = module.alarms[0].aws_cloudwatch_metric_alarm.alarm["row-rejections"]
}
moved {
  from = aws_cloudwatch_metric_alarm.empty[0]
  to   = module.alarms[0].aws_cloudwatch_metric_alarm.alarm["imports-empty"]
}
moved {
  from = aws_cloudwatch_metric_alarm.failed[0]
  to   = module.alarms[0].aws_cloudwatch_metric_alarm.alarm["imports-failed"]
}
moved {
  from = aws_cloudwatch_metric_alarm.rows_waiting[0]
  to   = module.alarms[0].aws_cloudwatch_metric_alarm.alarm["rows-waiting"]
}
moved {
  from = aws_cloudwatch_metric_alarm.no_rows_loaded[0]
  to   = module.alarms[0].aws_cloudwatch_metric_alarm.alarm["no-rows-loaded"]
}
