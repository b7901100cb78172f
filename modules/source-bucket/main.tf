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

  # One match in a list of comparisons is enough, so a pattern cannot require prefix and suffix.
  keys = concat(
    [for suffix in sort(var.key_suffixes) : { suffix = { equals-ignore-case = suffix } }],
    [for prefix in compact([var.key_prefix]) : { prefix = prefix } if length(var.key_suffixes) == 0],
  )

  # EventBridge's type, reason and deletion type for each event name of S3's notifications. No reason here: any reason.
  events = {
    "IntelligentTiering"                      = ["Object Access Tier Changed"]
    "LifecycleExpiration:Delete"              = ["Object Deleted", "Lifecycle Expiration", "Permanently Deleted"]
    "LifecycleExpiration:DeleteMarkerCreated" = ["Object Deleted", "Lifecycle Expiration", "Delete Marker Created"]
    "LifecycleTransition"                     = ["Object Storage Class Changed"]
    "ObjectAcl:Put"                           = ["Object ACL Updated"]
    "ObjectCreated:*"                         = ["Object Created"]
    "ObjectCreated:CompleteMultipartUpload"   = ["Object Created", "CompleteMultipartUpload"]
    "ObjectCreated:Copy"                      = ["Object Created", "CopyObject"]
    "ObjectCreated:Post"                      = ["Object Created", "POST Object"]
    "ObjectCreated:Put"                       = ["Object Created", "PutObject"]
    "ObjectRemoved:Delete"                    = ["Object Deleted", "DeleteObject", "Permanently Deleted"]
    "ObjectRemoved:DeleteMarkerCreated"       = ["Object Deleted", "DeleteObject", "Delete Marker Created"]
    "ObjectRestore:Completed"                 = ["Object Restore Completed"]
    "ObjectRestore:Delete"                    = ["Object Restore Expired"]
    "ObjectRestore:Post"                      = ["Object Restore Initiated"]
    "ObjectTagging:Delete"                    = ["Object Tags Deleted"]
    "ObjectTagging:Put"                       = ["Object Tags Added"]
  }
  named = { for key, queue in var.queues : key => [for event in sort(queue.events) : local.events[event]] }
  types = { for key, events in local.named : key => distinct([for event in events : event[0]]) }
  whole = { for key, events in local.named : key => distinct([for event in events : event[0] if length(event) == 1]) }
  # Events by type (reasons), and by type and reason (deletions).
  reasons = {
    for key, events in local.named : key => {
      for event in events : event[0] => event... if length(event) > 1 && !contains(local.whole[key], event[0])
    }
  }
  deletions = {
    for key, events in local.named : key => {
      for event in events : "${event[0]}/${event[1]}" => event... if length(event) > 2 && !contains(local.whole[key], event[0])
    }
  }

  # An event has to match one of these patterns. `anything-but` alone does not match events that lack the member.
  taken = {
    for key, queue in var.queues : key => concat(
      [for types in [local.whole[key]] : jsonencode({ detail-type = types }) if length(types) > 0],
      [
        for type, reasons in { for type, events in local.reasons[key] : type => [for event in events : event[1] if length(event) == 2] } :
        jsonencode({ detail-type = [type], detail = { reason = reasons } }) if length(reasons) > 0
      ],
      [
        for events in local.deletions[key] : jsonencode({
          detail-type = [events[0][0]], detail = { reason = [events[0][1]], deletion-type = [for event in events : event[2]] }
        })
      ],
    ) if !queue.catch_all
  }
  left = {
    for key, queue in var.queues : key => concat(
      [jsonencode({ detail-type = [{ anything-but = local.types[key] }] })],
      [
        for type, events in local.reasons[key] : jsonencode({
          detail-type = [type]
          detail      = { reason = [{ exists = false }, { anything-but = distinct([for event in events : event[1]]) }] }
        })
      ],
      [
        for events in local.deletions[key] : jsonencode({
          detail-type = [events[0][0]]
          detail = {
            reason        = [events[0][1]]
            deletion-type = [{ exists = false }, { anything-but = [for event in events : event[2]] }]
          }
        })
      ],
    ) if queue.catch_all
  }

  # Includes the account, because a principal that may put events on the bus could name any bucket.
  of_buckets = {
    source  = ["aws.s3"]
    account = [local.owner]
    detail  = merge({ bucket = { name = local.buckets } }, length(local.keys) == 0 ? {} : { object = { key = local.keys } })
  }
  event_patterns = {
    for key, any_of in merge(local.taken, local.left) : key => (
      length(any_of) > 1
      ? jsonencode(merge(local.of_buckets, { "$or" = [for one in any_of : jsondecode(one)] }))
      : jsonencode(merge(local.of_buckets, jsondecode(any_of[0]), {
        detail = merge(local.of_buckets.detail, try(jsondecode(any_of[0]).detail, {}))
      }))
    )
  }
  # Pattern for the owner of a bucket in another account: the queues' pattern, or all events if the queues differ.
  forwarded = length(distinct(values(local.event_patterns))) == 1 ? values(local.event_patterns)[0] : jsonencode(local.of_buckets)

  objects = [for arn in local.bucket_arns : "${arn}/${var.key_prefix}*"]
}

resource "aws_cloudwatch_event_rule" "source" {
  for_each = local.by_rule ? var.queues : {}

  name          = "${var.name}-${each.key}"
  description   = "Objects of ${join(", ", local.buckets)} that the pipeline works on"
  event_pattern = local.event_patterns[each.key]
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
      condition = length(local.event_patterns[each.key]) <= 2048
      error_message = join(" ", [
        "The pattern of the rule has ${length(local.event_patterns[each.key])} characters, and EventBridge takes 2048: name fewer buckets",
        "in source_bucket.further, fewer suffixes or fewer events.",
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

# Permits the owner's rule to put the bucket's events on the bus of this account; all events, since IAM has no
# condition on their content. The rules above filter them.
resource "aws_cloudwatch_event_permission" "owner" {
  count = local.by_rule && local.is_foreign ? 1 : 0

  statement_id = "${var.name}-${local.owner}"
  principal    = local.owner
}
