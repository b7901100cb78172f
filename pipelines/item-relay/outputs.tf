output "pipeline" {
  description = "What the pipeline is made of: bucket, table, the two queues with their dead-letter queues, the function with its role and log group, and for people and processes the names of the groups and the ARNs of the policies."
  value = {
    bucket             = aws_s3_bucket.relay.id
    table              = aws_dynamodb_table.items.name
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
