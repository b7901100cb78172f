output "pipeline" {
  description = <<-EOT
    What the pipeline is made of: bucket name, key prefixes, topic ARN, what the owner of `source_bucket` has to do (`source`, null
    without), and per derivative its box, format, how it fits, an id of its settings (a new one means that replayed uploads are derived
    again), queue, dead-letter queue, function name and log group.
  EOT
  value = {
    bucket            = module.bucket.bucket.name
    source_prefix     = var.source_prefix
    output_prefix     = var.output_prefix
    rejections_prefix = var.rejections_prefix
    topic_arn         = module.topic.topic_arn
    source            = var.source_bucket == null ? null : merge(module.source.owner, { notification = { topics = local.notified_topics } })
    derivatives = {
      for name, derivative in var.derivatives : name => {
        max_width     = derivative.max_width
        max_height    = derivative.max_height
        format        = derivative.format
        fit           = derivative.fit
        settings_id   = substr(sha256(jsonencode(derivative)), 0, 12)
        output_prefix = "${var.output_prefix}${name}/"
        queue_url     = module.queue[name].queue.url
        dlq_url       = module.queue[name].dlq.url
        function_name = module.function[name].function.name
        role_name     = module.function[name].role.name
        log_group     = module.function[name].log_group_name
      }
    }
  }
}

output "alarm_names" {
  description = "Names of the pipeline's alarms, empty without `alarm`."
  value = concat(
    flatten([for name in keys(var.derivatives) : [module.queue[name].alarm_names, module.function[name].alarm_names]]),
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
    title    = "Image derivatives"
    pipeline = "image-derivatives"
    way      = "picture → topic → queue of each derivative → function of each derivative → derivative"
    arrived = concat(
      [for name in [module.topic.topic_name] : ["AWS/SNS", "NumberOfMessagesPublished", "TopicName", name] if !local.by_rule],
      [for queue in module.queue : ["AWS/SQS", "NumberOfMessagesSent", "QueueName", queue.queue.name] if local.by_rule],
    )
    queues             = [for name in keys(var.derivatives) : module.queue[name].queue.name]
    queues_found_by    = []
    dead_letter_queues = [for name in keys(var.derivatives) : module.queue[name].dlq.name]
    done               = ["Derived"]
    rejected           = ["Rejected"]
    functions          = [for name in keys(var.derivatives) : module.function[name].function.name]
    log_groups         = [for name in keys(var.derivatives) : module.function[name].log_group_name]
    tables             = []
  }
}

output "key_sources" {
  description = <<-EOT
    Sources on whose behalf AWS services use `kms_key`, for its policy: ARNs of buckets (`s3`), topics (`sns`) and rules (`events`), and
    other accounts that own buckets (`owners`).
  EOT
  value       = merge(module.source.key_sources, { sns = [module.topic.topic_arn_static] })
}
