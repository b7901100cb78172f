# What starts the function, and where calls end that it did not finish.

resource "aws_lambda_event_source_mapping" "queue" {
  count = var.queue == null ? 0 : 1

  event_source_arn = var.queue.arn
  function_name    = aws_lambda_function.function.arn
  # Left out, a mapping that someone switched off would stay off.
  enabled = true

  batch_size                         = var.batch_size
  maximum_batching_window_in_seconds = var.batching_window_seconds
  # Without it one bad message brings its whole batch back, and at last into the dead-letter queue.
  function_response_types = ["ReportBatchItemFailures"]
  # This key only ever encrypts the filter patterns.
  kms_key_arn = length(var.filter_patterns) == 0 ? null : one(var.kms_key[*].arn)

  dynamic "filter_criteria" {
    for_each = length(var.filter_patterns) == 0 ? [] : [var.filter_patterns]
    content {
      dynamic "filter" {
        for_each = filter_criteria.value
        content {
          pattern = filter.value
        }
      }
    }
  }

  dynamic "scaling_config" {
    for_each = var.maximum_concurrency[*]
    content {
      maximum_concurrency = scaling_config.value
    }
  }

  dynamic "provisioned_poller_config" {
    for_each = var.provisioned_pollers[*]
    content {
      minimum_pollers = provisioned_poller_config.value.minimum
      maximum_pollers = provisioned_poller_config.value.maximum
    }
  }

  tags = var.tags

  lifecycle {
    precondition {
      condition = var.reserved_concurrency != 0
      error_message = join(" ", [
        "reserved_concurrency = 0 with a queue throttles every receive, and each counts: all messages would become dead letters. To pause,",
        "disable the event source mapping.",
      ])
    }
    precondition {
      condition = split(":", var.queue.arn)[3] == local.region
      error_message = join(" ", [
        "queue.arn is in ${split(":", var.queue.arn)[3]} and the function in ${local.region}: Lambda reads only queues of its own region.",
        "Give this module a provider of the queue's region.",
      ])
    }
  }
}

resource "aws_lambda_function_event_invoke_config" "function" {
  count = var.failure_destination == null && var.maximum_retry_attempts == null && var.maximum_event_age_seconds == null ? 0 : 1

  function_name = aws_lambda_function.function.function_name
  # Lambda answers with its own values for what is left out, and the next plan would take them away.
  maximum_retry_attempts       = coalesce(var.maximum_retry_attempts, 2)
  maximum_event_age_in_seconds = coalesce(var.maximum_event_age_seconds, 21600)

  dynamic "destination_config" {
    for_each = var.failure_destination[*]
    content {
      on_failure {
        destination = destination_config.value.arn
      }
    }
  }
}
