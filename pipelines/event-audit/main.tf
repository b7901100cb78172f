# an object changes -> bucket notification -> topic -> the queue of the route that names the event, or
# `other` -> function -> a log line, and with a trail an item in a table

locals {
  name              = "${var.name_prefix}-audit"
  bucket            = "${local.name}-${local.account_id}-${local.region}"
  rejections_bucket = "${local.name}-rejections-${local.account_id}-${local.region}"
  records_bucket    = "${local.name}-records-${local.account_id}-${local.region}"
  locks_records     = try(var.trail.object_lock_days, null) != null

  rejections_arn = module.rejections.bucket_arn_static
  watched        = var.source_bucket == null ? local.bucket : join(", ", concat([var.source_bucket.name], sort(var.source_bucket.further)))

  # Entries for the bucket's notification: that of this pipeline, or of the bucket's owner.
  notified_topics = {
    audit = {
      arn    = module.topic.topic_arn
      events = [for event in sort(var.events) : "s3:${event}"]
    }
  }

  route_events = {
    for route, settings in var.routes : route => sort(distinct(flatten([for event in settings.events : local.event_names[event]])))
  }
  routed_events  = sort(distinct(flatten(values(local.route_events))))
  watched_events = distinct(flatten([for event in var.events : local.event_names[event]]))

  contested_events = {
    for event in local.routed_events : event => [for route, events in local.route_events : route if contains(events, event)]
    if length([for events in values(local.route_events) : events if contains(events, event)]) > 1
  }
  unwatched_events = setsubtract(local.routed_events, local.watched_events)

  routes = merge(
    {
      for route, events in local.route_events : route => {
        events        = events
        catch_all     = false
        filter_policy = jsonencode({ Records = { eventName = events } })
      }
    },
    {
      # Names only, no prefixes: SNS takes one kind of comparison in one anything-but, and this must
      # match exactly the events of no route.
      other = {
        events        = local.routed_events
        catch_all     = true
        filter_policy = jsonencode({ Records = { eventName = [{ "anything-but" = local.routed_events }] } })
      }
    },
  )

  topic_sender = { topic = { service = "sns", source_arn = module.topic.topic_arn_static } }
  # EventBridge can prove the rule of an event to a queue's policy, but not to a topic's policy.
  by_rule = try(var.source_bucket.via, "s3") == "eventbridge"

  # Includes name_prefix, so that the commands in the descriptions find this stack.
  alarm = var.alarm == null ? null : { actions = var.alarm.actions, name_prefix = var.name_prefix }
}

module "source" {
  source = "../../modules/source-bucket"

  own_bucket    = local.bucket
  source_bucket = var.source_bucket
  name          = "${local.name}-source"
  tags          = var.tags
  queues = {
    for route, settings in local.routes : route => {
      name      = "${local.name}-${route}"
      dlq_name  = "${local.name}-${route}-dlq"
      events    = settings.events
      catch_all = settings.catch_all
    } if local.by_rule
  }
}

module "notification" {
  source = "../../modules/bucket-notification"
  count  = var.source_bucket == null ? 1 : 0

  bucket = module.watched[0].bucket.name
  topics = local.notified_topics
}

module "topic" {
  source = "../../modules/sns-filtered-fanout"

  name       = "${local.name}-events"
  publishers = module.source.senders
  subscriptions = {
    for route, queue in module.queue : route => merge(queue.subscription, { filter_policy = local.routes[route].filter_policy })
    if !local.by_rule
  }
  email_subscribers = var.email_subscribers
  kms_key           = var.kms_key
  tags              = var.tags
}

module "queue" {
  source   = "../../modules/sqs-with-dlq"
  for_each = local.routes

  name = "${local.name}-${each.key}"
  consumer = {
    timeout_seconds         = var.function.timeout_seconds
    batching_window_seconds = var.function.batching_window_seconds
  }
  max_receive_count = var.max_receive_count
  senders           = local.by_rule ? module.source.rule_senders[each.key] : local.topic_sender
  dlq_senders       = local.by_rule ? module.source.rule_senders[each.key] : local.topic_sender
  alarm             = one([for alarm in local.alarm[*] : merge(alarm, { age_seconds = var.late_after_seconds })])
  kms_key           = var.kms_key
  tags              = var.tags
}

module "function" {
  source   = "../../modules/lambda-consumer"
  for_each = local.routes

  name = "${local.name}-${each.key}"
  description = (
    each.value.catch_all
    ? "Logs every event of ${local.watched} that no route names"
    : "Logs the events of ${local.watched} that route ${each.key} names"
  )
  package              = var.package
  code_bucket          = var.code_bucket
  trust_source_account = var.trust_source_account

  memory_size_mb          = var.function.memory_size_mb
  timeout_seconds         = var.function.timeout_seconds
  vpc                     = var.vpc
  queue                   = module.queue[each.key].queue
  batch_size              = var.function.batch_size
  batching_window_seconds = var.function.batching_window_seconds
  maximum_concurrency     = var.function.maximum_concurrency
  log_retention_days      = var.log_retention_days
  alarm                   = local.alarm
  kms_key                 = var.kms_key
  tags                    = var.tags
  policies                = local.policies[each.key]
  key_uses                = var.trail == null ? ["write_objects"] : ["write_objects", "write_items"]

  permissions_boundary_arn = var.permissions_boundary_arn
  iam_path                 = var.iam_path

  environment = merge(
    {
      STACK                        = var.name_prefix
      PIPELINE                     = "event-audit"
      POWERTOOLS_SERVICE_NAME      = "log_object_event"
      POWERTOOLS_METRICS_NAMESPACE = "EventPipelines"
      ROUTE                        = each.key
      REJECTIONS_BUCKET            = local.rejections_bucket
      REJECTIONS_PREFIX            = "${each.key}/"

      # The filter passes a message if one of its records matches; the function checks each record.
      (each.value.catch_all ? "ROUTE_EXCEPT" : "ROUTE_EVENTS") = join(",", each.value.events)
    },
    var.trail == null ? {} : {
      TRAIL_TABLE          = module.trail[0].table.name
      TRAIL_RETENTION_DAYS = tostring(var.trail.retention_days)
    },
    local.locks_records ? { TRAIL_RECORDS_BUCKET = local.records_bucket } : {},
    module.source.settings,
  )
}
