# One dashboard for the stack: alarms, then the path of every deployed pipeline from left to right.

locals {
  paths = concat(
    module.image_derivatives[*].path,
    module.event_audit[*].path,
    module.csv_import[*].path,
    module.tenant_routing[*].path,
    module.item_relay[*].path,
  )

  # CloudWatch's limit for one alarm widget.
  alarm_chunks = chunklist([
    for name in sort(local.alarm_names) :
    "arn:${data.aws_partition.current.partition}:cloudwatch:${var.region}:${data.aws_caller_identity.current.account_id}:alarm:${name}"
  ], 100)

  # CloudWatch finds metrics by words; a hyphen separates two.
  prefix_words = replace(var.name_prefix, "-", " ")

  # The parts of a path, as series; the graphs below set their statistics.
  series = [
    for path in local.paths : {
      arrived   = path.arrived
      done      = [for name in path.done : ["EventPipelines", name, "stack", var.name_prefix, "pipeline", path.pipeline]]
      rejected  = [for name in path.rejected : ["EventPipelines", name, "stack", var.name_prefix, "pipeline", path.pipeline]]
      durations = [for name in path.functions : ["AWS/Lambda", "Duration", "FunctionName", name]]
      running   = [for name in path.functions : ["AWS/Lambda", "ConcurrentExecutions", "FunctionName", name]]

      queued = concat(
        [for name in path.queues : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name]],
        [
          for word in path.queues_found_by :
          [{
            expression = join(" ", [
              "SEARCH('{AWS/SQS,QueueName} MetricName=\"ApproximateNumberOfMessagesVisible\" ${local.prefix_words} ${word} NOT dlq',",
              "'Maximum', 60)",
            ])
          }]
        ],
      )
      in_flight = concat(
        [for name in path.queues : ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", name]],
        [
          for word in path.queues_found_by :
          [{
            expression = join(" ", [
              "SEARCH('{AWS/SQS,QueueName} MetricName=\"ApproximateNumberOfMessagesNotVisible\" ${local.prefix_words} ${word} NOT dlq',",
              "'Maximum', 60)",
            ])
          }]
        ],
      )
      dead = concat(
        [for name in path.dead_letter_queues : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name]],
        [
          for word in path.queues_found_by :
          [{
            expression = join(" ", [
              "SEARCH('{AWS/SQS,QueueName} MetricName=\"ApproximateNumberOfMessagesVisible\" ${local.prefix_words} ${word} dlq',",
              "'Maximum', 60)",
            ])
          }]
        ],
      )
      age = concat(
        [for name in path.queues : ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", name]],
        [
          for word in path.queues_found_by :
          [{
            expression = join(" ", [
              "SEARCH('{AWS/SQS,QueueName} MetricName=\"ApproximateAgeOfOldestMessage\" ${local.prefix_words} ${word} NOT dlq', 'Maximum',",
              "60)",
            ])
          }]
        ],
      )
      # Billed quantities: duration of functions, requests to queues, units of tables.
      cost = concat(
        [for name in path.functions : ["AWS/Lambda", "Duration", "FunctionName", name]],
        [for name in path.queues : ["AWS/SQS", "NumberOfMessagesReceived", "QueueName", name]],
        [for name in path.queues : ["AWS/SQS", "NumberOfEmptyReceives", "QueueName", name]],
        [for name in path.tables : ["AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", name]],
        [for name in path.tables : ["AWS/DynamoDB", "ConsumedReadCapacityUnits", "TableName", name]],
      )
    }
  ]

  # Title, series and statistic of every graph of a pipeline: six side by side, four below them.
  graphs = [
    for series in local.series : [
      { title = "Arrived", metrics = series.arrived, stat = "Sum" },
      { title = "Queued", metrics = series.queued, stat = "Maximum" },
      { title = "In flight", metrics = series.in_flight, stat = "Maximum" },
      { title = "Done", metrics = series.done, stat = "Sum" },
      { title = "Rejected", metrics = series.rejected, stat = "Sum" },
      { title = "Dead", metrics = series.dead, stat = "Maximum" },
      { title = "Age of the oldest message (s)", metrics = series.age, stat = "Maximum" },
      {
        title = "Duration, p50 and p99 (ms)"
        metrics = concat(
          [for metric in series.durations : concat(metric, [{ stat = "p50" }])],
          [for metric in series.durations : concat(metric, [{ stat = "p99" }])],
        )
        stat = "p50"
      },
      { title = "Concurrency", metrics = series.running, stat = "Maximum" },
      { title = "What costs: milliseconds, requests, units", metrics = series.cost, stat = "Sum" },
    ]
  ]

  graphs_top    = 6 * length(local.alarm_chunks)
  pipeline_rows = 17

  widgets = concat(
    [
      for number, arns in local.alarm_chunks : {
        type       = "alarm", x = 0, y = 6 * number, width = 24, height = 6
        properties = jsonencode({ title = "Alarms: docs/runbook.md has a section for each", alarms = arns })
      }
    ],
    [
      for number, path in local.paths : {
        type       = "text", x = 0, y = local.graphs_top + number * local.pipeline_rows, width = 24, height = 2
        properties = jsonencode({ markdown = "## ${path.title}\n${path.way}" })
      }
    ],
    flatten([
      for number, graphs in local.graphs : [
        for place, graph in graphs : {
          type   = "metric"
          x      = place < 6 ? 4 * place : 6 * (place - 6)
          y      = local.graphs_top + number * local.pipeline_rows + (place < 6 ? 2 : 7)
          width  = place < 6 ? 4 : 6
          height = 5
          properties = jsonencode({
            title = graph.title, region = var.region, view = "timeSeries", period = 60
            stat  = graph.stat, metrics = graph.metrics, yAxis = { left = { min = 0 } }
          })
        }
      ]
    ]),
    [
      # By reason from the logs: a metric for every reason would be billed each month.
      for number, path in local.paths : {
        type = "log", x = 0, y = local.graphs_top + number * local.pipeline_rows + 12, width = 24, height = 5
        properties = jsonencode({
          title  = "Rejected, by reason"
          region = var.region
          view   = "table"
          query = join(" | ", concat(
            [for group in path.log_groups : "SOURCE '${group}'"],
            [
              "filter outcome in [\"rejected\", \"quarantined\"]",
              "stats count() as records, latest(key) as last_key, max(@timestamp) as last by reason",
              "sort records desc",
            ],
          ))
        })
      }
    ],
  )
}

resource "aws_cloudwatch_dashboard" "regional" {
  count = length(local.paths) == 0 ? 0 : 1

  # Dashboards are global in an account: without the region, those of two regions would overwrite
  # each other.
  dashboard_name = "${var.name_prefix}-${var.region}"
  dashboard_body = jsonencode({
    widgets = [for widget in local.widgets : merge(widget, { properties = jsondecode(widget.properties) })]
  })
}

# Its former name was `PREFIX`. A stack in another region may have a dashboard of that name now, so it is kept.
removed {
  from = aws_cloudwatch_dashboard.stack

  lifecycle {
    destroy = false
  }
}
