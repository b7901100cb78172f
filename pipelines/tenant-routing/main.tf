# a group's bucket -> its ingest queue -> route_tenant_event -> the tenant's queue -> process_tenant_file -> the tenant's silver files
#
# Buckets, queues and their mappings come and go with groups and tenants: `event-pipelines tenants` makes
# them at run time, named after the patterns below, and reads what it has to know from the platform document.

data "aws_caller_identity" "current" {}
data "aws_default_tags" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  # Provider 5 has no `region` attribute here, provider 6 deprecates the others.
  region     = lookup(data.aws_region.current, "region", data.aws_region.current.id)
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition

  name         = "${var.name_prefix}-tenants"
  groups_table = "${var.name_prefix}-TenantGroups"
  # Not local.name with another ending: the command line and people look for these two side by side.
  tenants_table     = "${var.name_prefix}-Tenants"
  groups_table_arn  = "arn:${local.partition}:dynamodb:${local.region}:${local.account_id}:table/${local.groups_table}"
  tenants_table_arn = "arn:${local.partition}:dynamodb:${local.region}:${local.account_id}:table/${local.tenants_table}"
  platform_name     = "/${var.name_prefix}/tenants/platform"

  # Roles and policies are global: a second region would find these names taken without its own in them.
  files_role       = "${local.name}-files-${local.region}"
  files_role_arn   = "arn:${local.partition}:iam::${local.account_id}:role/${local.files_role}"
  manager_policy   = "${local.name}-manager-${local.region}"
  bucket_suffix    = "-${local.account_id}-${local.region}"
  group_bucket     = "${var.name_prefix}-tg-*${local.bucket_suffix}"
  group_bucket_arn = "arn:${local.partition}:s3:::${local.group_bucket}"
  tenant_files_arn = "arn:${local.partition}:s3:::${var.name_prefix}-tg-$${aws:PrincipalTag/group}${local.bucket_suffix}/$${aws:PrincipalTag/tenant}"

  queue_arn_prefix   = "arn:${local.partition}:sqs:${local.region}:${local.account_id}:${var.name_prefix}"
  ingest_queues      = "${local.queue_arn_prefix}-tg-*-ingest"
  raw_queues         = ["${local.queue_arn_prefix}-tenant-*-raw", "${local.queue_arn_prefix}-tg-*-raw"]
  all_queues         = concat([local.ingest_queues], local.raw_queues)
  dead_letter_queues = [for arn in local.all_queues : "${arn}-dlq"]

  # The longest that leaves "-tg-", the group, account and region room in the 63 characters of a bucket name.
  max_group_name_length = min(40, 63 - length("${var.name_prefix}-tg-${local.bucket_suffix}"))

  quarantine_retention_seconds = 1209600

  # A file may be overwritten while the event of its older version waits: in the ingest queue, in
  # quarantine, once more in the ingest queue, and in its tenant's.
  longest_wait_seconds = local.quarantine_retention_seconds + 3 * var.queues.message_retention_seconds
  longest_tries_seconds = (
    var.queues.max_receive_count * 6 * max(var.router.timeout_seconds, var.consumer.timeout_seconds)
  )

  # What converting a file takes at most, an estimate on the safe side: a whole core does it in 1 MB a second.
  file_seconds = var.consumer.max_file_mb * 1769 / min(var.consumer.memory_size_mb, 1769)

  poll_actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]

  # With the prefix, so that the descriptions name commands that find this stack.
  alarm = var.alarm == null ? null : { actions = var.alarm.actions, name_prefix = var.name_prefix }

  # Nobody uses the key himself: a service does for him, with his permission and for nothing else.
  key_statements = {
    for use, terms in {
      objects    = { sid = "UseKeyOfObjects", service = "s3", actions = ["kms:Decrypt", "kms:GenerateDataKey"] }
      messages   = { sid = "UseKeyOfMessages", service = "sqs", actions = ["kms:Decrypt", "kms:GenerateDataKey"] }
      received   = { sid = "OpenMessages", service = "sqs", actions = ["kms:Decrypt"] }
      items      = { sid = "UseKeyOfItems", service = "dynamodb", actions = local.table_key_actions }
      read_items = { sid = "OpenItems", service = "dynamodb", actions = ["kms:Decrypt", "kms:DescribeKey"] }
      } : use => [
      for key in var.kms_key[*] : {
        Sid       = terms.sid
        Effect    = "Allow"
        Action    = terms.actions
        Resource  = key.arn
        Condition = { StringEquals = { "kms:ViaService" = "${terms.service}.${local.region}.${data.aws_partition.current.dns_suffix}" } }
      }
    ]
  }

  # What DynamoDB asks of whoever reads and writes, after
  # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html, and without
  # kms:CreateGrant, which is for whoever makes the table.
  table_key_actions = [
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
  ]
}

# --- The registry

resource "aws_dynamodb_table" "groups" {
  name                        = local.groups_table
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = var.registry.deletion_protection
  tags                        = var.tags

  hash_key = "GroupName"

  attribute {
    name = "GroupName"
    type = "S"
  }

  dynamic "server_side_encryption" {
    for_each = var.kms_key[*]
    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value.arn
    }
  }

  point_in_time_recovery {
    enabled = true
  }
}

resource "aws_dynamodb_table" "tenants" {
  name                        = local.tenants_table
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = var.registry.deletion_protection
  tags                        = var.tags

  hash_key = "Name"

  attribute {
    name = "Name"
    type = "S"
  }
  attribute {
    name = "GroupName"
    type = "S"
  }

  global_secondary_index {
    name            = "by_group"
    hash_key        = "GroupName"
    range_key       = "Name"
    projection_type = "ALL"
  }

  dynamic "server_side_encryption" {
    for_each = var.kms_key[*]
    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value.arn
    }
  }

  point_in_time_recovery {
    enabled = true
  }
}

# --- From a group's ingest queue to the tenants' queues

module "router" {
  source = "../../modules/lambda-consumer"

  name         = "${local.name}-route"
  description  = "Sends every event of the groups' buckets to its tenant's queue, or to ${local.name}-quarantine"
  package      = var.packages.route
  code_bucket  = var.code_bucket
  handler      = var.packages.route.handler
  runtime      = var.packages.route.runtime
  architecture = var.packages.route.architecture

  memory_size_mb     = var.router.memory_size_mb
  timeout_seconds    = var.router.timeout_seconds
  log_retention_days = var.log_retention_days
  alarm              = local.alarm
  kms_key            = var.kms_key
  tags               = var.tags

  environment = {
    PIPELINE                     = "tenant-routing"
    POWERTOOLS_SERVICE_NAME      = "route_tenant_event"
    POWERTOOLS_METRICS_NAMESPACE = "EventPipelines"
    GROUPS_TABLE                 = aws_dynamodb_table.groups.name
    TENANTS_TABLE                = aws_dynamodb_table.tenants.name
    QUARANTINE_QUEUE_URL         = module.quarantine.queue.url
    CACHE_SECONDS                = tostring(var.cache.seconds)
    NEGATIVE_CACHE_SECONDS       = tostring(var.cache.negative_seconds)
    STALE_SECONDS                = tostring(var.cache.stale_seconds)
  }

  policies = {
    poll = jsonencode({
      Version = "2012-10-17"
      Statement = concat(
        [for statement in local.poll_statements : merge(statement, { Resource = local.ingest_queues })],
        local.key_statements.received,
      )
    })
    route = jsonencode({
      Version = "2012-10-17"
      Statement = concat([
        {
          Sid      = "LookUp"
          Effect   = "Allow"
          Action   = "dynamodb:BatchGetItem"
          Resource = [local.groups_table_arn, local.tenants_table_arn]
        },
        {
          Sid      = "Route"
          Effect   = "Allow"
          Action   = "sqs:SendMessage"
          Resource = concat(local.raw_queues, [module.quarantine.queue_arn_static])
        },
      ], local.key_statements.messages, local.key_statements.read_items)
    })
  }
}

# What belongs to no tenant that may have it waits here for a person. Nobody is in a hurry to empty it,
# so it keeps what it gets for as long as SQS can, and looking at it a thousand times loses nothing.
module "quarantine" {
  source = "../../modules/sqs-with-dlq"

  name                      = "${local.name}-quarantine"
  message_retention_seconds = local.quarantine_retention_seconds
  max_receive_count         = 1000
  alarm                     = local.alarm
  kms_key                   = var.kms_key
  tags                      = var.tags
}

# --- From a tenant's queue to the tenant's files

module "consumer" {
  source = "../../modules/lambda-consumer"

  name         = "${local.name}-process"
  description  = "Turns every raw file of a tenant into its silver one, as that tenant and no other"
  package      = var.packages.process
  code_bucket  = var.code_bucket
  handler      = var.packages.process.handler
  runtime      = var.packages.process.runtime
  architecture = var.packages.process.architecture

  memory_size_mb       = var.consumer.memory_size_mb
  timeout_seconds      = var.consumer.timeout_seconds
  ephemeral_storage_mb = var.consumer.ephemeral_storage_mb
  log_retention_days   = var.log_retention_days
  alarm                = local.alarm
  kms_key              = var.kms_key
  tags                 = var.tags

  environment = {
    PIPELINE                     = "tenant-routing"
    POWERTOOLS_SERVICE_NAME      = "process_tenant_file"
    POWERTOOLS_METRICS_NAMESPACE = "EventPipelines"
    TENANTS_TABLE                = aws_dynamodb_table.tenants.name
    TENANT_ROLE_ARN              = local.files_role_arn
    QUEUE_PREFIX                 = var.name_prefix
    MAX_FILE_MB                  = tostring(var.consumer.max_file_mb)
  }

  # No permission for any file: those are the tenant's, and only who says which tenant's gets them.
  policies = {
    poll = jsonencode({
      Version = "2012-10-17"
      Statement = concat(
        [for statement in local.poll_statements : merge(statement, { Resource = local.raw_queues })],
        local.key_statements.received,
      )
    })
    process = jsonencode({
      Version = "2012-10-17"
      Statement = concat([
        {
          Sid      = "LookUp"
          Effect   = "Allow"
          Action   = "dynamodb:GetItem"
          Resource = local.tenants_table_arn
        },
        {
          Sid      = "ActAsTenant"
          Effect   = "Allow"
          Action   = ["sts:AssumeRole", "sts:TagSession"]
          Resource = local.files_role_arn
        },
      ], local.key_statements.read_items)
    })
  }
}

locals {
  # Lambda polls in the role that the code has, too. It marks what the code does, and not its polling,
  # so that the queues are open to the one and shut to the other.
  poll_statements = [
    {
      Sid    = "Poll"
      Effect = "Allow"
      Action = local.poll_actions
    },
    {
      Sid       = "ButNotTheCode"
      Effect    = "Deny"
      Action    = local.poll_actions
      Condition = { ArnLike = { "lambda:SourceFunctionArn" = "arn:${local.partition}:lambda:*:*:function:*" } }
    },
  ]
}

# One role for all tenants: what a session in it may do follows from the two tags it was opened with.
resource "aws_iam_role" "files" {
  name        = local.files_role
  description = "Assumed by ${local.name}-process in ${local.region} for one tenant at a time"

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
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
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
        Sid      = "RecordRejections"
        Effect   = "Allow"
        Action   = "s3:PutObject"
        Resource = "${local.tenant_files_arn}/rejected/*"
      },
    ], local.key_statements.objects)
  })
}

# --- What `event-pipelines tenants` works with

resource "aws_ssm_parameter" "platform" {
  name        = local.platform_name
  description = "What event-pipelines tenants makes groups and tenants with"
  type        = "String"
  # Nothing in it is a secret, also with `kms_key`, and the plan is to show what changes.
  insecure_value = local.platform
  tags           = var.tags

  lifecycle {
    precondition {
      # The rest of the document never takes more than the other half of what a parameter takes, and
      # only its tags are known before anything is made.
      condition     = length(jsonencode(local.platform_tags)) <= 2048
      error_message = "The tags for what is made at run time take ${length(jsonencode(local.platform_tags))} characters as JSON and the platform document has room for 2048: set fewer or shorter ones; default_tags of the provider count, too."
    }
    precondition {
      condition     = var.queues.message_retention_seconds > local.longest_tries_seconds
      error_message = "queues.message_retention_seconds must be above ${local.longest_tries_seconds}, what ${var.queues.max_receive_count} tries of 6 x ${max(var.router.timeout_seconds, var.consumer.timeout_seconds)} seconds may take: what still fails then would be deleted instead of becoming a dead letter."
    }
    precondition {
      condition     = 2 * local.file_seconds <= var.consumer.timeout_seconds
      error_message = "A file of ${var.consumer.max_file_mb} MB (consumer.max_file_mb) takes up to ${ceil(local.file_seconds)} seconds with consumer.memory_size_mb = ${var.consumer.memory_size_mb}, and it may take half of consumer.timeout_seconds, ${var.consumer.timeout_seconds / 2}: lower the first, or raise one of the others."
    }
  }
}

resource "aws_iam_policy" "manager" {
  name        = local.manager_policy
  description = "What event-pipelines tenants needs in ${local.region}, and nothing else"
  policy      = local.manager_policy_json
  tags        = var.tags

  lifecycle {
    precondition {
      condition     = length(local.manager_policy_json) <= 6144
      error_message = "The policy ${local.manager_policy} has ${length(local.manager_policy_json)} characters and IAM takes 6144: shorten name_prefix, which every ARN in it repeats."
    }
  }
}

locals {
  # What is made at run time is tagged like what is made here.
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
    queue_mode            = var.queue_mode
    cache                 = var.cache
    max_group_name_length = local.max_group_name_length
    tags                  = local.platform_tags
  }))

  manager_policy_json = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid      = "ReadPlatform"
        Effect   = "Allow"
        Action   = "ssm:GetParameter"
        Resource = "arn:${local.partition}:ssm:${local.region}:${local.account_id}:parameter${local.platform_name}"
      },
      {
        # A tenant is written only into a group that is active: a transaction with a condition check.
        Sid    = "KeepRegistry"
        Effect = "Allow"
        Action = [
          "dynamodb:DeleteItem",
          "dynamodb:GetItem",
          "dynamodb:PutItem",
          "dynamodb:Scan",
          "dynamodb:UpdateItem",
        ]
        Resource = [local.groups_table_arn, local.tenants_table_arn]
      },
      {
        Sid      = "CheckGroup"
        Effect   = "Allow"
        Action   = "dynamodb:ConditionCheckItem"
        Resource = local.groups_table_arn
      },
      {
        Sid      = "ListTenantsOfGroup"
        Effect   = "Allow"
        Action   = "dynamodb:Query"
        Resource = "${local.tenants_table_arn}/index/by_group"
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
        # No permission to read one: whether a file is there, the bucket's list says.
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
        Action   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"]
        Resource = module.quarantine.queue_arn_static
      },
      {
        Sid      = "Release"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = local.ingest_queues
      },
      {
        Sid    = "KeepMappings"
        Effect = "Allow"
        Action = [
          "lambda:CreateEventSourceMapping",
          "lambda:DeleteEventSourceMapping",
          "lambda:UpdateEventSourceMapping",
        ]
        # Creating one has no resource type: what bounds all three are the functions.
        Resource  = "*"
        Condition = { ArnEquals = { "lambda:FunctionArn" = [module.router.function_arn_static, module.consumer.function_arn_static] } }
      },
      {
        Sid      = "TagMappings"
        Effect   = "Allow"
        Action   = ["lambda:ListTags", "lambda:TagResource"]
        Resource = "arn:${local.partition}:lambda:${local.region}:${local.account_id}:event-source-mapping:*"
      },
      {
        Sid    = "FindWhatThereIs"
        Effect = "Allow"
        Action = ["lambda:ListEventSourceMappings", "s3:ListAllMyBuckets", "sqs:ListQueues"]
        # None of the three has a resource type.
        Resource = "*"
      },
    ], local.key_statements.objects, local.key_statements.messages, local.key_statements.items)
  })
}

# --- Alarms beside those of the functions and the quarantine's dead letters

resource "aws_cloudwatch_metric_alarm" "quarantined" {
  count = var.alarm == null ? 0 : 1

  alarm_name = "${local.name}-quarantine-has-messages"
  alarm_description = join(" ", [
    "${local.name}-quarantine holds events that no tenant may have: of a tenant that is unknown, suspended or not ready, or with a key that names none.",
    "`event-pipelines tenants quarantine list --prefix ${var.name_prefix}` says why; create or resume the tenant and run `event-pipelines tenants quarantine release TENANT --prefix ${var.name_prefix}`,",
    "before the retention of ${local.quarantine_retention_seconds / 86400} days deletes them.",
  ])

  namespace   = "AWS/SQS"
  metric_name = "ApproximateNumberOfMessagesVisible"
  dimensions  = { QueueName = module.quarantine.queue.name }
  statistic   = "Maximum"
  period      = 60

  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 1
  # SQS stops reporting a queue that was idle for hours.
  treat_missing_data = "notBreaching"

  alarm_actions = var.alarm.actions
  ok_actions    = var.alarm.actions

  tags = var.tags
}

# The tenants' queues are made where Terraform does not see them, and so are their dead letters. Each of
# those has failed in a function first, and the functions count that.
resource "aws_cloudwatch_metric_alarm" "failed" {
  count = var.alarm == null ? 0 : 1

  alarm_name = "${local.name}-failed-records"
  alarm_description = join(" ", [
    "Events or files of tenants failed within 5 minutes and are tried again, ${var.queues.max_receive_count} times in all.",
    "${module.router.log_group_name} and ${module.consumer.log_group_name} say of which tenant and why,",
    "`event-pipelines tenants show TENANT --prefix ${var.name_prefix}` how many of them have become dead letters.",
  ])

  namespace   = "EventPipelines"
  metric_name = "Failed"
  dimensions  = { pipeline = "tenant-routing" }
  statistic   = "Sum"
  period      = 300

  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm.actions
  ok_actions    = var.alarm.actions

  tags = var.tags
}

resource "aws_cloudwatch_metric_alarm" "rejected" {
  count = var.alarm == null ? 0 : 1

  alarm_name = "${local.name}-rejections"
  alarm_description = join(" ", [
    "${var.alarm.rejections} or more files of tenants were refused within 5 minutes: not of a kind that is read, broken, or too large.",
    "Nothing tries them again, for it would end the same way: a record of each says why.",
    "The lines with outcome rejected in ${module.consumer.log_group_name} name tenant, file and record;",
    "run `event-pipelines tenants show TENANT --prefix ${var.name_prefix}` for where the tenant's files are.",
  ])

  namespace   = "EventPipelines"
  metric_name = "Rejected"
  dimensions  = { pipeline = "tenant-routing" }
  statistic   = "Sum"
  period      = 300

  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.alarm.rejections
  evaluation_periods  = 1
  # Functions count nothing while they have nothing to do.
  treat_missing_data = "notBreaching"

  alarm_actions = var.alarm.actions
  ok_actions    = var.alarm.actions

  tags = var.tags
}
