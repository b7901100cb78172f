output "pipeline" {
  description = <<-EOT
    What the pipeline is made of: bucket and key prefixes, what the owner of `source_bucket` has to do (`source`, null without), tables,
    queues with their dead-letter queues, functions with their log groups and roles, the topic of notices (null without `notices`), and
    the `pace` that follows from the settings: load functions at a time (`workers`), messages per invocation (`batch_size`) and the
    estimated `rows_per_second`.
  EOT
  value = {
    bucket            = module.bucket.bucket.name
    source            = var.source_bucket == null ? null : merge(module.source.owner, { notification = { queues = local.notified_queues } })
    import_prefix     = var.import_prefix
    rejections_prefix = var.rejections_prefix
    table             = module.items.table.name
    hash_key          = var.table.hash_key
    ledger_table      = module.ledger.table.name
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

  precondition {
    condition = local.batch_rows <= local.rows_per_invocation
    error_message = join("", [
      "A batch of ${local.batch_size} x ${var.rows_per_message} rows takes a load function ${ceil(local.batch_seconds)} seconds at ",
      "${format("%.3g", local.worker_rows_per_second)} rows a second",
      " (${local.workers} at a time, ${local.units_per_row} write units a row by pace.item_size_kb), and it may take half of ",
      "load.timeout_seconds, ${var.load.timeout_seconds / 2}: ",
      join(", or ", compact([
        (
          local.batch_size > 1 && local.rows_per_invocation >= var.rows_per_message
          ? "lower pace.batch_size to ${floor(local.rows_per_invocation / var.rows_per_message)}"
          : ""
        ),
        (
          local.rows_per_invocation >= local.batch_size
          ? "lower rows_per_message to ${floor(local.rows_per_invocation / local.batch_size)}"
          : ""
        ),
        local.batch_seconds <= 450 ? "raise load.timeout_seconds to ${ceil(local.batch_seconds * 2)}" : "",
        (
          local.workers > 1 && local.table_share < local.function_rows_per_second
          ? "let fewer run at a time (pace.maximum_concurrency, pace.one_at_a_time)"
          : ""
        ),
        local.table_share >= local.function_rows_per_second ? "raise load.memory_size_mb" : "raise pace.table_write_capacity",
      ])),
      ".",
    ])
  }
  precondition {
    condition = local.drain_seconds <= local.rows_retention_seconds
    error_message = join(" ", [
      "${coalesce(var.expected_rows, 0)} rows (expected_rows) take ${format("%.3g", local.drain_seconds / 86400)} days at",
      "${format("%.3g", local.rows_per_second)} rows a second,",
      "and the row queue deletes what has waited for ${local.rows_retention_seconds / 86400} days: raise what bounds the pace",
      "(pace.table_write_capacity, pace.maximum_concurrency, rows_per_message), or import fewer rows at a time.",
    ])
  }
}

output "alarm_names" {
  description = "Names of the pipeline's alarms, empty without `alarm`."
  value = concat(
    module.imports_queue.alarm_names,
    module.split.alarm_names,
    module.rows_queue.alarm_names,
    module.load.alarm_names,
    flatten(module.alarms[*].notifying_names),
    aws_cloudwatch_composite_alarm.stalled[*].alarm_name,
  )
}

output "path" {
  description = <<-EOT
    The path of an event, left to right, for a dashboard: metrics of arrivals (`arrived`: namespace, metric, dimensions and their values),
    queues, words in the names of queues created at run time (`queues_found_by`), dead-letter queues, metrics of results and rejections,
    functions, their log groups, and tables.
  EOT
  value = {
    title    = "CSV import"
    pipeline = "csv-import"
    way = join(" ", [
      "file → imports queue → split → rows queue → load → table;",
      "a long file arrives again for each time it is continued",
    ])
    arrived            = [["AWS/SQS", "NumberOfMessagesSent", "QueueName", module.imports_queue.queue.name]]
    queues             = [module.imports_queue.queue.name, module.rows_queue.queue.name]
    queues_found_by    = []
    dead_letter_queues = [module.imports_queue.dlq.name, module.rows_queue.dlq.name]
    done               = ["RowsLoaded", "ImportsCompleted"]
    rejected           = ["Rejected", "RowsRejected", "ImportsFailed"]
    functions          = [module.split.function.name, module.load.function.name]
    log_groups         = [module.split.log_group_name, module.load.log_group_name]
    tables             = [module.items.table.name, module.ledger.table.name]
  }
}

output "key_sources" {
  description = <<-EOT
    Sources on whose behalf AWS services use `kms_key`, for its policy: ARNs of buckets (`s3`), topics (`sns`) and rules (`events`), and
    other accounts that own buckets (`owners`).
  EOT
  value       = merge(module.source.key_sources, { sns = [] })
}
