output "queue_url" {
  description = "Where to send messages to and receive them from."
  value       = module.invoices.queue.url
}

output "dlq_url" {
  description = "Where messages end that were received three times and never deleted."
  value       = module.invoices.dlq.url
}

output "worker_policy_arn" {
  description = "Policy to attach to the worker's role."
  value       = aws_iam_policy.worker.arn
}

output "on_call_topic_arn" {
  description = "Topic to which the alarms go: subscribe whoever is on call."
  value       = module.on_call.topic_arn
}
