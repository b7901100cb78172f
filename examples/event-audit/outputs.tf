output "bucket" {
  description = "The audited bucket."
  value       = module.audit.pipeline.bucket
}

output "trail_table" {
  description = "Table with an item for every event."
  value       = module.audit.pipeline.trail_table
}

output "log_groups" {
  description = "Log group of each route."
  value       = { for name, route in module.audit.pipeline.routes : name => route.log_group }
}
