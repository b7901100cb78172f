output "pipeline" {
  description = <<-EOT
    What the pipeline is made of: bucket (null with `source_bucket`), what the owner of that has to do (`source`, null without), bucket of
    rejection records, topic ARN, trail table and bucket of locked records (null without), and per route its events (of the catch-all
    `other`: the events that it excludes), queue, dead-letter queue, function name, role name and log group.
  EOT
  value = {
    bucket            = one(module.watched[*].bucket.name)
    source            = var.source_bucket == null ? null : merge(module.source.owner, { notification = { topics = local.notified_topics } })
    rejections_bucket = module.rejections.bucket.name
    topic_arn         = module.topic.topic_arn
    trail_table       = one(module.trail[*].table.name)
    records_bucket    = one(module.records[*].bucket.name)
    routes = {
      for route, settings in local.routes : route => {
        events        = settings.events
        catch_all     = settings.catch_all
        queue_url     = module.queue[route].queue.url
        dlq_url       = module.queue[route].dlq.url
        function_name = module.function[route].function.name
        role_name     = module.function[route].role.name
        log_group     = module.function[route].log_group_name
      }
    }
  }

  precondition {
    condition = length(local.contested_events) == 0
    error_message = join(" ", [
      "Every event belongs to one route, or it would be logged twice:",
      "${join("; ", [for event, routes in local.contested_events : "${event} is in ${join(" and ", routes)}"])}.",
      "Take it out of all but one of routes.",
    ])
  }
  precondition {
    condition = length(local.unwatched_events) == 0
    error_message = join(" ", [
      "routes has events that are not in events: ${join(", ", local.unwatched_events)}. Add them to events, or remove them from routes:",
      "S3 would not send them.",
    ])
  }
}

output "alarm_names" {
  description = "Names of the pipeline's alarms, empty without `alarm`."
  value = concat(
    flatten([for route in keys(local.routes) : [module.queue[route].alarm_names, module.function[route].alarm_names]]),
    flatten(module.alarms[*].notifying_names),
  )
}

output "path" {
  description = <<-EOT
    The path of an event, left to right, for a dashboard: metrics of arrivals (`arrived`: namespace, metric, dimensions and their values),
    queues, words in the names of queues created at run time (`queues_found_by`), dead-letter queues, metrics of results and rejections,
    functions, their log groups, and tables.
  EOT
  value = {
    title    = "Event audit"
    pipeline = "event-audit"
    way      = "event → topic → queue of its route → function of its route → log line, trail"
    arrived = concat(
      [for name in [module.topic.topic_name] : ["AWS/SNS", "NumberOfMessagesPublished", "TopicName", name] if !local.by_rule],
      [for queue in module.queue : ["AWS/SQS", "NumberOfMessagesSent", "QueueName", queue.queue.name] if local.by_rule],
    )
    queues             = [for route in keys(local.routes) : module.queue[route].queue.name]
    queues_found_by    = []
    dead_letter_queues = [for route in keys(local.routes) : module.queue[route].dlq.name]
    done               = ["Logged"]
    rejected           = ["Rejected"]
    functions          = [for route in keys(local.routes) : module.function[route].function.name]
    log_groups         = [for route in keys(local.routes) : module.function[route].log_group_name]
    tables             = module.trail[*].table.name
  }
}

output "key_sources" {
  description = <<-EOT
    Sources on whose behalf AWS services use `kms_key`, for its policy: ARNs of buckets (`s3`), topics (`sns`) and rules (`events`), and
    other accounts that own buckets (`owners`).
  EOT
  value       = merge(module.source.key_sources, { sns = [module.topic.topic_arn_static] })
}
