output "bucket" {
  description = "Bucket to upload pictures to, below `ingest/`."
  value       = module.images.pipeline.bucket
}

output "output_prefixes" {
  description = "Where each derivative is written, by its name."
  value       = { for name, derivative in module.images.pipeline.derivatives : name => derivative.output_prefix }
}

output "on_call_topic_arn" {
  description = "Topic that alarms notify: add subscriptions to it."
  value       = module.on_call.topic_arn
}
