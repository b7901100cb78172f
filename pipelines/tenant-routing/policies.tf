locals {
  router_policies = {
    poll = jsonencode({
      Version   = "2012-10-17"
      Statement = [for statement in local.poll_statements : merge(statement, { Resource = local.ingest_queues })]
    })
    route = jsonencode({ Version = "2012-10-17", Statement = [
      {
        Sid      = "LookUp"
        Effect   = "Allow"
        Action   = "dynamodb:BatchGetItem"
        Resource = [module.groups.table_arn_static, module.tenants.table_arn_static]
      },
      {
        Sid      = "Route"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = concat(local.raw_queues, [module.quarantine.queue_arn_static])
      },
    ] })
  }

  # No permission for any file: those are the tenant's, and only who says which tenant's gets them.
  consumer_policies = {
    poll = jsonencode({
      Version   = "2012-10-17"
      Statement = [for statement in local.poll_statements : merge(statement, { Resource = local.raw_queues })]
    })
    process = jsonencode({ Version = "2012-10-17", Statement = [
      { Sid = "LookUp", Effect = "Allow", Action = "dynamodb:GetItem", Resource = module.tenants.table_arn_static },
      { Sid = "ActAsTenant", Effect = "Allow", Action = ["sts:AssumeRole", "sts:TagSession"], Resource = local.files_role_arn },
    ] })
  }

  # Lambda polls in the role that the code has, too. It marks what the code does, and not its polling,
  # so that the queues are open to the one and shut to the other.
  poll_statements = [
    { Sid = "Poll", Effect = "Allow", Action = local.poll_actions },
    {
      Sid       = "ButNotTheCode"
      Effect    = "Deny"
      Action    = local.poll_actions
      Condition = { ArnLike = { "lambda:SourceFunctionArn" = "arn:${local.partition}:lambda:*:*:function:*" } }
    },
  ]
}

module "key" {
  source = "../../modules/kms-key-statements"

  kms_key = var.kms_key
}

# One role for all tenants: what a session in it may do follows from the two tags it was opened with.
resource "aws_iam_role" "files" {
  name        = local.files_role
  path        = var.iam_path
  description = "Assumed by ${local.name}-process in ${local.region} for one tenant at a time"

  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyAsOneTenant"
      Effect    = "Allow"
      Principal = { AWS = module.consumer.role.arn }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = {
        Null                        = { "aws:RequestTag/tenant" = "false", "aws:RequestTag/group" = "false" }
        "ForAllValues:StringEquals" = { "aws:TagKeys" = ["tenant", "group"] }
      }
    }]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "files" {
  name = "files"
  role = aws_iam_role.files.name
  policy = jsonencode({ Version = "2012-10-17", Statement = concat([
    {
      # The version that the event names, however many came after it.
      Sid      = "ReadRawFiles"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:GetObjectVersion"]
      Resource = "${local.tenant_files_arn}/raw/*"
    },
    {
      # What is there says which version it was made from, and an older one must not replace it.
      Sid      = "WriteSilverFiles"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject"]
      Resource = "${local.tenant_files_arn}/silver/*"
    },
    {
      # With the tag by which they expire.
      Sid      = "RecordRejections"
      Effect   = "Allow"
      Action   = ["s3:PutObject", "s3:PutObjectTagging"]
      Resource = "${local.tenant_files_arn}/rejected/*"
    },
  ], module.key.statements.write_objects) })
}
