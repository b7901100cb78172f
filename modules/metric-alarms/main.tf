data "aws_region" "current" {}

locals {
  # Provider 6 renamed the attribute; lookup() is the one form that both majors accept.
  region = lookup(data.aws_region.current, "region", data.aws_region.current.id)

  alarms = merge(var.alarms, {
    for rejections in var.rejections[*] : "rejections" => {
      description = join(" ", [
        "${rejections.threshold} or more ${rejections.what}",
        "They are not retried: a retry would end the same. A record of each has the reason.",
        rejections.remedy,
      ])
      metric_name = "Rejected"
      threshold   = rejections.threshold

      # Defaults of the entries of `alarms`.
      namespace           = "EventPipelines"
      dimensions          = null
      statistic           = "Sum"
      period_seconds      = 300
      comparison_operator = "GreaterThanOrEqualToThreshold"
      evaluation_periods  = 1
      treat_missing_data  = "notBreaching"
      notifies            = true
    }
  })
}

resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each = local.alarms

  alarm_name        = "${var.name}-${each.key}"
  alarm_description = each.value.description

  namespace   = each.value.namespace
  metric_name = each.value.metric_name
  dimensions  = coalesce(each.value.dimensions, var.dimensions)
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
