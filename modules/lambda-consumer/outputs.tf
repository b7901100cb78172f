output "function" {
  description = "The function: arn, name, qualified_arn (with its version), invoke_arn (for API Gateway)."
  value = {
    arn           = aws_lambda_function.function.arn
    name          = aws_lambda_function.function.function_name
    qualified_arn = aws_lambda_function.function.qualified_arn
    invoke_arn    = aws_lambda_function.function.invoke_arn
  }
}

output "function_arn_static" {
  description = "The function's ARN, known before the function exists: for policies that name it without depending on it."
  value       = local.function_arn
}

output "role" {
  description = "The function's role: name, arn. Attach further policies to the name only if `policies` is not sufficient."
  value = {
    name = var.role_arn == null ? one(aws_iam_role.function[*].name) : reverse(split("/", var.role_arn))[0]
    arn  = var.role_arn == null ? one(aws_iam_role.function[*].arn) : var.role_arn
  }
}

output "role_policy" {
  description = <<-EOT
    All that the function's role needs, as one IAM policy (JSON): for the role behind `role_arn`, which Lambda must be able to assume.
  EOT
  value = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      local.statements.logs,
      local.statements.queue,
      local.statements.environment,
      local.statements.key,
      local.statements.failure_destination,
      local.statements.tracing,
      local.statements.vpc,
      flatten([for policy in var.policies : jsondecode(policy).Statement]),
    )
  })
}

output "log_group_name" {
  description = "Name of the function's log group."
  value       = local.log_group_name
}

output "event_source_mapping_uuid" {
  description = "UUID of the mapping between queue and function, to switch it off and on; null without a queue."
  value       = one(aws_lambda_event_source_mapping.queue[*].uuid)
}

output "alarm_names" {
  description = "Names of the alarms."
  value = concat(
    aws_cloudwatch_metric_alarm.errors[*].alarm_name,
    aws_cloudwatch_metric_alarm.throttles[*].alarm_name,
    aws_cloudwatch_metric_alarm.recursion[*].alarm_name,
  )
}
