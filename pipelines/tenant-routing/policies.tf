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

  # No permission for files: only a session with the tag of a tenant has access to its files.
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

  # Lambda polls with the role that the code has, too. Only calls of the code have
  # lambda:SourceFunctionArn, so that Lambda may receive from the queues and the code may not.
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

# One role for all tenants: the two tags of a session determine the permissions of the session.
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
      # s3:GetObjectVersion reads the version that the event names, even if newer ones exist.
      Sid      = "ReadRawFiles"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:GetObjectVersion"]
      Resource = "${local.tenant_files_arn}/raw/*"
    },
    {
      # Reads the existing object: its metadata names its version, which no older one may replace.
      Sid      = "WriteSilverFiles"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject"]
      Resource = "${local.tenant_files_arn}/silver/*"
    },
    {
      # Includes tagging, since the objects expire by their tag.
      Sid      = "RecordRejections"
      Effect   = "Allow"
      Action   = ["s3:PutObject", "s3:PutObjectTagging"]
      Resource = "${local.tenant_files_arn}/rejected/*"
    },
  ], module.key.statements.write_objects) })
}
