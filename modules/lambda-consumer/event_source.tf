# The triggers of the function, and the destination of failed invocations.

locals {
  filter_string = "\"[^\"]*\""
  filter_number = "-?[0-9.]+(?:[eE][-+]?[0-9]+)?"
  filter_value  = "(?:${local.filter_string}|${local.filter_number}|true|false|null)"
  filter_above  = "\"\\\\u003e=?\",${local.filter_number}"
  filter_below  = "\"\\\\u003c=?\",${local.filter_number}"
  filter_comparison = join("|", [
    "\"exists\":(?:true|false)",
    "\"(?:prefix|suffix|equals-ignore-case|wildcard)\":${local.filter_string}",
    "\"numeric\":\\[\"=\",${local.filter_number}\\]",
    "\"numeric\":\\[(?:${local.filter_above}|${local.filter_below}|${local.filter_above},${local.filter_below})\\]",
    "\"anything-but\":(?:${local.filter_value}|\\[${local.filter_value}(?:,${local.filter_value})*\\])",
    "\"anything-but\":\\{\"(?:prefix|suffix|equals-ignore-case|wildcard)\":${local.filter_string}\\}",
  ])
  # HCL has no recursion, so the text is reduced: escaped quotes go, comparisons become a number, lists of values \u0001.
  filter_lists = [
    for pattern in var.filter_patterns : replace(
      replace(
        replace(replace(try(jsonencode(jsondecode(pattern)), ""), "\\\\", ""), "\\\"", ""),
        "/\\{(?:${local.filter_comparison})\\}/", "0",
      ),
      "/\\[${local.filter_value}(?:,${local.filter_value})*\\]/", "\u0001",
    )
  ]
}

resource "aws_lambda_event_source_mapping" "queue" {
  count = var.queue == null ? 0 : 1

  event_source_arn = var.queue.arn
  function_name    = aws_lambda_function.function.arn
  # Set explicitly, because a mapping that was disabled elsewhere would stay disabled otherwise.
  enabled = true

  batch_size                         = var.batch_size
  maximum_batching_window_in_seconds = var.batching_window_seconds
  # Without it, one failed message causes retries of its whole batch, up to the dead-letter queue.
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
      # The reduced text of a valid pattern has no lists except those of $or, and no scalars.
      condition = alltrue([
        for text in local.filter_lists : !can(regex("\":[^\\[{\u0001]", text)) && !strcontains(replace(text, "\"$or\":[{", ""), "[")
      ])
      error_message = join(" ", [
        "Values in filter_patterns are lists (write [\"x\"] even for one value) of strings, numbers, true, false and null, or compare by",
        "anything-but, equals-ignore-case, exists, numeric ([\">\", 0, \"<=\", 9]), prefix or suffix; $or has a list of objects.",
      ])
    }
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
  # Lambda returns its defaults for omitted values, and the next plan would remove them.
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
