output "bucket" {
  description = "The bucket. Known once its notification exists, so that every later upload causes an event."
  value       = module.notification.bucket
}

output "rules" {
  description = "The notification's rules, by their ids."
  value       = module.notification.rules
}

output "queue_urls" {
  description = "The queues that are notified, by name."
  value       = { for name, queue in module.queue : name => queue.queue.url }
}
