output "bucket" {
  description = "Bucket to upload files to, below `import/`."
  value       = module.customers.pipeline.bucket
}

output "table" {
  description = "Table to which rows are written."
  value       = module.customers.pipeline.table
}

output "rows_per_second" {
  description = "How many rows a second the table's capacity allows."
  value       = module.customers.pipeline.pace.rows_per_second
}

output "notices_topic_arn" {
  description = "Topic for notices of completed and failed imports."
  value       = module.customers.pipeline.topic_arn
}
