# Resources of `event-pipelines tenants`: the platform document, and a policy for its users.

data "aws_default_tags" "current" {}

locals {
  # Resources that are created at run time have the same tags as those created here.
  platform_tags = merge(data.aws_default_tags.current.tags, var.tags)

  platform = jsonencode(merge(var.kms_key == null ? {} : { kms_key_arn = var.kms_key.arn }, {
    schema_version       = 1
    name_prefix          = var.name_prefix
    account_id           = local.account_id
    region               = local.region
    partition            = local.partition
    groups_table         = local.groups_table
    tenants_table        = local.tenants_table
    quarantine_queue_url = module.quarantine.queue.url
    quarantine_queue_arn = module.quarantine.queue_arn_static
    router = {
      function_name       = module.router.function.name
      function_arn        = module.router.function_arn_static
      batch_size          = var.router.batch_size
      maximum_concurrency = var.router.maximum_concurrency
      timeout_seconds     = var.router.timeout_seconds
    }
    consumer = {
      function_name       = module.consumer.function.name
      function_arn        = module.consumer.function_arn_static
      batch_size          = var.consumer.batch_size
      maximum_concurrency = var.consumer.maximum_concurrency
      timeout_seconds     = var.consumer.timeout_seconds
    }
    queues                = var.queues
    bucket                = var.group_bucket
    access                = var.group_access
    queue_mode            = var.queue_mode
    cache                 = var.cache
    max_group_name_length = local.max_group_name_length
    tags                  = local.platform_tags
  }))

  manager_statements = concat([
    {
      Sid      = "ReadPlatform"
      Effect   = "Allow"
      Action   = "ssm:GetParameter"
      Resource = "arn:${local.partition}:ssm:${local.region}:${local.account_id}:parameter${local.platform_name}"
    },
    {
      # A tenant is written only into a group that is active: a transaction with a condition check.
      Sid      = "KeepRegistry"
      Effect   = "Allow"
      Action   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Scan", "dynamodb:UpdateItem"]
      Resource = [module.groups.table_arn_static, module.tenants.table_arn_static]
    },
    { Sid = "CheckGroup", Effect = "Allow", Action = "dynamodb:ConditionCheckItem", Resource = module.groups.table_arn_static },
    {
      Sid      = "ListTenantsOfGroup"
      Effect   = "Allow"
      Action   = "dynamodb:Query"
      Resource = "${module.tenants.table_arn_static}/index/by_group"
    },
    {
      Sid    = "KeepBuckets"
      Effect = "Allow"
      Action = [
        "s3:CreateBucket",
        "s3:DeleteBucket",
        "s3:GetBucketNotification",
        "s3:GetBucketOwnershipControls",
        "s3:GetBucketPolicy",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketTagging",
        "s3:GetBucketVersioning",
        "s3:GetEncryptionConfiguration",
        "s3:GetLifecycleConfiguration",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:ListBucketVersions",
        "s3:PutBucketNotification",
        "s3:PutBucketOwnershipControls",
        "s3:PutBucketPolicy",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketTagging",
        "s3:PutBucketVersioning",
        "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration",
      ]
      Resource = local.group_bucket_arn
    },
    {
      # No permission to read files: listing the bucket shows whether a file exists.
      Sid      = "PutFiles"
      Effect   = "Allow"
      Action   = "s3:PutObject"
      Resource = ["${local.group_bucket_arn}/*/raw/*", "${local.group_bucket_arn}/*/silver/"]
    },
    {
      Sid      = "DeleteData"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion"]
      Resource = "${local.group_bucket_arn}/*"
    },
    {
      Sid    = "KeepQueues"
      Effect = "Allow"
      Action = [
        "sqs:CreateQueue",
        "sqs:DeleteQueue",
        "sqs:GetQueueAttributes",
        "sqs:ListQueueTags",
        "sqs:SetQueueAttributes",
        "sqs:TagQueue",
      ]
      Resource = concat(local.all_queues, local.dead_letter_queues)
    },
    {
      Sid      = "LookIntoQuarantine"
      Effect   = "Allow"
      Action   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
      Resource = module.quarantine.queue_arn_static
    },
    { Sid = "Release", Effect = "Allow", Action = "sqs:SendMessage", Resource = local.ingest_queues },
    {
      Sid    = "KeepMappings"
      Effect = "Allow"
      Action = ["lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"]
      # Creating a mapping has no resource type: the functions limit all three actions.
      Resource  = "*"
      Condition = { ArnEquals = { "lambda:FunctionArn" = [module.router.function_arn_static, module.consumer.function_arn_static] } }
    },
    {
      Sid      = "TagMappings"
      Effect   = "Allow"
      Action   = ["lambda:ListTags", "lambda:TagResource"]
      Resource = "arn:${local.partition}:lambda:${local.region}:${local.account_id}:event-source-mapping:*"
    },
    # `verify` reports whether others than the consumer may assume the role of a tenant.
    { Sid = "ReadTrust", Effect = "Allow", Action = "iam:GetRole", Resource = local.files_role_arn },
    {
      Sid    = "FindWhatThereIs"
      Effect = "Allow"
      Action = ["lambda:ListEventSourceMappings", "s3:ListAllMyBuckets", "sqs:ListQueues"]
      # None of the three actions has a resource type.
      Resource = "*"
    },
  ], module.key.statements.write_objects, module.key.statements.send_messages, module.key.statements.write_items)
  manager_policy_json = jsonencode({ Version = "2012-10-17", Statement = local.manager_statements })

  # The maximum permissions of the manager, whatever else it is given. Denials are needed as well: a boundary
  # does not limit the policy of a bucket, a queue or a role that names a user or a session itself.
  manager_boundary_json = jsonencode({ Version = "2012-10-17", Statement = concat(local.manager_statements, [
    { Sid = "NoFiles", Effect = "Deny", Action = "s3:GetObject*", Resource = "${local.group_bucket_arn}/*" },
    {
      Sid      = "NoMessages"
      Effect   = "Deny"
      Action   = "sqs:ReceiveMessage"
      Resource = ["${local.queue_arn_prefix}-tg-*", "${local.queue_arn_prefix}-tenant-*"]
    },
    { Sid = "NoForgedEvents", Effect = "Deny", Action = "sqs:SendMessage", Resource = concat(local.raw_queues, local.dead_letter_queues) },
    { Sid = "NobodyElse", Effect = "Deny", Action = "sts:AssumeRole*", Resource = "*" },
  ]) })
}

resource "aws_ssm_parameter" "platform" {
  name        = local.platform_name
  description = "Settings of event-pipelines tenants for groups and tenants"
  type        = "String"
  # The document holds no secret, also with `kms_key`, and a plan should show its changes.
  insecure_value = local.platform
  tags           = var.tags

  lifecycle {
    precondition {
      # The rest of the document never takes more than the other half of a parameter's limit, and
      # only its tags are known before resources are created.
      condition = length(jsonencode(local.platform_tags)) <= 2048
      error_message = join(" ", [
        "The tags of resources that are created at run time take ${length(jsonencode(local.platform_tags))} characters as JSON and the",
        "platform document has room for 2048: set fewer or shorter ones; default_tags of the provider count, too.",
      ])
    }
    precondition {
      condition = var.queues.message_retention_seconds > local.longest_tries_seconds
      error_message = join(" ", [
        "queues.message_retention_seconds must be above ${local.longest_tries_seconds}, what ${var.queues.max_receive_count} tries of 6",
        "x ${max(var.router.timeout_seconds, var.consumer.timeout_seconds)} seconds may take: messages would be deleted instead of",
        "becoming dead letters.",
      ])
    }
    precondition {
      condition = 2 * local.file_seconds <= var.consumer.timeout_seconds
      error_message = join(" ", [
        "A file of ${var.consumer.max_file_mb} MB (consumer.max_file_mb) takes up to ${ceil(local.file_seconds)} seconds with",
        "consumer.memory_size_mb = ${var.consumer.memory_size_mb}, and it may take half of consumer.timeout_seconds,",
        "${var.consumer.timeout_seconds / 2}: lower the first, or raise one of the others.",
      ])
    }
  }
}

resource "aws_iam_policy" "manager" {
  name        = local.manager_policy
  path        = var.iam_path
  description = "What event-pipelines tenants needs in ${local.region}, and nothing else"
  policy      = local.manager_policy_json
  tags        = var.tags

  lifecycle {
    precondition {
      condition = length(local.manager_policy_json) <= 6144
      error_message = join(" ", [
        "The policy ${local.manager_policy} has ${length(local.manager_policy_json)} characters and IAM takes 6144: shorten name_prefix,",
        "which every ARN in it repeats.",
      ])
    }
  }
}
