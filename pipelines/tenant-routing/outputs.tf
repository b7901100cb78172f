output "pipeline" {
  description = <<-EOT
    What the platform is made of: registry tables, quarantine queue with its dead-letter queue, the parameter that the command line reads,
    functions with their roles and log groups, the role for access to tenants' files, the policy for users of `event-pipelines tenants`,
    and the queue mode of new groups.
  EOT
  value = {
    groups_table         = module.groups.table.name
    tenants_table        = module.tenants.table.name
    quarantine_queue_url = module.quarantine.queue.url
    quarantine_dlq_url   = module.quarantine.dlq.url
    platform_parameter   = aws_ssm_parameter.platform.name
    router_function      = module.router.function.name
    router_role          = module.router.role.name
    router_log_group     = module.router.log_group_name
    consumer_function    = module.consumer.function.name
    consumer_role        = module.consumer.role.name
    consumer_log_group   = module.consumer.log_group_name
    tenant_role          = aws_iam_role.files.name
    manager_policy_arn   = aws_iam_policy.manager.arn
    queue_mode           = var.queue_mode
  }
}

output "manager_policy" {
  description = "What `event-pipelines tenants` needs, as IAM policy JSON: the document of `manager_policy_arn`, to attach by other means."
  value       = local.manager_policy_json
}

output "manager_boundary" {
  description = <<-EOT
    The permissions boundary for identities with `manager_policy`, as IAM policy JSON: create a policy from it and set that as their
    boundary. It allows no more than the policy, and denies reading files, receiving messages and assuming roles, whatever else is
    granted.
  EOT
  value       = local.manager_boundary_json

  precondition {
    condition = length(local.manager_boundary_json) <= 6144
    error_message = join(" ", [
      "The boundary of ${local.manager_policy} has ${length(local.manager_boundary_json)} characters and IAM takes 6144: shorten",
      "name_prefix, which every ARN in it repeats.",
    ])
  }
}

output "alarm_names" {
  description = "Names of the pipeline's alarms, empty without `alarm`."
  value = concat(
    module.router.alarm_names,
    module.consumer.alarm_names,
    module.quarantine.alarm_names,
    flatten(module.alarms[*].notifying_names),
  )
}

output "path" {
  description = <<-EOT
    The path of an event, left to right, for a dashboard: metrics of arrivals (`arrived`: namespace, metric, dimensions and their values),
    queues, words in the names of queues created at run time (`queues_found_by`), dead-letter queues, metrics of results and rejections,
    functions, their log groups, and tables.
  EOT
  value = {
    title    = "Tenant routing"
    pipeline = "tenant-routing"
    way      = "file → ingest queue of the group → route → queue of the tenant, or quarantine → process → silver file"
    arrived = [
      for name in ["Routed", "Quarantined"] : ["EventPipelines", name, "stack", var.name_prefix, "pipeline", "tenant-routing"]
    ]
    queues = [module.quarantine.queue.name]
    # Groups, tenants and their queues are created and deleted without Terraform.
    queues_found_by    = ["tg", "tenant"]
    dead_letter_queues = [module.quarantine.dlq.name]
    done               = ["Processed"]
    rejected           = ["Rejected", "Quarantined"]
    functions          = [module.router.function.name, module.consumer.function.name]
    log_groups         = [module.router.log_group_name, module.consumer.log_group_name]
    tables             = [module.groups.table.name, module.tenants.table.name]
  }
}

output "key_sources" {
  description = <<-EOT
    Sources on whose behalf AWS services use `kms_key`, for its policy: ARNs of buckets (`s3`) and topics (`sns`).
  EOT
  value       = { s3 = [local.group_bucket_arn], sns = [] }
}
