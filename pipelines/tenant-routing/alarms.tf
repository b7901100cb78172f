module "alarms" {
  source = "../../modules/metric-alarms"
  count  = var.alarm == null ? 0 : 1

  name       = local.name
  dimensions = { stack = var.name_prefix, pipeline = "tenant-routing" }
  actions    = var.alarm.actions
  tags       = var.tags
  alarms = {
    quarantine-has-messages = {
      description = join(" ", [
        "${local.name}-quarantine holds events that cannot be routed: the tenant is unknown, suspended or not ACTIVE, or the key names",
        "none.",
        "`event-pipelines tenants quarantine list --prefix ${var.name_prefix}` says why; create or resume the tenant and run",
        "`event-pipelines tenants quarantine release TENANT --prefix ${var.name_prefix}`,",
        "before the retention of ${local.quarantine_retention_seconds / 86400} days deletes them.",
      ])
      namespace      = "AWS/SQS"
      metric_name    = "ApproximateNumberOfMessagesVisible"
      dimensions     = { QueueName = module.quarantine.queue.name }
      statistic      = "Maximum"
      period_seconds = 60
    }
    # The tenants' queues and their dead-letter queues are created outside Terraform. Every dead letter has
    # failed in a function first, and the functions count failures.
    failed-records = {
      description = join(" ", [
        "Events or files of tenants failed within 5 minutes and are tried again, ${var.queues.max_receive_count} times in all.",
        "${module.router.log_group_name} and ${module.consumer.log_group_name} say of which tenant and why,",
        "`event-pipelines tenants show TENANT --prefix ${var.name_prefix}` how many of them have become dead letters.",
      ])
      metric_name = "Failed"
    }
  }
  rejections = {
    threshold = var.alarm.rejections
    what      = "files of tenants were refused within 5 minutes: not of a kind that is read, broken, or too large."
    remedy = join(" ", [
      "The lines with outcome rejected in ${module.consumer.log_group_name} name tenant, file and record;",
      "run `event-pipelines tenants show TENANT --prefix ${var.name_prefix}` for where the tenant's files are.",
    ])
  }
}
