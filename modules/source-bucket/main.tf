data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  # Provider 5 has no `region` attribute here, provider 6 deprecates the others.
  region     = lookup(data.aws_region.current, "region", data.aws_region.current.id)
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition

  is_own = var.source_bucket == null
  source = coalesce(var.source_bucket, { name = var.own_bucket, further = [], account_id = null, via = "s3", kms_key_arn = null })

  buckets     = concat([local.source.name], sort(local.source.further))
  bucket_arns = [for name in local.buckets : "arn:${local.partition}:s3:::${name}"]
  owner       = coalesce(local.source.account_id, local.account_id)
  is_foreign  = local.owner != local.account_id
  by_rule     = local.source.via == "eventbridge"

  events_arn = "arn:${local.partition}:events:${local.region}:${local.account_id}"
  queues_arn = "arn:${local.partition}:sqs:${local.region}:${local.account_id}"
  rule_arns  = { for key in keys(var.queues) : key => "${local.events_arn}:rule/${var.name}-${key}" }

  # A list of comparisons is met by any of them, so that prefix and suffix cannot both be asked for.
  keys = concat(
    [for suffix in sort(var.key_suffixes) : { suffix = { equals-ignore-case = suffix } }],
    [for prefix in compact([var.key_prefix]) : { prefix = prefix } if length(var.key_suffixes) == 0],
  )

  # The account, since a name says little: whoever may put events on the bus could claim any bucket's.
  event_pattern = jsonencode({
    source      = ["aws.s3"]
    account     = [local.owner]
    detail-type = ["Object Created"]
    detail = merge(
      { bucket = { name = local.buckets } },
      length(local.keys) == 0 ? {} : { object = { key = local.keys } },
    )
  })

  objects = [for arn in local.bucket_arns : "${arn}/${var.key_prefix}*"]
}

resource "aws_cloudwatch_event_rule" "source" {
  for_each = local.by_rule ? var.queues : {}

  name          = "${var.name}-${each.key}"
  description   = "Objects of ${join(", ", local.buckets)} that the pipeline works on"
  event_pattern = local.event_pattern
  tags          = var.tags

  lifecycle {
    precondition {
      condition = length("${var.name}-${each.key}") <= 64
      error_message = join(" ", [
        "The rule ${var.name}-${each.key} has a name of ${length("${var.name}-${each.key}")} characters, and EventBridge takes 64: shorten",
        "name_prefix, or set source_bucket.via = \"s3\".",
      ])
    }
    precondition {
      condition = length(local.event_pattern) <= 2048
      error_message = join(" ", [
        "The pattern of the rule has ${length(local.event_pattern)} characters, and EventBridge takes 2048: name fewer buckets in",
        "source_bucket.further, or fewer suffixes.",
      ])
    }
  }
}

resource "aws_cloudwatch_event_target" "source" {
  for_each = local.by_rule ? var.queues : {}

  rule = aws_cloudwatch_event_rule.source[each.key].name
  arn  = "${local.queues_arn}:${each.value.name}"

  dead_letter_config {
    arn = "${local.queues_arn}:${each.value.dlq_name}"
  }
}

# The owner's rule may put the bucket's events on the bus of this account; any of them, since IAM cannot ask
# what an event is about. The rules above do.
resource "aws_cloudwatch_event_permission" "owner" {
  count = local.by_rule && local.is_foreign ? 1 : 0

  statement_id = "${var.name}-${local.owner}"
  principal    = local.owner
}
