# What the function may do.

resource "aws_iam_role" "function" {
  name        = local.role_name
  description = "Assumed by the Lambda function ${var.name} in ${local.region}"

  # Without aws:SourceArn: Lambda does not document the ARN with which its queue pollers assume the
  # role, and under a wrong one the queue would stand still without an error anywhere.
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "logs" {
  name = "logs"
  role = aws_iam_role.function.name
  # No logs:CreateLogGroup: an invocation still running during a destroy would bring the group back,
  # without its retention, and the next apply would stop at a group that exists already.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${local.log_group_arn}:*"
    }]
  })
}

resource "aws_iam_role_policy" "queue" {
  count = var.queue == null ? 0 : 1

  name = "queue"
  role = aws_iam_role.function.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        Resource = var.queue.arn
      }],
      [for key_arn in var.queue.kms_key_arn[*] : {
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = key_arn
        Condition = { StringEquals = { "kms:ViaService" = "sqs.${local.region}.${data.aws_partition.current.dns_suffix}" } }
      }],
    )
  })
}

resource "aws_iam_role_policy" "environment" {
  count = var.kms_key == null ? 0 : 1

  name = "environment"
  role = aws_iam_role.function.name
  # The key may serve others: this opens nothing but this function's own environment.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = var.kms_key.arn
      Condition = { StringEquals = { "kms:EncryptionContext:aws:lambda:FunctionArn" = local.function_arn } }
    }]
  })
}

resource "aws_iam_role_policy" "failure_destination" {
  count = var.failure_destination == null ? 0 : 1

  name = "failure-destination"
  role = aws_iam_role.function.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Effect   = "Allow"
        Action   = local.failure_service == "sqs" ? "sqs:SendMessage" : "sns:Publish"
        Resource = var.failure_destination.arn
      }],
      [for key_arn in var.failure_destination.kms_key_arn[*] : {
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = key_arn
        Condition = {
          StringEquals = { "kms:ViaService" = "${local.failure_service}.${local.region}.${data.aws_partition.current.dns_suffix}" }
        }
      }],
    )
  })
}

resource "aws_iam_role_policy" "tracing" {
  count = var.tracing ? 1 : 0

  name = "tracing"
  role = aws_iam_role.function.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Action = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      # X-Ray has no resource type for either.
      Resource = "*"
    }]
  })
}

resource "aws_iam_role_policy" "code" {
  for_each = var.policies

  name   = "code-${each.key}"
  role   = aws_iam_role.function.name
  policy = each.value

  lifecycle {
    precondition {
      condition = can([
        jsondecode(each.value).Version,
        [for statement in flatten([jsondecode(each.value).Statement]) : keys(statement)],
      ])
      error_message = join(" ", [
        "policies.${each.key} must be an IAM policy as JSON with Version and Statement: write it with jsonencode({ Version =",
        "\"2012-10-17\", Statement = [...] }).",
      ])
    }
    precondition {
      # What is no policy at all was refused above.
      condition = can([for statement in flatten([jsondecode(each.value).Statement]) : keys(statement)]) ? alltrue([
        for statement in flatten([jsondecode(each.value).Statement]) :
        lookup(statement, "Effect", "Allow") != "Allow" || !anytrue([
          for action in flatten([lookup(statement, "Action", "*")]) : can(regex("^([^:]+:)?[*]+$", action))
        ])
      ]) : true
      error_message = join(" ", [
        "policies.${each.key} allows everything of a service (an action \"*\" or \"service:*\", or NotAction): list the actions that the",
        "code calls.",
      ])
    }
  }
}
