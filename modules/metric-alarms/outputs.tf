output "alarms" {
  description = "The alarms as CloudWatch holds them, by the keys of `alarms`, with every attribute of `aws_cloudwatch_metric_alarm`."
  value       = aws_cloudwatch_metric_alarm.alarm
}

output "notifying_names" {
  description = "Names of the alarms that send notifications (`notifies`), in the order of their keys."
  value       = [for key, alarm in aws_cloudwatch_metric_alarm.alarm : alarm.alarm_name if local.alarms[key].notifies]
}
