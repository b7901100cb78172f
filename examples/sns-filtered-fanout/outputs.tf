output "topic_arn" {
  description = "ARN of the topic."
  value       = module.orders.topic_arn
}

output "queue_urls" {
  description = "The subscribers' queues, by subscriber."
  value       = { for name in keys(local.subscribers) : name => module.queue[name].queue.url }
}

output "dlq_urls" {
  description = "Their dead-letter queues, by subscriber."
  value       = { for name in keys(local.subscribers) : name => module.queue[name].dlq.url }
}
