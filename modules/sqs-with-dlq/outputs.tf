# The ARNs below are composed and known already in the first plan; each object also holds a value of
# the finished resource, so that users of the output still wait for the queue and its policy.

output "queue" {
  description = <<-EOT
    The queue, as lambda-consumer takes it: `arn`, `url`, `name`, `fifo`, `visibility_timeout_seconds` and `kms_key_arn` (null with
    SSE-SQS).
  EOT
  value = {
    arn                        = local.queue_arn
    url                        = aws_sqs_queue.queue.url
    name                       = aws_sqs_queue.queue.name
    fifo                       = local.fifo
    visibility_timeout_seconds = local.visibility_timeout_seconds
    kms_key_arn                = var.kms_key == null ? null : var.kms_key.arn
  }
}

output "queue_arn_static" {
  description = <<-EOT
    ARN of the queue composed from its name, without a dependency: for resources that the queue's policy names, where `queue.arn` would be
    a cycle.
  EOT
  value       = local.queue_arn
}

output "dlq" {
  description = "The dead-letter queue: `arn`, `name` and `url` (null for an existing one); null without one."
  value = var.dlq == null ? null : {
    arn  = local.own_dlq ? local.dlq_arn : var.dlq.existing_arn
    url  = one(aws_sqs_queue.dlq[*].url)
    name = local.own_dlq ? one(aws_sqs_queue.dlq[*].name) : reverse(split(":", var.dlq.existing_arn))[0]
  }
}

output "subscription" {
  description = "Queue and dead-letter queue as an entry of `subscriptions` of sns-filtered-fanout; add a filter by `merge()`."
  value = {
    queue_arn = local.queue_arn
    dlq       = var.dlq == null ? null : { arn = local.own_dlq ? local.dlq_arn : var.dlq.existing_arn }
  }
  depends_on = [aws_sqs_queue.dlq, aws_sqs_queue.queue]
}

output "alarm_names" {
  description = "Names of the alarms, empty without `alarm`."
  value = concat(
    aws_cloudwatch_metric_alarm.dlq_depth[*].alarm_name,
    aws_cloudwatch_metric_alarm.oldest_message[*].alarm_name,
  )
}
