output "bucket" {
  description = "The existing bucket."
  value       = module.notification.bucket
}

output "queue_urls" {
  description = "The queue of its owner and the one of the new consumer."
  value       = { removals = module.removals.queue.url, texts = module.texts.queue.url }
}

output "read_statements" {
  description = "Statements for a role that reads the uploads."
  value       = module.source.read_statements
}
