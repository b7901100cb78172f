data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  partition  = data.aws_partition.current.partition
  account_id = data.aws_caller_identity.current.account_id
  alarm_arns = "arn:${local.partition}:cloudwatch:${var.region}:${local.account_id}:alarm:${var.name_prefix}-*"

  alarm = var.alarms == null ? null : {
    actions    = [coalesce(var.alarms.topic_arn, one(module.alarms[*].topic_arn))]
    rejections = var.alarms.rejections
  }
}

module "alarms" {
  source = "./modules/sns-filtered-fanout"
  count  = var.alarms == null ? 0 : var.alarms.topic_arn == null ? 1 : 0

  name = "${var.name_prefix}-alarms"
  publishers = {
    alarms = {
      service    = "cloudwatch"
      source_arn = local.alarm_arns
    }
  }
  email_subscribers = var.alarms.email_subscribers
  kms_key           = var.kms_key
}

locals {
  alarm_names = flatten([
    module.csv_import[*].alarm_names,
    module.event_audit[*].alarm_names,
    module.image_derivatives[*].alarm_names,
    module.item_relay[*].alarm_names,
    module.tenant_routing[*].alarm_names,
  ])
}
