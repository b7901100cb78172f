# Former addresses of resources that moved into modules: stacks applied before keep their resources.

moved {
  from = aws_cloudwatch_metric_alarm.quarantined[0]
  to   = module.alarms[0].aws_cloudwatch_metric_alarm.alarm["quarantine-has-messages"]
}
moved {
  from = aws_cloudwatch_metric_alarm.failed[0]
  to   = module.alarms[0].aws_cloudwatch_metric_alarm.alarm["failed-records"]
}
moved {
  from = aws_cloudwatch_metric_alarm.rejected[0]
  to   = module.alarms[0].aws_cloudwatch_metric_alarm.alarm["rejections"]
}
moved {
  from = aws_dynamodb_table.groups
  to   = module.groups.aws_dynamodb_table.table
}
moved {
  from = aws_dynamodb_table.tenants
  to   = module.tenants.aws_dynamodb_table.table
}
