output "policy_arn" {
  description = "Policy for readers of the reports."
  value       = aws_iam_policy.read.arn
}

output "bucket" {
  description = "Name of the bucket."
  value       = module.bucket.bucket.name
}
