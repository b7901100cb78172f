output "queue_url" {
  description = "URL of the queue."
  value       = module.invoices.queue.url
}

output "dlq_url" {
  description = "Dead-letter queue of messages that were received three times."
  value       = module.invoices.dlq.url
}

output "worker_policy_arn" {
  description = "Policy to attach to the worker's role."
  value       = aws_iam_policy.worker.arn
}

output "on_call_topic_arn" {
  description = "Topic that the alarms notify: add subscriptions to it."
  value       = module.on_call.topic_arn
}
