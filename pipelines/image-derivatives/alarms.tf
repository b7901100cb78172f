module "alarms" {
  source = "../../modules/metric-alarms"
  count  = var.alarm == null ? 0 : 1

  name       = local.name
  dimensions = { stack = var.name_prefix, pipeline = "image-derivatives" }
  actions    = var.alarm.actions
  tags       = var.tags
  rejections = {
    threshold = var.alarm.rejections
    what      = "derivatives were refused within 5 minutes: their pictures are broken, too large, or of another format than their names."
    remedy = join(" ", [
      "Run `event-pipelines queues list --prefix ${var.name_prefix}` to see that nothing else is wrong,",
      "and `aws s3 ls --recursive s3://${local.bucket}/${var.rejections_prefix}` for the records; upload a corrected picture under the",
      "same key.",
    ])
  }
}
