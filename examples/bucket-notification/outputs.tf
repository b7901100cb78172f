output "bucket" {
  description = "The bucket. Known once its notification is in place, so that nothing written to it goes unnoticed."
  value       = module.notification.bucket
}

output "rules" {
  description = "What is sent where, as S3 holds it, by the rule's id."
  value       = module.notification.rules
}

output "queue_urls" {
  description = "The queues that are notified, by name."
  value       = { for name, queue in module.queue : name => queue.queue.url }
}
