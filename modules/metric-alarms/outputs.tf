output "names" {
  description = "Names of the alarms, by the keys of `alarms`."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.alarm : key => alarm.alarm_name }
}

output "notifying_names" {
  description = "Names of the alarms that tell somebody, in the order of their keys."
  value       = [for key, alarm in aws_cloudwatch_metric_alarm.alarm : alarm.alarm_name if var.alarms[key].notifies]
}
