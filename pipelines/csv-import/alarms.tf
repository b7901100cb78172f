module "alarms" {
  source = "../../modules/metric-alarms"
  count  = var.alarm == null ? 0 : 1

  name       = local.name
  dimensions = { stack = var.name_prefix, pipeline = "csv-import" }
  actions    = var.alarm.actions
  tags       = var.tags
  rejections = {
    threshold = var.alarm.rejections
    what      = "files or messages were refused as a whole within 5 minutes: not CSV, or not in an encoding that is read."
    remedy    = "Run `event-pipelines imports list --prefix ${var.name_prefix}` to see which and why; upload a corrected file to import it."
  }
  alarms = {
    row-rejections = {
      description = join(" ", [
        "${var.alarm.rejections} or more rows were refused within 5 minutes: a value does not have its column's type, a key is missing, or",
        "a line is not a valid row. The other rows of their files are loaded.",
        "Run `event-pipelines imports list --prefix ${var.name_prefix}` for the imports,",
        "and `event-pipelines imports rejections ID --prefix ${var.name_prefix}` for their rows as CSV, to correct and import again.",
      ])
      metric_name = "RowsRejected"
      threshold   = var.alarm.rejections
    }
    imports-empty = {
      description = join(" ", [
        "An import completed within 5 minutes without loading a row: the file has no rows, or all were rejected.",
        "Run `event-pipelines imports list --prefix ${var.name_prefix}` for which,",
        "and `event-pipelines imports rejections ID --prefix ${var.name_prefix}` for the reasons; correct the settings or the file, and",
        "upload it again.",
      ])
      metric_name = "ImportsEmpty"
    }
    imports-failed = {
      description = join(" ", [
        "An import ended as failed within 5 minutes: its file was refused, or more than ${var.max_rejected_percent} % of its rows were.",
        "Rows that were loaded stay loaded. Run `event-pipelines imports list --prefix ${var.name_prefix}` for which,",
        "and `event-pipelines imports show ID --prefix ${var.name_prefix}` for the reason; upload a corrected file to import it.",
      ])
      metric_name = "ImportsFailed"
    }
    # An import is stalled when rows wait and none is loaded. Neither alone is a fault: rows wait in every
    # import, and none is loaded while nothing is imported. Hence two alarms without notifications, and a
    # composite alarm of both that notifies.
    rows-waiting = {
      description = join(" ", [
        "${module.rows_queue.queue.name} has had visible rows for ${var.stalled_after_seconds} seconds. Sends no notification: with",
        "${local.name}-no-rows-loaded it makes up the composite alarm ${local.name}-import-stalled.",
      ])
      namespace          = "AWS/SQS"
      metric_name        = "ApproximateNumberOfMessagesVisible"
      dimensions         = { QueueName = module.rows_queue.queue.name }
      statistic          = "Minimum"
      evaluation_periods = var.stalled_after_seconds / 300
      notifies           = false
    }
    no-rows-loaded = {
      description = join(" ", [
        "No message of ${module.rows_queue.queue.name} was deleted for ${var.stalled_after_seconds} seconds, which is normal while nothing",
        "is imported. Sends no notification: with ${local.name}-rows-waiting it makes up the composite alarm",
        "${local.name}-import-stalled.",
      ])
      namespace           = "AWS/SQS"
      metric_name         = "NumberOfMessagesDeleted"
      dimensions          = { QueueName = module.rows_queue.queue.name }
      comparison_operator = "LessThanThreshold"
      evaluation_periods  = var.stalled_after_seconds / 300
      treat_missing_data  = "breaching"
      notifies            = false
    }
  }
}

resource "aws_cloudwatch_composite_alarm" "stalled" {
  count = var.alarm == null ? 0 : 1

  alarm_name = "${local.name}-import-stalled"
  alarm_description = join(" ", [
    "Rows have waited for ${var.stalled_after_seconds} seconds and none was loaded, although a batch takes at most half of",
    "${var.load.timeout_seconds} seconds: ${local.name}-load does not run, or its table rejects or throttles every write.",
    "The queue keeps the rows for ${local.rows_retention_seconds / 86400} days.",
    "Run `event-pipelines imports list --prefix ${var.name_prefix}` and `event-pipelines queues list --prefix ${var.name_prefix}`,",
    "then look at the errors and throttles of ${local.name}-load and the throttled writes of ${local.items_table}.",
  ])

  alarm_rule = join(" AND ", [for half in ["rows-waiting", "no-rows-loaded"] : "ALARM(\"${module.alarms[0].alarms[half].alarm_name}\")"])

  alarm_actions = var.alarm.actions
  ok_actions    = var.alarm.actions

  tags = var.tags
}
