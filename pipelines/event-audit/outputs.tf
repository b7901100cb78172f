output "pipeline" {
  description = "What the pipeline is made of: bucket, bucket of rejection records, topic ARN, trail table (null without a trail), and per route its events (of `other`, a catch-all: the events it leaves to the rest), queue, dead-letter queue, function name, role name and log group."
  value = {
    bucket            = aws_s3_bucket.watched.id
    rejections_bucket = aws_s3_bucket.rejections.id
    topic_arn         = module.topic.topic_arn
    trail_table       = one(aws_dynamodb_table.trail[*].name)
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
}
