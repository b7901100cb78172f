module "alarms" {
  source = "../../modules/metric-alarms"
  count  = var.alarm == null ? 0 : 1

  name    = local.name
  actions = var.alarm.actions
  tags    = var.tags
  alarms = {
    rejections = {
      description = join(" ", [
        "${var.alarm.rejections} or more items were refused within 5 minutes: their message cannot be read, or their file is missing or",
        "not the one that the script stored.",
        "Nothing tries them again, for it would end the same way: a record of each says why.",
        "Run `event-pipelines items status --prefix ${var.name_prefix}` for how many items were never updated,",
        "and `aws s3 ls --recursive s3://${local.bucket}/${local.rejections_prefix}` for the records.",
      ])
      metric_name = "Rejected"
      dimensions  = { stack = var.name_prefix, pipeline = "item-relay" }
      threshold   = var.alarm.rejections
    }
  }
}
