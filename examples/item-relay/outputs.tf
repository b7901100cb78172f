output "bucket" {
  description = "Bucket of the original files."
  value       = module.relay.pipeline.bucket
}

output "table" {
  description = "Table of the items."
  value       = module.relay.pipeline.table
}

output "groups" {
  description = "IAM groups of the script, the service and the operators."
  value       = module.relay.pipeline.groups
}
