output "table" {
  description = "The table, with every attribute of `aws_dynamodb_table`."
  value       = aws_dynamodb_table.table
}

output "table_arn_static" {
  description = "ARN composed from the table's name, known in the first plan: for policies, without a dependency on the table."
  value       = local.arn
}
