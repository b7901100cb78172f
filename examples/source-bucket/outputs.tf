output "bucket" {
  description = "The bucket that was there before."
  value       = module.notification.bucket
}

output "queue_urls" {
  description = "The queue of its owner and the one of the newcomer."
  value       = { removals = module.removals.queue.url, texts = module.texts.queue.url }
}

output "read_statements" {
  description = "What a role needs to read the uploads."
  value       = module.source.read_statements
}
