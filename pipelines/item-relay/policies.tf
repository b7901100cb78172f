locals {
  update_policies = {
    relay = jsonencode({ Version = "2012-10-17", Statement = [
      { Sid = "ReadFiles", Effect = "Allow", Action = "s3:GetObject", Resource = "${local.bucket_arn}/${local.files_prefix}*" },
      # Without it S3 answers 403 instead of 404 for a missing key, and a deleted file would look
      # like a broken permission. No condition on the prefix: AWS does not document which prefix S3
      # compares here.
      { Sid = "TellMissingFromForbidden", Effect = "Allow", Action = "s3:ListBucket", Resource = local.bucket_arn },
      { Sid = "RecordRejections", Effect = "Allow", Action = "s3:PutObject", Resource = "${local.bucket_arn}/${local.rejections_prefix}*" },
      # No PutItem: the function creates no items.
      {
        Sid      = "UpdateItems"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
        Resource = module.items.table_arn_static
      },
      { Sid = "SendOn", Effect = "Allow", Action = "sqs:SendMessage", Resource = module.finished_queue.queue_arn_static },
    ] })
  }
}

# --- People and processes

module "key" {
  source = "../../modules/kms-key-statements"

  kms_key = var.kms_key
}

resource "aws_iam_policy" "script" {
  # IAM is global: the same stack in another region has its own policies and groups.
  name        = "${local.name}-script-${local.region}"
  path        = var.iam_path
  description = "What the script of ${local.name} needs in ${local.region}: store a file and its item, and say so"
  tags        = var.tags

  policy = jsonencode({ Version = "2012-10-17", Statement = concat([
    {
      # Reading, to compare the existing object when a step is repeated.
      Sid      = "StoreFiles"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject"]
      Resource = "${local.bucket_arn}/${local.files_prefix}*"
    },
    { Sid = "CreateItems", Effect = "Allow", Action = ["dynamodb:GetItem", "dynamodb:PutItem"], Resource = module.items.table_arn_static },
    {
      Sid      = "AskForUpdates"
      Effect   = "Allow"
      Action   = ["sqs:GetQueueUrl", "sqs:SendMessage"]
      Resource = module.updates_queue.queue_arn_static
    },
  ], module.key.statements.write_objects, module.key.statements.send_messages, module.key.statements.write_items) })
}

resource "aws_iam_policy" "service" {
  name        = "${local.name}-service-${local.region}"
  path        = var.iam_path
  description = "What the service of ${local.name} needs in ${local.region}: receive what is finished, and read the item and its file"
  tags        = var.tags

  policy = jsonencode({ Version = "2012-10-17", Statement = concat([
    {
      Sid      = "ReceiveFinished"
      Effect   = "Allow"
      Action   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"]
      Resource = module.finished_queue.queue_arn_static
    },
    { Sid = "ReadItems", Effect = "Allow", Action = "dynamodb:GetItem", Resource = module.items.table_arn_static },
    { Sid = "ReadFiles", Effect = "Allow", Action = "s3:GetObject", Resource = "${local.bucket_arn}/${local.files_prefix}*" },
  ], module.key.statements.read_objects, module.key.statements.receive_messages, module.key.statements.read_items) })
}

resource "aws_iam_group" "script" {
  name = "${local.name}-script-${local.region}"
  path = var.iam_path
}

resource "aws_iam_group" "service" {
  name = "${local.name}-service-${local.region}"
  path = var.iam_path
}

# Users who run both script and service with one access key, for tests.
resource "aws_iam_group" "operator" {
  name = "${local.name}-operator-${local.region}"
  path = var.iam_path
}

resource "aws_iam_group_policy_attachment" "script" {
  group      = aws_iam_group.script.name
  policy_arn = aws_iam_policy.script.arn
}

resource "aws_iam_group_policy_attachment" "service" {
  group      = aws_iam_group.service.name
  policy_arn = aws_iam_policy.service.arn
}

resource "aws_iam_group_policy_attachment" "operator_script" {
  group      = aws_iam_group.operator.name
  policy_arn = aws_iam_policy.script.arn
}

resource "aws_iam_group_policy_attachment" "operator_service" {
  group      = aws_iam_group.operator.name
  policy_arn = aws_iam_policy.service.arn
}

# Users and their keys are created elsewhere: the secrets would lie in Terraform's state.
# Memberships are per user: a resource per group would remove users who were added by hand.
resource "aws_iam_user_group_membership" "members" {
  for_each = setunion(var.members.script, var.members.service, var.members.operator)

  user = each.value
  groups = concat(
    contains(var.members.script, each.value) ? [aws_iam_group.script.name] : [],
    contains(var.members.service, each.value) ? [aws_iam_group.service.name] : [],
    contains(var.members.operator, each.value) ? [aws_iam_group.operator.name] : [],
  )
}
