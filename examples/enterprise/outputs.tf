output "bucket" {
  description = "The bucket of the other team. Known once its notification is in place, so that nothing written to it goes unnoticed."
  value       = module.notification.bucket
}

output "derivatives_bucket" {
  description = "Where pictures of the documents go, below derived/NAME/BUCKET/."
  value       = module.images.pipeline.bucket
}

output "table" {
  description = "Where rows of the documents go."
  value       = module.import.pipeline.table
}

output "log_group" {
  description = "The log group that the account had."
  value       = module.removal_log.log_group_name
}
