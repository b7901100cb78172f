output "pipeline" {
  description = "What the pipeline is made of: bucket and key prefixes, tables, queues with their dead-letter queues, functions with their log groups and roles, the topic of notices (null without `notices`), and the `pace` that follows from the settings: load functions at a time (`workers`), messages per invocation (`batch_size`) and the estimated `rows_per_second`."
  value = {
    bucket            = aws_s3_bucket.imports.id
    import_prefix     = var.import_prefix
    rejections_prefix = var.rejections_prefix
    table             = aws_dynamodb_table.items.name
    hash_key          = var.table.hash_key
    ledger_table      = aws_dynamodb_table.ledger.name
    imports_queue_url = module.imports_queue.queue.url
    imports_dlq_url   = module.imports_queue.dlq.url
    rows_queue_url    = module.rows_queue.queue.url
    rows_dlq_url      = module.rows_queue.dlq.url
    split_function    = module.split.function.name
    split_log_group   = module.split.log_group_name
    split_role        = module.split.role.name
    load_function     = module.load.function.name
    load_log_group    = module.load.log_group_name
    load_role         = module.load.role.name
    topic_arn         = one(module.notices[*].topic_arn)
    pace = {
      workers         = local.workers
      batch_size      = local.batch_size
      rows_per_second = local.rows_per_second
    }
  }
}
