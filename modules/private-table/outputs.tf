output "table" {
  description = "The table, with every attribute of `aws_dynamodb_table`."
  value       = aws_dynamodb_table.table
}

output "table_arn_static" {
  description = "ARN written from the table's name, known in the first plan: for policies, which then do not wait for the table."
  value       = local.arn
}
