output "manager_policy_arn" {
  description = "Policy for users of `event-pipelines tenants`."
  value       = module.tenants.pipeline.manager_policy_arn
}

output "tables" {
  description = "The registry: tables of groups and of tenants."
  value       = { groups = module.tenants.pipeline.groups_table, tenants = module.tenants.pipeline.tenants_table }
}

output "quarantine_queue_url" {
  description = "Quarantine queue, for events without an active tenant."
  value       = module.tenants.pipeline.quarantine_queue_url
}
