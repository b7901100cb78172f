output "table_name" {
  description = "Name of the table."
  value       = module.orders.table.name
}
