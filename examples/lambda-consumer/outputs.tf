output "queue_url" {
  description = "URL of the queue of orders."
  value       = module.orders.queue.url
}

output "dlq_url" {
  description = "Dead-letter queue of orders that could not be priced."
  value       = module.orders.dlq.url
}

output "table" {
  description = "Name of the table of totals."
  value       = aws_dynamodb_table.totals.name
}

output "log_group" {
  description = "Log group of the function."
  value       = module.price_order.log_group_name
}
