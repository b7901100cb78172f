output "queue_url" {
  description = "Where to send orders."
  value       = module.orders.queue.url
}

output "dlq_url" {
  description = "Where orders end that could not be priced."
  value       = module.orders.dlq.url
}

output "table" {
  description = "Name of the table of totals."
  value       = aws_dynamodb_table.totals.name
}

output "log_group" {
  description = "Where the function logs."
  value       = module.price_order.log_group_name
}
