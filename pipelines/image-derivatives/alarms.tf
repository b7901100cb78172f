module "alarms" {
  source = "../../modules/metric-alarms"
  count  = var.alarm == null ? 0 : 1

  name    = local.name
  actions = var.alarm.actions
  tags    = var.tags
  alarms = {
    rejections = {
      description = join(" ", [
        "${var.alarm.rejections} or more derivatives were refused within 5 minutes: their pictures are broken, too large, or not what they",
        "are named.",
        "Nothing tries them again, for it would end the same way: a record of each says why.",
        "Run `event-pipelines queues list --prefix ${var.name_prefix}` to see that nothing else is wrong,",
        "and `aws s3 ls --recursive s3://${local.bucket}/${var.rejections_prefix}` for the records; upload a mended picture under the same",
        "key.",
      ])
      metric_name = "Rejected"
      dimensions  = { stack = var.name_prefix, pipeline = "image-derivatives" }
      threshold   = var.alarm.rejections
    }
  }
}
