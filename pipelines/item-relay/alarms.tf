module "alarms" {
  source = "../../modules/metric-alarms"
  count  = var.alarm == null ? 0 : 1

  name       = local.name
  dimensions = { stack = var.name_prefix, pipeline = "item-relay" }
  actions    = var.alarm.actions
  tags       = var.tags
  rejections = {
    threshold = var.alarm.rejections
    what      = "items were refused within 5 minutes: their message cannot be read, or their file is missing or not as it was stored."
    remedy = join(" ", [
      "Run `event-pipelines items status --prefix ${var.name_prefix}` for how many items were never updated,",
      "and `aws s3 ls --recursive s3://${local.bucket}/${local.rejections_prefix}` for the records.",
    ])
  }
}
