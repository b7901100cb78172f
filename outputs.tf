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
