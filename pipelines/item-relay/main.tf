# script: files/ID.json, item, message -> updates queue -> update_item -> item, message -> finished queue -> service

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  # Provider 5 has no `region` attribute here, provider 6 deprecates the others.
  region     = lookup(data.aws_region.current, "region", data.aws_region.current.id)
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition

  name       = "${var.name_prefix}-relay"
  bucket     = "${local.name}-${local.account_id}-${local.region}"
  bucket_arn = "arn:${local.partition}:s3:::${local.bucket}"
  table      = "${local.name}-items"
  table_arn  = "arn:${local.partition}:dynamodb:${local.region}:${local.account_id}:table/${local.table}"

  # The script and the service find everything by name, so these are no choice.
  files_prefix      = "files/"
  rejections_prefix = "rejections/"

  # The service is one process, which may be off for a while: as long as SQS keeps anything.
  finished_retention_seconds = 1209600

  # With the prefix, so that the descriptions name commands that find this stack.
  alarm = var.alarm == null ? null : { actions = var.alarm.actions, name_prefix = var.name_prefix }

  # Nobody uses the key himself: a service does for him, with his permission and for nothing else.
  key_statements = {
    for use, terms in {
      objects      = { sid = "UseKeyOfObjects", service = "s3", actions = ["kms:Decrypt", "kms:GenerateDataKey"] }
      read_objects = { sid = "OpenObjects", service = "s3", actions = ["kms:Decrypt"] }
      messages     = { sid = "UseKeyOfMessages", service = "sqs", actions = ["kms:Decrypt", "kms:GenerateDataKey"] }
      received     = { sid = "OpenMessages", service = "sqs", actions = ["kms:Decrypt"] }
      items        = { sid = "UseKeyOfItems", service = "dynamodb", actions = local.table_key_actions }
      read_items   = { sid = "OpenItems", service = "dynamodb", actions = ["kms:Decrypt", "kms:DescribeKey"] }
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

# --- The original files

resource "aws_s3_bucket" "relay" {
  bucket        = local.bucket
  force_destroy = var.force_destroy_bucket
  tags          = var.tags

  lifecycle {
    precondition {
      condition     = length(local.bucket) <= 63
      error_message = "The bucket name ${local.bucket} has ${length(local.bucket)} characters and S3 allows 63: shorten name_prefix."
    }
  }
}

resource "aws_s3_bucket_versioning" "relay" {
  bucket = aws_s3_bucket.relay.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "relay" {
  bucket = aws_s3_bucket.relay.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "relay" {
  bucket = aws_s3_bucket.relay.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "relay" {
  bucket = aws_s3_bucket.relay.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key == null ? "AES256" : "aws:kms"
      kms_master_key_id = one(var.kms_key[*].arn)
    }
    # One key for many objects, made once in a while, instead of a call to KMS for every object.
    bucket_key_enabled = var.kms_key == null ? null : true
  }
}

resource "aws_s3_bucket_policy" "relay" {
  bucket = aws_s3_bucket.relay.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyPlainHttp"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # S3 answers a policy change with a conflict while the public access block is being written.
  depends_on = [aws_s3_bucket_public_access_block.relay]
}

resource "aws_s3_bucket_lifecycle_configuration" "relay" {
  bucket = aws_s3_bucket.relay.id

  dynamic "rule" {
    for_each = var.lifecycle_days.files[*]
    content {
      id     = "expire-files"
      status = "Enabled"
      filter {
        prefix = local.files_prefix
      }
      expiration {
        days = rule.value
      }
    }
  }

  rule {
    id     = "expire-rejection-records"
    status = "Enabled"
    filter {
      prefix = local.rejections_prefix
    }
    expiration {
      days = var.lifecycle_days.rejections
    }
  }

  rule {
    id     = "remove-leftovers"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = var.lifecycle_days.noncurrent
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = var.lifecycle_days.incomplete_upload
    }
    expiration {
      expired_object_delete_marker = true
    }
  }

  # Rules about older versions mean nothing before versions exist.
  depends_on = [aws_s3_bucket_versioning.relay]
}

# --- The items

resource "aws_dynamodb_table" "items" {
  name                        = local.table
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = var.table.deletion_protection
  tags                        = var.tags

  hash_key = "id"

  attribute {
    name = "id"
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
    enabled = var.table.point_in_time_recovery
  }
}

# --- From the script to the function

module "updates_queue" {
  source = "../../modules/sqs-with-dlq"

  name              = "${local.name}-updates"
  consumer          = { timeout_seconds = var.function.timeout_seconds }
  max_receive_count = var.max_receive_count
  alarm = var.alarm == null ? null : {
    actions     = var.alarm.actions
    age_seconds = var.late_after_seconds
    name_prefix = var.name_prefix
  }
  kms_key = var.kms_key
  tags    = var.tags
}

module "update" {
  source = "../../modules/lambda-consumer"

  name         = "${local.name}-update"
  description  = "Updates every new item of ${local.table} and sends it on to the service"
  package      = var.package
  code_bucket  = var.code_bucket
  handler      = var.package.handler
  runtime      = var.package.runtime
  architecture = var.package.architecture

  memory_size_mb  = var.function.memory_size_mb
  timeout_seconds = var.function.timeout_seconds
  queue           = module.updates_queue.queue
  batch_size      = var.function.batch_size
  # No batching window: it would come on top of the time after which a delivery that died is
  # repeated, and that has to stay below what the finished queue remembers.
  maximum_concurrency = var.function.maximum_concurrency
  log_retention_days  = var.log_retention_days
  alarm               = local.alarm
  kms_key             = var.kms_key
  tags                = var.tags

  environment = {
    PIPELINE                     = "item-relay"
    POWERTOOLS_SERVICE_NAME      = "update_item"
    POWERTOOLS_METRICS_NAMESPACE = "EventPipelines"
    TABLE_NAME                   = aws_dynamodb_table.items.name
    NEXT_QUEUE_URL               = module.finished_queue.queue.url
    FILES_BUCKET                 = local.bucket
    FILES_PREFIX                 = local.files_prefix
    REJECTIONS_BUCKET            = local.bucket
    REJECTIONS_PREFIX            = local.rejections_prefix
  }

  policies = {
    relay = jsonencode({
      Version = "2012-10-17"
      Statement = concat([
        {
          Sid      = "ReadFiles"
          Effect   = "Allow"
          Action   = "s3:GetObject"
          Resource = "${local.bucket_arn}/${local.files_prefix}*"
        },
        {
          # Without it S3 answers 403 instead of 404 for a missing key, and a deleted file would look
          # like a broken permission. No condition on the prefix: what S3 compares with it when it
          # makes this choice is not documented.
          Sid      = "TellMissingFromForbidden"
          Effect   = "Allow"
          Action   = "s3:ListBucket"
          Resource = local.bucket_arn
        },
        {
          Sid      = "RecordRejections"
          Effect   = "Allow"
          Action   = "s3:PutObject"
          Resource = "${local.bucket_arn}/${local.rejections_prefix}*"
        },
        {
          # No PutItem: what is not there is not made.
          Sid      = "UpdateItems"
          Effect   = "Allow"
          Action   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
          Resource = local.table_arn
        },
        {
          Sid      = "SendOn"
          Effect   = "Allow"
          Action   = "sqs:SendMessage"
          Resource = module.finished_queue.queue_arn_static
        },
      ], local.key_statements.objects, local.key_statements.messages, local.key_statements.items)
    })
  }
}

# --- From the function to the service

module "finished_queue" {
  source = "../../modules/sqs-with-dlq"

  name = "${local.name}-finished"
  # For its memory: a message that is sent again within five minutes is dropped. Every item is a
  # group of its own, so that none waits for another.
  fifo                       = { high_throughput = true }
  visibility_timeout_seconds = var.service.visibility_timeout_seconds
  message_retention_seconds  = local.finished_retention_seconds
  max_receive_count          = var.max_receive_count
  # Nothing else tells that the service, which is no Lambda function, has stopped.
  alarm = var.alarm == null ? null : {
    actions     = var.alarm.actions
    age_seconds = var.service.late_after_seconds
    name_prefix = var.name_prefix
  }
  kms_key = var.kms_key
  tags    = var.tags
}

# --- Who may do what

resource "aws_iam_policy" "script" {
  # IAM is global: the same stack in another region has policies and groups of its own.
  name        = "${local.name}-script-${local.region}"
  description = "What the script of ${local.name} needs in ${local.region}: store a file and its item, and say so"
  tags        = var.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        # Reading, to compare what is there when a step is repeated.
        Sid      = "StoreFiles"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = "${local.bucket_arn}/${local.files_prefix}*"
      },
      {
        Sid      = "CreateItems"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:PutItem"]
        Resource = local.table_arn
      },
      {
        Sid      = "AskForUpdates"
        Effect   = "Allow"
        Action   = ["sqs:GetQueueUrl", "sqs:SendMessage"]
        Resource = module.updates_queue.queue_arn_static
      },
    ], local.key_statements.objects, local.key_statements.messages, local.key_statements.items)
  })
}

resource "aws_iam_policy" "service" {
  name        = "${local.name}-service-${local.region}"
  description = "What the service of ${local.name} needs in ${local.region}: receive what is finished, and read the item and its file"
  tags        = var.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid      = "ReceiveFinished"
        Effect   = "Allow"
        Action   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"]
        Resource = module.finished_queue.queue_arn_static
      },
      {
        Sid      = "ReadItems"
        Effect   = "Allow"
        Action   = "dynamodb:GetItem"
        Resource = local.table_arn
      },
      {
        Sid      = "ReadFiles"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${local.bucket_arn}/${local.files_prefix}*"
      },
    ], local.key_statements.read_objects, local.key_statements.received, local.key_statements.read_items)
  })
}

resource "aws_iam_group" "script" {
  name = "${local.name}-script-${local.region}"
}

resource "aws_iam_group" "service" {
  name = "${local.name}-service-${local.region}"
}

# Who runs both with one key, to try things out.
resource "aws_iam_group" "operator" {
  name = "${local.name}-operator-${local.region}"
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

# Users and their keys are made elsewhere: the secrets would lie in Terraform's state. Per user and
# not per group, which would throw out whoever was added by hand.
resource "aws_iam_user_group_membership" "members" {
  for_each = setunion(var.members.script, var.members.service, var.members.operator)

  user = each.value
  groups = concat(
    contains(var.members.script, each.value) ? [aws_iam_group.script.name] : [],
    contains(var.members.service, each.value) ? [aws_iam_group.service.name] : [],
    contains(var.members.operator, each.value) ? [aws_iam_group.operator.name] : [],
  )
}

# --- Alarms beside those of the queues and functions

resource "aws_cloudwatch_metric_alarm" "rejected" {
  count = var.alarm == null ? 0 : 1

  alarm_name = "${local.name}-rejections"
  alarm_description = join(" ", [
    "${var.alarm.rejections} or more items were refused within 5 minutes: their message cannot be read, or their file is missing or not the one that the script stored.",
    "Nothing tries them again, for it would end the same way: a record of each says why.",
    "Run `event-pipelines items status --prefix ${var.name_prefix}` for how many items were never updated,",
    "and `aws s3 ls --recursive s3://${local.bucket}/${local.rejections_prefix}` for the records.",
  ])

  namespace   = "EventPipelines"
  metric_name = "Rejected"
  dimensions  = { pipeline = "item-relay" }
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
