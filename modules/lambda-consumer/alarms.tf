locals {
  what_waits = (
    var.alarm == null ? "" : var.alarm.name_prefix == null ? "" :
    "`event-pipelines queues list --prefix ${var.alarm.name_prefix}` shows what waits and what has become a dead letter."
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
      "Lambda repeats a call that nobody waits for, then reports it to the failure destination, if there is one; messages of a queue that",
      "is mapped to it elsewhere come back until that queue gives them up.",
    ])
    : "Every message of a failed batch comes back, and after the queue's last try it goes to the dead-letter queue.",
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
    "Lambda refused to start ${var.name} ${var.alarm.throttles} or more times within ${var.alarm.period_seconds} seconds: its reserved",
    "concurrency, or what the account has, is used up.",
    var.queue == null
    ? join(" ", [
      "Calls that nobody waits for are repeated for up to six hours, others fail at once; of messages of a queue that is mapped to it",
      "elsewhere each refusal counts as a try.",
    ])
    : "Each refusal counts as a try of its messages, which may end in the dead-letter queue untouched.",
    "Lower maximum_concurrency, raise reserved_concurrency, or have the account's limit raised.",
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
    "Lambda stopped ${var.name} because it seemed to feed itself: about 16 times in a row an event came back to it through a queue, topic",
    "or bucket.",
    "What it was to work on goes to a dead-letter queue or failure destination, or is lost without one.",
    var.recursive_loop == "Allow"
    ? "It may do so here, which something outside Terraform has undone: apply again."
    : "Find what it writes that starts it again, and break the loop.",
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
