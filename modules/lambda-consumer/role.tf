# The permissions of the function.

module "key" {
  source = "../kms-key-statements"

  kms_key = var.kms_key
}

locals {
  # Permissions that the module itself needs. With `role_arn`, the owner of that role grants them.
  statements = {
    # No logs:CreateLogGroup: an invocation still running during a destroy would recreate the group
    # without its retention, and the next apply would fail because the group exists.
    logs = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${local.log_group_arn}:*"
    }]

    queue = flatten([
      for queue in var.queue[*] : [
        {
          Effect   = "Allow"
          Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
          Resource = queue.arn
        },
        [for key_arn in queue.kms_key_arn[*] : {
          Effect    = "Allow"
          Action    = "kms:Decrypt"
          Resource  = key_arn
          Condition = { StringEquals = { "kms:ViaService" = "sqs.${local.region}.${data.aws_partition.current.dns_suffix}" } }
        }],
      ]
    ])

    # The key may have other uses: this permits decrypting only this function's own environment.
    environment = [for key in var.kms_key[*] : {
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = key.arn
      Condition = { StringEquals = { "kms:EncryptionContext:aws:lambda:FunctionArn" = local.function_arn } }
    }]

    key = flatten([for use in var.key_uses : module.key.statements[use]])

    failure_destination = flatten([
      for destination in var.failure_destination[*] : [
        {
          Effect   = "Allow"
          Action   = local.failure_service == "sqs" ? "sqs:SendMessage" : "sns:Publish"
          Resource = destination.arn
        },
        [for key_arn in destination.kms_key_arn[*] : {
          Effect   = "Allow"
          Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
          Resource = key_arn
          Condition = {
            StringEquals = { "kms:ViaService" = "${local.failure_service}.${local.region}.${data.aws_partition.current.dns_suffix}" }
          }
        }],
      ]
    ])

    tracing = var.tracing ? [{
      Effect = "Allow"
      Action = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      # X-Ray has no resource type for either action.
      Resource = "*"
    }] : []

    vpc = flatten([
      for vpc in var.vpc[*] : [
        {
          Effect = "Allow"
          Action = "ec2:CreateNetworkInterface"
          # In any account: a shared subnet belongs to the account of its owner.
          Resource = concat(
            ["${local.ec2_arn}:${local.account_id}:network-interface/*"],
            [for id in vpc.subnet_ids : "${local.ec2_arn}:*:subnet/${id}"],
            [for id in vpc.security_group_ids : "${local.ec2_arn}:*:security-group/${id}"],
          )
        },
        {
          Effect   = "Allow"
          Action   = ["ec2:AssignPrivateIpAddresses", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses"]
          Resource = "${local.ec2_arn}:${local.account_id}:network-interface/*"
        },
        {
          Effect = "Allow"
          Action = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
          # EC2 has no resource type for either action.
          Resource = "*"
        },
        {
          # Lambda needs these permissions in the function's role; the function's code does not.
          Effect    = "Deny"
          Action    = local.interface_actions
          Resource  = "*"
          Condition = { ArnEquals = { "lambda:SourceFunctionArn" = local.function_arn } }
        },
      ]
    ])
  }

  # IAM counts all inline policies of a role together, without white space.
  inline_size = length(replace(join("", concat(
    [for statements in values(local.statements) : jsonencode({ Version = "2012-10-17", Statement = statements }) if length(statements) > 0],
    values(var.policies),
  )), "/\\s/", ""))
}

resource "aws_iam_role" "function" {
  count = var.role_arn == null ? 1 : 0

  name        = local.role_name
  path        = var.iam_path
  description = "Assumed by the Lambda function ${var.name} in ${local.region}"

  permissions_boundary = var.permissions_boundary_arn

  # Without aws:SourceArn: Lambda does not document the ARN with which its queue pollers assume the
  # role, and with a wrong one the queue would not be polled, without any error.
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [merge(
      {
        Effect    = "Allow"
        Principal = { Service = "lambda.amazonaws.com" }
        Action    = "sts:AssumeRole"
      },
      var.trust_source_account ? { Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } } } : {},
    )]
  })

  tags = var.tags

  lifecycle {
    precondition {
      condition = local.inline_size <= 10240
      error_message = join(" ", [
        "The inline policies of ${local.role_name} have ${local.inline_size} characters and IAM takes 10240 together: shorten policies, or",
        "attach a managed one to the output role.",
      ])
    }
  }
}

resource "aws_iam_role_policy" "logs" {
  count = var.role_arn == null ? 1 : 0

  name   = "logs"
  role   = aws_iam_role.function[0].name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements.logs })
}

resource "aws_iam_role_policy" "queue" {
  count = var.role_arn == null && var.queue != null ? 1 : 0

  name   = "queue"
  role   = aws_iam_role.function[0].name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements.queue })
}

resource "aws_iam_role_policy" "environment" {
  count = var.role_arn == null && var.kms_key != null ? 1 : 0

  name   = "environment"
  role   = aws_iam_role.function[0].name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements.environment })
}

resource "aws_iam_role_policy" "key" {
  count = var.role_arn == null && var.kms_key != null && length(var.key_uses) > 0 ? 1 : 0

  name   = "key"
  role   = aws_iam_role.function[0].name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements.key })
}

resource "aws_iam_role_policy" "failure_destination" {
  count = var.role_arn == null && var.failure_destination != null ? 1 : 0

  name   = "failure-destination"
  role   = aws_iam_role.function[0].name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements.failure_destination })
}

resource "aws_iam_role_policy" "tracing" {
  count = var.role_arn == null && var.tracing ? 1 : 0

  name   = "tracing"
  role   = aws_iam_role.function[0].name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements.tracing })
}

resource "aws_iam_role_policy" "vpc" {
  count = var.role_arn == null && var.vpc != null ? 1 : 0

  name   = "vpc"
  role   = aws_iam_role.function[0].name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements.vpc })
}

resource "aws_iam_role_policy" "code" {
  for_each = var.role_arn == null ? var.policies : {}

  name   = "code-${each.key}"
  role   = aws_iam_role.function[0].name
  policy = each.value
}
