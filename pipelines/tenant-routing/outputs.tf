output "pipeline" {
  description = "What the platform is made of: registry tables, quarantine queue with its dead-letter queue, the parameter that the command line reads, functions with their roles and log groups, the role in which a tenant's files are touched, the policy for whoever runs `event-pipelines tenants`, and the queue mode of new groups."
  value = {
    groups_table         = aws_dynamodb_table.groups.name
    tenants_table        = aws_dynamodb_table.tenants.name
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
