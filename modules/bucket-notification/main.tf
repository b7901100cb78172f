data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  # Provider 5 has no `region` attribute here, provider 6 deprecates the others.
  region = lookup(data.aws_region.current, "region", data.aws_region.current.id)

  event_names = [
    "s3:IntelligentTiering",
    "s3:LifecycleExpiration:*",
    "s3:LifecycleExpiration:Delete",
    "s3:LifecycleExpiration:DeleteMarkerCreated",
    "s3:LifecycleTransition",
    "s3:ObjectAcl:Put",
    "s3:ObjectAnnotation:*",
    "s3:ObjectAnnotation:Delete",
    "s3:ObjectAnnotation:Put",
    "s3:ObjectCreated:*",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Put",
    "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete",
    "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:ObjectRestore:*",
    "s3:ObjectRestore:Completed",
    "s3:ObjectRestore:Delete",
    "s3:ObjectRestore:Post",
    "s3:ObjectRetention:Put",
    "s3:ObjectTagging:*",
    "s3:ObjectTagging:Delete",
    "s3:ObjectTagging:Put",
    "s3:ReducedRedundancyLostObject",
    "s3:Replication:*",
    "s3:Replication:OperationFailedReplication",
    "s3:Replication:OperationMissedThreshold",
    "s3:Replication:OperationNotTracked",
    "s3:Replication:OperationReplicatedAfterThreshold",
  ]

  targets = flatten([
    for kind, entries in { queue = var.queues, topic = var.topics, function = var.functions } : [
      for key, entry in entries : {
        kind            = kind
        key             = key
        input           = "${kind}s.${key}"
        arn             = entry.arn
        events          = entry.events
        filter_prefix   = entry.filter_prefix
        filter_suffixes = entry.filter_suffixes
      }
    ]
  ])

  # S3 takes one suffix per rule, so every suffix becomes a separate rule. Its id holds only the
  # caller's values and none that AWS returns, so that a rule never changes its id.
  rules = merge([
    for target in local.targets : {
      for suffix in distinct(target.filter_suffixes) : join(":", compact([target.kind, target.key, suffix])) => {
        kind          = target.kind
        label         = "${target.input} (prefix \"${target.filter_prefix}\", suffix \"${suffix}\")"
        target_arn    = target.arn
        events        = target.events
        filter_prefix = target.filter_prefix
        filter_suffix = suffix
      }
    }
  ]...)
  rule_ids = keys(local.rules)

  # Two filters match a common key exactly when one prefix starts with the other and one suffix ends
  # with the other. Pairs are filtered by that first: one rule for each spelling of each extension
  # makes thousands of pairs, and comparing their events is the expensive part.
  meeting_rules = flatten([
    for position, a in local.rule_ids : [
      for b in slice(local.rule_ids, position + 1, length(local.rule_ids)) : { a = local.rules[a], b = local.rules[b] }
      if anytrue([
        startswith(local.rules[a].filter_prefix, local.rules[b].filter_prefix),
        startswith(local.rules[b].filter_prefix, local.rules[a].filter_prefix),
        ]) && anytrue([
        endswith(local.rules[a].filter_suffix, local.rules[b].filter_suffix),
        endswith(local.rules[b].filter_suffix, local.rules[a].filter_suffix),
      ])
    ]
  ])
  overlaps = [
    for pair in local.meeting_rules : "${pair.a.label} and ${pair.b.label}"
    if anytrue([
      for events in setproduct(pair.a.events, pair.b.events) :
      events[0] == events[1]
      || endswith(events[0], "*") && startswith(events[1], trimsuffix(events[0], "*"))
      || endswith(events[1], "*") && startswith(events[0], trimsuffix(events[1], "*"))
    ])
  ]

  loops = flatten([
    for written in var.writes_back : [
      for rule in values(local.rules) : "writes_back (prefix \"${written.prefix}\", suffix \"${written.suffix}\") and ${rule.label}"
      if anytrue([for event in rule.events : startswith(event, "s3:ObjectCreated:")])
      && anytrue([startswith(rule.filter_prefix, written.prefix), startswith(written.prefix, rule.filter_prefix)])
      && anytrue([endswith(rule.filter_suffix, written.suffix), endswith(written.suffix, rule.filter_suffix)])
    ]
  ])
}

# Values that the error messages below name.
locals {
  unknown_events = [
    for target in local.targets : "${target.input}.events = [${join(", ", target.events)}]"
    if length(target.events) == 0 || length(setsubtract(target.events, local.event_names)) > 0
  ]
  long_rules = [
    for id, rule in local.rules : "${rule.label} makes a prefix of ${length(rule.filter_prefix)} and an id of ${length(id)} characters"
    if length(rule.filter_prefix) > 1024 || length(id) > 255
  ]
  targets_elsewhere = [
    for target in local.targets : "${target.input} is in ${element(split(":", target.arn), 3)}"
    if element(split(":", target.arn), 3) != local.region
  ]
  # The first five, and the number of the others.
  named_overlaps = concat(
    slice(local.overlaps, 0, min(5, length(local.overlaps))),
    length(local.overlaps) > 5 ? ["and ${length(local.overlaps) - 5} more"] : [],
  )
  named_loops = concat(
    slice(local.loops, 0, min(5, length(local.loops))),
    length(local.loops) > 5 ? ["and ${length(local.loops) - 5} more"] : [],
  )
}

resource "aws_lambda_permission" "bucket" {
  for_each = var.functions

  # One function may serve several buckets, and its statements share one policy.
  statement_id   = "bucket-notification-${each.key}-${substr(md5(var.bucket), 0, 8)}"
  action         = "lambda:InvokeFunction"
  principal      = "s3.amazonaws.com"
  function_name  = each.value.name
  qualifier      = one(slice(split(":", each.value.arn), 7, length(split(":", each.value.arn))))
  source_arn     = "arn:${data.aws_partition.current.partition}:s3:::${var.bucket}"
  source_account = data.aws_caller_identity.current.account_id
}

resource "aws_s3_bucket_notification" "bucket" {
  bucket      = var.bucket
  eventbridge = var.eventbridge

  dynamic "queue" {
    for_each = { for id, rule in local.rules : id => rule if rule.kind == "queue" }
    content {
      id            = queue.key
      queue_arn     = queue.value.target_arn
      events        = queue.value.events
      filter_prefix = queue.value.filter_prefix
      filter_suffix = queue.value.filter_suffix
    }
  }

  dynamic "topic" {
    for_each = { for id, rule in local.rules : id => rule if rule.kind == "topic" }
    content {
      id            = topic.key
      topic_arn     = topic.value.target_arn
      events        = topic.value.events
      filter_prefix = topic.value.filter_prefix
      filter_suffix = topic.value.filter_suffix
    }
  }

  dynamic "lambda_function" {
    for_each = { for id, rule in local.rules : id => rule if rule.kind == "function" }
    content {
      id                  = lambda_function.key
      lambda_function_arn = lambda_function.value.target_arn
      events              = lambda_function.value.events
      filter_prefix       = lambda_function.value.filter_prefix
      filter_suffix       = lambda_function.value.filter_suffix
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.targets) > 0 || var.eventbridge
      error_message = "The bucket has no notification target: add an entry to queues, topics or functions, or set eventbridge = true."
    }
    precondition {
      condition = alltrue([
        for target in local.targets :
        length(target.events) > 0 && length(setsubtract(target.events, local.event_names)) == 0
      ])
      error_message = join(" ", [
        "S3 has no such events:",
        "${join("; ", local.unknown_events)}.",
        "Give at least one event, each with its s3: prefix, out of ${join(", ", local.event_names)}.",
      ])
    }
    precondition {
      condition = alltrue([for target in local.targets : length(target.filter_suffixes) > 0])
      error_message = join(" ", [
        "Without a suffix there is no rule:",
        "${join(", ", [for target in local.targets : "${target.input}.filter_suffixes" if length(target.filter_suffixes) == 0])} must not",
        "be empty; leave it out to match every ending.",
      ])
    }
    precondition {
      condition = alltrue([for rule in values(local.rules) : !strcontains("${rule.filter_prefix}${rule.filter_suffix}", "*")])
      error_message = join(" ", [
        "S3 takes an asterisk in a filter literally:",
        "${join(", ", [for rule in values(local.rules) : rule.label if strcontains("${rule.filter_prefix}${rule.filter_suffix}", "*")])}.",
        "Give the bare beginning and ending of the keys, as in filter_suffixes = [\".csv\"].",
      ])
    }
    precondition {
      condition = alltrue([for id, rule in local.rules : length(rule.filter_prefix) <= 1024 && length(id) <= 255])
      error_message = join(" ", [
        "Too long for S3:",
        "${join(", ", local.long_rules)}.",
        "A prefix may have 1024 characters, an id (kind, key and suffix) 255.",
      ])
    }
    precondition {
      condition = length(local.rules) <= 100
      error_message = join(" ", [
        "queues, topics and functions make ${length(local.rules)} rules, one per filter suffix, and S3 allows 100 per bucket: give fewer",
        "filter_suffixes, or filter behind the bucket with an SNS filter policy or EventBridge.",
      ])
    }
    precondition {
      condition = length(local.overlaps) == 0
      error_message = join(" ", [
        "S3 refuses two rules that could match one event on one key:",
        "${join("; ", local.named_overlaps)}.",
        "Make their prefixes, suffixes or events exclude each other, or send one rule to a topic that fans out.",
      ])
    }
    precondition {
      condition = length(local.loops) == 0
      error_message = join(" ", [
        "Consumers would be triggered by their own output:",
        "${join("; ", local.named_loops)}.",
        "Write outside the filters of the ObjectCreated rules, or narrow those.",
      ])
    }
    precondition {
      condition = alltrue([for target in local.targets : element(split(":", target.arn), 3) == local.region])
      error_message = join(" ", [
        "S3 notifies only targets in the bucket's own region (${local.region}):",
        "${join(", ", local.targets_elsewhere)}.",
        "Choose a target there, or give this module and the bucket a provider of the target's region.",
      ])
    }
  }

  # S3 tests every destination when the configuration is written, and refuses all of it if S3 may
  # not call one of the functions yet.
  depends_on = [aws_lambda_permission.bucket]
}
