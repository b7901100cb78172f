locals {
  what_waits = (
    var.alarm == null ? "" : var.alarm.name_prefix == null ? "" :
    "`event-pipelines queues list --prefix ${var.alarm.name_prefix}` lists waiting messages and dead letters."
  )
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  count = var.alarm == null ? 0 : 1

  alarm_name = "${var.name}-errors"
  alarm_description = join(" ", [
    "${var.alarm.errors} or more invocations of ${var.name} failed within ${var.alarm.period_seconds} seconds: an exception, a timeout or",
    "too little memory.",
    var.queue == null
    ? join(" ", [
      "Lambda retries an asynchronous invocation, then sends it to the failure destination, if there is one; messages of a queue with an",
      "event source mapping outside of this module are received again until the maxReceiveCount of that queue.",
    ])
    : "Every message of a failed batch is received again, up to max_receive_count times, then it goes to the dead-letter queue.",
    "Read ${local.log_group_name} at the time of the alarm and remove the cause.",
    local.what_waits,
  ])

  namespace   = "AWS/Lambda"
  metric_name = "Errors"
  dimensions  = { FunctionName = aws_lambda_function.function.function_name }
  statistic   = "Sum"
  period      = var.alarm.period_seconds

  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.alarm.errors
  evaluation_periods  = 1
  # Lambda reports nothing about a function that is not called.
  treat_missing_data = "notBreaching"

  alarm_actions = var.alarm.actions
  ok_actions    = var.alarm.actions

  tags = var.tags
}

resource "aws_cloudwatch_metric_alarm" "throttles" {
  count = var.alarm == null ? 0 : 1

  alarm_name = "${var.name}-throttles"
  alarm_description = join(" ", [
    "Lambda throttled ${var.name} ${var.alarm.throttles} or more times within ${var.alarm.period_seconds} seconds: its reserved",
    "concurrency, or the account's, is used up.",
    var.queue == null
    ? join(" ", [
      "Asynchronous invocations are retried for up to six hours, synchronous ones fail; for messages of a queue with an event source",
      "mapping outside of this module, each throttled invocation counts as a receive.",
    ])
    : "Each throttled invocation counts as a receive of its messages, which may reach the dead-letter queue unprocessed.",
    "Lower maximum_concurrency, raise reserved_concurrency, or request a higher concurrency quota for the account.",
    local.what_waits,
  ])

  namespace   = "AWS/Lambda"
  metric_name = "Throttles"
  dimensions  = { FunctionName = aws_lambda_function.function.function_name }
  statistic   = "Sum"
  period      = var.alarm.period_seconds

  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.alarm.throttles
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm.actions
  ok_actions    = var.alarm.actions

  tags = var.tags
}

# Also if recursive_loop is Allow: the alarm then shows that the setting has been lost.
resource "aws_cloudwatch_metric_alarm" "recursion" {
  count = var.alarm == null ? 0 : 1

  alarm_name = "${var.name}-recursion-stopped"
  alarm_description = join(" ", [
    "Lambda detected a recursive loop and stopped ${var.name}: an event led to about 16 invocations in a row through a queue, topic",
    "or bucket.",
    "The event goes to a dead-letter queue or failure destination, or is lost without one.",
    var.recursive_loop == "Allow"
    ? "recursive_loop = \"Allow\" permits the loop, but was changed outside of Terraform: apply again."
    : "Find which of its writes triggers it again, and remove that trigger.",
    local.what_waits,
  ])

  namespace   = "AWS/Lambda"
  metric_name = "RecursiveInvocationsDropped"
  dimensions  = { FunctionName = aws_lambda_function.function.function_name }
  statistic   = "Sum"
  period      = var.alarm.period_seconds

  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm.actions
  ok_actions    = var.alarm.actions

  tags = var.tags
}
