output "pipeline" {
  description = "What the pipeline is made of: bucket name, key prefixes, topic ARN, and per derivative its box, queue, dead-letter queue, function name and log group."
  value = {
    bucket            = aws_s3_bucket.images.id
    source_prefix     = var.source_prefix
    output_prefix     = var.output_prefix
    rejections_prefix = var.rejections_prefix
    topic_arn         = module.topic.topic_arn
    derivatives = {
      for name, derivative in var.derivatives : name => {
        max_width     = derivative.max_width
        max_height    = derivative.max_height
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
