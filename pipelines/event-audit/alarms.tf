module "alarms" {
  source = "../../modules/metric-alarms"
  count  = var.alarm == null ? 0 : 1

  name       = local.name
  dimensions = { stack = var.name_prefix, pipeline = "event-audit" }
  actions    = var.alarm.actions
  tags       = var.tags
  rejections = {
    threshold = var.alarm.rejections
    what = join(" ", [
      "messages within 5 minutes were not object events: a sender other than ${local.bucket} sends to the topic or its queues. No event",
      "is lost.",
    ])
    remedy = join(" ", [
      "Run `event-pipelines audit tail --prefix ${var.name_prefix}` to see that events still arrive,",
      "and `aws s3 ls --recursive s3://${local.rejections_bucket}` for the messages.",
    ])
  }
}
