output "pipeline" {
  description = <<-EOT
    What the pipeline is made of: bucket, table, the two queues with their dead-letter queues, the function with its role and log group,
    and for people and processes the names of the groups and the ARNs of the policies.
  EOT
  value = {
    bucket             = module.bucket.bucket.name
    table              = module.items.table.name
    updates_queue_url  = module.updates_queue.queue.url
    updates_dlq_url    = module.updates_queue.dlq.url
    finished_queue_url = module.finished_queue.queue.url
    finished_dlq_url   = module.finished_queue.dlq.url
    function           = module.update.function.name
    role               = module.update.role.name
    log_group          = module.update.log_group_name
    groups = {
      script   = aws_iam_group.script.name
      service  = aws_iam_group.service.name
      operator = aws_iam_group.operator.name
    }
    policies = {
      script  = aws_iam_policy.script.arn
      service = aws_iam_policy.service.arn
    }
  }
}

output "alarm_names" {
  description = "Names of the pipeline's alarms, empty without `alarm`."
  value = concat(
    module.updates_queue.alarm_names,
    module.update.alarm_names,
    module.finished_queue.alarm_names,
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
    title              = "Item relay"
    pipeline           = "item-relay"
    way                = "script → updates queue → update → finished queue → service"
    arrived            = [["AWS/SQS", "NumberOfMessagesSent", "QueueName", module.updates_queue.queue.name]]
    queues             = [module.updates_queue.queue.name, module.finished_queue.queue.name]
    queues_found_by    = []
    dead_letter_queues = [module.updates_queue.dlq.name, module.finished_queue.dlq.name]
    done               = ["Updated"]
    rejected           = ["Rejected"]
    functions          = [module.update.function.name]
    log_groups         = [module.update.log_group_name]
    tables             = [module.items.table.name]
  }
}

output "key_sources" {
  description = <<-EOT
    Sources on whose behalf AWS services use `kms_key`, for its policy: ARNs of buckets (`s3`) and topics (`sns`).
  EOT
  value       = { s3 = [], sns = [] }
}
