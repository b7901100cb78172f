output "bucket" {
  description = "The bucket of the other team. Known once its notification exists, so that every later upload causes an event."
  value       = module.notification.bucket
}

output "derivatives_bucket" {
  description = "Bucket of the derivatives, below derived/NAME/BUCKET/."
  value       = module.images.pipeline.bucket
}

output "table" {
  description = "Table to which rows are written."
  value       = module.import.pipeline.table
}

output "log_group" {
  description = "The account's existing log group."
  value       = module.removal_log.log_group_name
}
