output "alarm_names" {
  description = "Names of the alarms."
  value       = module.alarms.notifying_names
}
