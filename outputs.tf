output "region" {
  description = "Region in which the stack lives."
  value       = var.region
}

output "name_prefix" {
  description = "First part of every resource name, by which the command line finds the stack."
  value       = var.name_prefix
}

output "csv_import" {
  description = "Bucket, tables, queues, functions and pace of the import pipeline; null when it is not in `pipelines`."
  value       = one(module.csv_import[*].pipeline)
}

output "event_audit" {
  description = "Buckets, topic, trail table and routes of the audit pipeline; null when it is not in `pipelines`."
  value       = one(module.event_audit[*].pipeline)
}

output "image_derivatives" {
  description = "Bucket, prefixes, topic, queues and functions of the image pipeline; null when it is not in `pipelines`."
  value       = one(module.image_derivatives[*].pipeline)
}

output "item_relay" {
  description = "Bucket, table, queues, function, groups and policies of the relay pipeline; null when it is not in `pipelines`."
  value       = one(module.item_relay[*].pipeline)
}

output "tenant_routing" {
  description = "Registry tables, quarantine queue, functions and roles of the tenant pipeline; null when it is not in `pipelines`."
  value       = one(module.tenant_routing[*].pipeline)
}

output "tenant_manager_policy" {
  description = "IAM policy (JSON) for whoever runs `event-pipelines tenants`; null when tenant-routing is not in `pipelines`."
  value       = one(module.tenant_routing[*].manager_policy)
}
