resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each = var.alarms

  alarm_name        = "${var.name}-${each.key}"
  alarm_description = each.value.description

  namespace   = each.value.namespace
  metric_name = each.value.metric_name
  dimensions  = each.value.dimensions
  statistic   = each.value.statistic
  period      = each.value.period_seconds

  comparison_operator = each.value.comparison_operator
  threshold           = each.value.threshold
  evaluation_periods  = each.value.evaluation_periods
  treat_missing_data  = each.value.treat_missing_data

  alarm_actions = each.value.notifies ? var.actions : null
  ok_actions    = each.value.notifies ? var.actions : null

  tags = var.tags
}
