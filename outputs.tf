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
  description = "IAM policy (JSON) for users of `event-pipelines tenants`; null when tenant-routing is not in `pipelines`."
  value       = one(module.tenant_routing[*].manager_policy)
}

output "tenant_manager_boundary" {
  description = <<-EOT
    Permissions boundary (IAM policy JSON) for identities with `tenant_manager_policy`: create a policy from it and set that as the
    boundary of the user or role; null when tenant-routing is not in `pipelines`.
  EOT
  value       = one(module.tenant_routing[*].manager_boundary)
}

output "alarms" {
  description = "ARN of the topic that alarms are sent to, and the names of all alarms; null without `alarms`."
  value = var.alarms == null ? null : {
    topic_arn = one(local.alarm.actions)
    names     = sort(local.alarm_names)
  }
}

output "kms_key_policy_statements" {
  description = <<-EOT
    What the policy of a key for `kms_key` must say beside the default statement that lets the account's IAM policies decide, as a list of
    statements (JSON): the services that use it for this stack. It is set with and without `kms_key`, so that the key can be prepared
    first.
  EOT
  value       = jsonencode(local.kms_key_policy_statements)
}

output "dashboard" {
  description = "Name of the CloudWatch dashboard; null without pipelines."
  value       = one(aws_cloudwatch_dashboard.regional[*].dashboard_name)
}
