# import/customers.csv -> bucket notification -> imports queue -> split_csv -> rows queue -> load_csv_rows -> items table

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  # Provider 5 has no `region` attribute here, provider 6 deprecates the others.
  region     = lookup(data.aws_region.current, "region", data.aws_region.current.id)
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition

  name             = "${var.name_prefix}-csv"
  bucket           = "${local.name}-${local.account_id}-${local.region}"
  bucket_arn       = "arn:${local.partition}:s3:::${local.bucket}"
  items_table      = "${local.name}-items"
  items_table_arn  = "arn:${local.partition}:dynamodb:${local.region}:${local.account_id}:table/${local.items_table}"
  ledger_table     = "${local.name}-ledger"
  ledger_table_arn = "arn:${local.partition}:dynamodb:${local.region}:${local.account_id}:table/${local.ledger_table}"

  # S3 compares suffixes case by case: .csv, .CSV and .Csv are three filters.
  suffixes = flatten([
    for suffix in [".csv", ".csv.gz"] : [
      for letters in setproduct([for letter in split("", suffix) : distinct([letter, upper(letter)])]...) : join("", letters)
    ]
  ])

  # Conditions differ in type, and merge() keeps each value's own.
  defaults = merge(
    { for name, value in var.defaults : name => value.string if value.string != null },
    { for name, value in var.defaults : name => value.number if value.number != null },
    { for name, value in var.defaults : name => value.bool if value.bool != null },
  )

  # What a file is held against before its first row is sent; empty is what the function assumes.
  expected_file = {
    for name, value in {
      DELIMITER   = var.dialect.delimiter
      QUOTE       = var.dialect.quote == "" ? "none" : var.dialect.quote
      ESCAPE      = var.dialect.escape
      COMMENT     = var.dialect.comment
      SKIP_LINES  = tostring(var.dialect.skip_lines)
      HEADER      = jsonencode(var.dialect.header)
      ENCODING    = var.dialect.encoding
      TRIM        = var.dialect.trim
      HASH_KEY    = var.table.hash_key
      KEY_COLUMNS = join(",", var.key_columns)
      COLUMNS     = jsonencode(var.columns)
      DEFAULTS    = jsonencode(local.defaults)

      EXPIRES_AFTER_DAYS = var.expires_after_days == null ? "" : tostring(var.expires_after_days)
    } : name => value if value != ""
  }

  # Rows that are longer than a message wait here, as long as their messages may.
  large_rows_prefix = "large-rows/"

  # As long as SQS keeps anything: a weak table may need all of it.
  rows_retention_seconds = 1209600

  # --- What the pace amounts to, in rows per second

  workers       = var.pace.one_at_a_time ? 1 : coalesce(var.pace.maximum_concurrency, 5)
  units_per_row = ceil(var.pace.item_size_kb)
  # 80 % of a provisioned table is what the functions take; a new on-demand table takes 4000 units.
  table_rows_per_second = (var.pace.table_write_capacity == null ? 4000 : var.pace.table_write_capacity * 0.8) / local.units_per_row
  table_share           = local.table_rows_per_second / local.workers
  # What a function manages on a table without limits, by its memory and so by its processor; an
  # estimate on the safe side. A conditional write takes a call of its own.
  function_rows_per_second = min(var.load.memory_size_mb, 1769) * (var.write_mode == "overwrite" ? 2 : 0.5)
  worker_rows_per_second   = min(local.table_share, local.function_rows_per_second)
  # All messages of an import are counted in one item of the ledger, in a transaction each.
  ledger_messages_per_second = 50
  rows_per_second            = min(local.worker_rows_per_second * local.workers, local.ledger_messages_per_second * var.rows_per_message)

  # Half of the timeout is for writing: the rest is for a cold start, throttling and bookkeeping.
  rows_per_invocation = local.worker_rows_per_second * var.load.timeout_seconds / 2
  batch_size          = coalesce(var.pace.batch_size, max(1, min(10, floor(local.rows_per_invocation / var.rows_per_message))))
  batch_rows          = local.batch_size * var.rows_per_message
  batch_seconds       = local.batch_rows / local.worker_rows_per_second
  drain_seconds       = coalesce(var.expected_rows, 0) / local.rows_per_second

  # With the prefix, so that the descriptions name commands that find this stack.
  alarm = var.alarm == null ? null : { actions = var.alarm.actions, name_prefix = var.name_prefix }

  # Nobody uses the key himself: a service does for him, with his permission and for nothing else.
  key_statements = {
    for use, terms in {
      objects  = { sid = "UseKeyOfObjects", service = "s3", actions = ["kms:Decrypt", "kms:GenerateDataKey"] }
      messages = { sid = "UseKeyOfMessages", service = "sqs", actions = ["kms:Decrypt", "kms:GenerateDataKey"] }
      notices  = { sid = "UseKeyOfNotices", service = "sns", actions = ["kms:Decrypt", "kms:GenerateDataKey"] }
      items    = { sid = "UseKeyOfItems", service = "dynamodb", actions = local.table_key_actions }
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

resource "aws_s3_bucket" "imports" {
  bucket        = local.bucket
  force_destroy = var.force_destroy_bucket
  tags          = var.tags

  lifecycle {
    precondition {
      condition     = length(local.bucket) <= 63
      error_message = "The bucket name ${local.bucket} has ${length(local.bucket)} characters and S3 allows 63: shorten name_prefix."
    }
    precondition {
      condition     = !startswith(var.import_prefix, var.rejections_prefix) && !startswith(var.rejections_prefix, var.import_prefix)
      error_message = "import_prefix (${var.import_prefix}) and rejections_prefix (${var.rejections_prefix}) must not lie inside each other: what the functions write must not be taken for an upload."
    }
  }
}

resource "aws_s3_bucket_versioning" "imports" {
  bucket = aws_s3_bucket.imports.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "imports" {
  bucket = aws_s3_bucket.imports.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "imports" {
  bucket = aws_s3_bucket.imports.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "imports" {
  bucket = aws_s3_bucket.imports.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key == null ? "AES256" : "aws:kms"
      kms_master_key_id = one(var.kms_key[*].arn)
    }
    # One key for many objects, made once in a while, instead of a call to KMS for every object.
    bucket_key_enabled = var.kms_key == null ? null : true
  }
}

resource "aws_s3_bucket_policy" "imports" {
  bucket = aws_s3_bucket.imports.id
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
  depends_on = [aws_s3_bucket_public_access_block.imports]
}

resource "aws_s3_bucket_lifecycle_configuration" "imports" {
  bucket = aws_s3_bucket.imports.id

  rule {
    id     = "expire-uploads"
    status = "Enabled"
    filter {
      prefix = var.import_prefix
    }
    expiration {
      days = var.lifecycle_days.import
    }
  }

  rule {
    id     = "expire-rejection-records"
    status = "Enabled"
    filter {
      prefix = var.rejections_prefix
    }
    expiration {
      days = var.lifecycle_days.rejections
    }
  }

  rule {
    id     = "expire-large-rows"
    status = "Enabled"
    filter {
      prefix = local.large_rows_prefix
    }
    # 14 days in the row queue, and 14 more as dead letters.
    expiration {
      days = 30
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
  depends_on = [aws_s3_bucket_versioning.imports]
}

module "notification" {
  source = "../../modules/bucket-notification"

  bucket = aws_s3_bucket.imports.id
  queues = {
    imports = {
      arn             = module.imports_queue.queue.arn
      filter_prefix   = var.import_prefix
      filter_suffixes = sort(local.suffixes)
    }
  }
  writes_back = [{ prefix = var.rejections_prefix }, { prefix = local.large_rows_prefix }]
}

# One message per file, and one more for each time that a file is not finished in one invocation.
module "imports_queue" {
  source = "../../modules/sqs-with-dlq"

  name              = "${local.name}-imports"
  consumer          = { timeout_seconds = var.split.timeout_seconds }
  max_receive_count = var.max_receive_count
  senders           = { bucket = { service = "s3", source_arn = local.bucket_arn } }
  alarm = var.alarm == null ? null : {
    actions     = var.alarm.actions
    age_seconds = var.late_after_seconds
    name_prefix = var.name_prefix
  }
  kms_key = var.kms_key
  tags    = var.tags
}

module "split" {
  source = "../../modules/lambda-consumer"

  name         = "${local.name}-split"
  description  = "Reads every CSV file uploaded below ${var.import_prefix} and sends its rows to the row queue"
  package      = var.packages.split
  code_bucket  = var.code_bucket
  handler      = var.packages.split.handler
  runtime      = var.packages.split.runtime
  architecture = var.packages.split.architecture

  memory_size_mb  = var.split.memory_size_mb
  timeout_seconds = var.split.timeout_seconds
  queue           = module.imports_queue.queue
  # A file may take all of an invocation's time, and the next one would find none left.
  batch_size          = 1
  maximum_concurrency = var.split.maximum_concurrency
  # It continues a long file through its own queue, which Lambda would take for a mistake and stop
  # after 16 turns. It counts its turns itself, and each must have got further in the file.
  recursive_loop     = "Allow"
  log_retention_days = var.log_retention_days
  alarm              = local.alarm
  kms_key            = var.kms_key
  tags               = var.tags

  environment = merge(
    {
      PIPELINE                     = "csv-import"
      POWERTOOLS_SERVICE_NAME      = "split_csv"
      POWERTOOLS_METRICS_NAMESPACE = "EventPipelines"
      ROWS_QUEUE_URL               = module.rows_queue.queue.url
      IMPORTS_QUEUE_URL            = module.imports_queue.queue.url
      LEDGER_TABLE                 = aws_dynamodb_table.ledger.name
      LEDGER_RETENTION_DAYS        = tostring(var.ledger.retention_days)
      ROWS_PER_MESSAGE             = tostring(var.rows_per_message)
      IMPORT_PREFIX                = var.import_prefix
      REJECTIONS_BUCKET            = local.bucket
      REJECTIONS_PREFIX            = var.rejections_prefix
      MAX_REJECTED_PERCENT         = tostring(var.max_rejected_percent)
      LARGE_ROWS_PREFIX            = local.large_rows_prefix
      MAX_HOPS                     = tostring(var.split.maximum_hops)
      STOP_AT_REMAINING_MS         = tostring(floor(var.split.stop_at_remaining_seconds * 1000))
    },
    local.expected_file,
    var.notices == null ? {} : { NOTICES_TOPIC_ARN = one(module.notices[*].topic_arn) },
  )

  policies = merge(
    {
      import = jsonencode({
        Version = "2012-10-17"
        Statement = concat([
          {
            # The version that the event names, however many came after it.
            Sid      = "ReadUploads"
            Effect   = "Allow"
            Action   = ["s3:GetObject", "s3:GetObjectVersion"]
            Resource = "${local.bucket_arn}/${var.import_prefix}*"
          },
          {
            # Without it S3 answers 403 instead of 404 for a missing key, and a deleted upload would
            # look like a broken permission. No condition on the prefix: what S3 compares with it when
            # it makes this choice is not documented.
            Sid      = "TellMissingFromForbidden"
            Effect   = "Allow"
            Action   = "s3:ListBucket"
            Resource = local.bucket_arn
          },
          {
            Sid      = "RecordRejectionsAndStoreLargeRows"
            Effect   = "Allow"
            Action   = "s3:PutObject"
            Resource = ["${local.bucket_arn}/${var.rejections_prefix}*", "${local.bucket_arn}/${local.large_rows_prefix}*"]
          },
          {
            Sid      = "SendRowsAndContinue"
            Effect   = "Allow"
            Action   = "sqs:SendMessage"
            Resource = [module.rows_queue.queue_arn_static, module.imports_queue.queue_arn_static]
          },
          {
            Sid      = "KeepLedger"
            Effect   = "Allow"
            Action   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
            Resource = local.ledger_table_arn
          },
        ], local.key_statements.objects, local.key_statements.messages, local.key_statements.items)
      })
    },
    local.notices_policy,
  )
}

# The buffer: what the table cannot take yet waits here, and nothing is lost meanwhile.
module "rows_queue" {
  source = "../../modules/sqs-with-dlq"

  name = "${local.name}-rows"
  # Lambda works on one batch of a message group at a time, and the splitter puts all rows into one.
  fifo = var.pace.one_at_a_time ? {} : null
  consumer = {
    timeout_seconds         = var.load.timeout_seconds
    batching_window_seconds = var.pace.batching_window_seconds
  }
  message_retention_seconds = local.rows_retention_seconds
  max_receive_count         = var.max_receive_count
  # Waiting is what the queue is for; half of the time that it can wait is when someone must know.
  alarm = var.alarm == null ? null : {
    actions     = var.alarm.actions
    age_seconds = local.rows_retention_seconds / 2
    name_prefix = var.name_prefix
  }
  kms_key = var.kms_key
  tags    = var.tags
}

module "load" {
  source = "../../modules/lambda-consumer"

  name         = "${local.name}-load"
  description  = "Writes the rows of CSV files into ${local.items_table}"
  package      = var.packages.load
  code_bucket  = var.code_bucket
  handler      = var.packages.load.handler
  runtime      = var.packages.load.runtime
  architecture = var.packages.load.architecture

  memory_size_mb          = var.load.memory_size_mb
  timeout_seconds         = var.load.timeout_seconds
  queue                   = module.rows_queue.queue
  batch_size              = local.batch_size
  batching_window_seconds = var.pace.batching_window_seconds
  # With one message group the queue itself sees to it, and Lambda takes no bound below 2.
  maximum_concurrency = var.pace.one_at_a_time ? null : local.workers
  log_retention_days  = var.log_retention_days
  alarm               = local.alarm
  kms_key             = var.kms_key
  tags                = var.tags

  environment = merge(
    {
      PIPELINE                     = "csv-import"
      POWERTOOLS_SERVICE_NAME      = "load_csv_rows"
      POWERTOOLS_METRICS_NAMESPACE = "EventPipelines"
      TABLE_NAME                   = aws_dynamodb_table.items.name
      HASH_KEY                     = var.table.hash_key
      LEDGER_TABLE                 = aws_dynamodb_table.ledger.name
      LEDGER_RETENTION_DAYS        = tostring(var.ledger.retention_days)
      COLUMNS                      = jsonencode(var.columns)
      UNKNOWN_COLUMNS              = var.unknown_columns
      DEFAULTS                     = jsonencode(local.defaults)
      WRITE_MODE                   = var.write_mode
      REJECTIONS_BUCKET            = local.bucket
      REJECTIONS_PREFIX            = var.rejections_prefix
      LARGE_ROWS_PREFIX            = local.large_rows_prefix
      TRIM                         = var.dialect.trim
      MISSING_CELLS                = var.dialect.missing
      DECIMAL                      = var.dialect.decimal
      EMPTY_CELLS                  = var.dialect.empty
      EXPIRES_AFTER_DAYS           = tostring(coalesce(var.expires_after_days, 0))
      MAX_REJECTED_PERCENT         = tostring(var.max_rejected_percent)
      TABLE_WRITE_CAPACITY         = tostring(coalesce(var.pace.table_write_capacity, 0))
      MAXIMUM_CONCURRENCY          = tostring(local.workers)
    },
    length(var.key_columns) == 0 ? {} : { KEY_COLUMNS = join(",", var.key_columns) },
    var.notices == null ? {} : { NOTICES_TOPIC_ARN = one(module.notices[*].topic_arn) },
  )

  policies = merge(
    {
      import = jsonencode({
        Version = "2012-10-17"
        Statement = concat([
          {
            # A condition on what is there already goes with single writes only.
            Sid      = "WriteItems"
            Effect   = "Allow"
            Action   = var.write_mode == "overwrite" ? "dynamodb:BatchWriteItem" : "dynamodb:PutItem"
            Resource = local.items_table_arn
          },
          {
            # Transactions need no action beyond those of the writes in them.
            Sid      = "KeepLedger"
            Effect   = "Allow"
            Action   = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
            Resource = local.ledger_table_arn
          },
          {
            Sid      = "ReadLargeRows"
            Effect   = "Allow"
            Action   = "s3:GetObject"
            Resource = "${local.bucket_arn}/${local.large_rows_prefix}*"
          },
          {
            Sid      = "RecordRejections"
            Effect   = "Allow"
            Action   = "s3:PutObject"
            Resource = "${local.bucket_arn}/${var.rejections_prefix}*"
          },
        ], local.key_statements.objects, local.key_statements.items)
      })
    },
    local.notices_policy,
  )
}

resource "aws_dynamodb_table" "items" {
  name                        = local.items_table
  deletion_protection_enabled = var.table.deletion_protection
  tags                        = var.tags

  billing_mode   = var.pace.table_write_capacity == null ? "PAY_PER_REQUEST" : "PROVISIONED"
  write_capacity = var.pace.table_write_capacity
  read_capacity  = var.pace.table_write_capacity == null ? null : var.table.read_capacity

  hash_key = var.table.hash_key

  attribute {
    name = var.table.hash_key
    type = "S"
  }

  dynamic "ttl" {
    for_each = var.expires_after_days[*]
    content {
      attribute_name = "expires_at"
      enabled        = true
    }
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

  lifecycle {
    precondition {
      condition = local.batch_rows <= local.rows_per_invocation
      error_message = join("", [
        "A batch of ${local.batch_size} x ${var.rows_per_message} rows takes a load function ${ceil(local.batch_seconds)} seconds at ${format("%.3g", local.worker_rows_per_second)} rows a second",
        " (${local.workers} at a time, ${local.units_per_row} write units a row by pace.item_size_kb), and it may take half of load.timeout_seconds, ${var.load.timeout_seconds / 2}: ",
        join(", or ", compact([
          local.batch_size > 1 && local.rows_per_invocation >= var.rows_per_message ? "lower pace.batch_size to ${floor(local.rows_per_invocation / var.rows_per_message)}" : "",
          local.rows_per_invocation >= local.batch_size ? "lower rows_per_message to ${floor(local.rows_per_invocation / local.batch_size)}" : "",
          local.batch_seconds <= 450 ? "raise load.timeout_seconds to ${ceil(local.batch_seconds * 2)}" : "",
          local.workers > 1 && local.table_share < local.function_rows_per_second ? "let fewer run at a time (pace.maximum_concurrency, pace.one_at_a_time)" : "",
          local.table_share >= local.function_rows_per_second ? "raise load.memory_size_mb" : "raise pace.table_write_capacity",
        ])),
        ".",
      ])
    }
    precondition {
      condition = local.drain_seconds <= local.rows_retention_seconds
      error_message = join(" ", [
        "${coalesce(var.expected_rows, 0)} rows (expected_rows) take ${format("%.3g", local.drain_seconds / 86400)} days at ${format("%.3g", local.rows_per_second)} rows a second,",
        "and the row queue deletes what has waited for ${local.rows_retention_seconds / 86400} days: raise what bounds the pace (pace.table_write_capacity, pace.maximum_concurrency, rows_per_message), or import fewer rows at a time.",
      ])
    }
  }
}

# How far each import is: one item per import, and one for each message that was loaded.
resource "aws_dynamodb_table" "ledger" {
  name                        = local.ledger_table
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = var.ledger.deletion_protection
  tags                        = var.tags

  hash_key  = "import_id"
  range_key = "part"

  attribute {
    name = "import_id"
    type = "S"
  }
  attribute {
    name = "part"
    type = "S"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
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

module "notices" {
  source = "../../modules/sns-filtered-fanout"
  count  = var.notices == null ? 0 : 1

  name              = "${local.name}-notices"
  email_subscribers = var.notices.email_subscribers
  kms_key           = var.kms_key
  tags              = var.tags
}

locals {
  notices_policy = var.notices == null ? {} : {
    notices = jsonencode({
      Version = "2012-10-17"
      Statement = concat([{
        Sid      = "TellOfEndedImports"
        Effect   = "Allow"
        Action   = "sns:Publish"
        Resource = one(module.notices[*].topic_arn_static)
      }], local.key_statements.notices)
    })
  }
}

# --- Alarms beside those of the queues and functions

resource "aws_cloudwatch_metric_alarm" "rejected" {
  count = var.alarm == null ? 0 : 1

  alarm_name = "${local.name}-rejections"
  alarm_description = join(" ", [
    "${var.alarm.rejections} or more files or messages were refused as a whole within 5 minutes: not CSV, or not in an encoding that is read.",
    "Nothing tries them again, for it would end the same way: a record of each says why.",
    "Run `event-pipelines imports list --prefix ${var.name_prefix}` for which and why; upload a mended file to import it.",
  ])

  namespace   = "EventPipelines"
  metric_name = "Rejected"
  dimensions  = { pipeline = "csv-import" }
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

resource "aws_cloudwatch_metric_alarm" "rows_rejected" {
  count = var.alarm == null ? 0 : 1

  alarm_name = "${local.name}-row-rejections"
  alarm_description = join(" ", [
    "${var.alarm.rejections} or more rows were refused within 5 minutes: a cell does not fit its column, a key is missing, or a line is no row. The other rows of their files are loaded.",
    "Run `event-pipelines imports list --prefix ${var.name_prefix}` for the imports,",
    "and `event-pipelines imports rejections ID --prefix ${var.name_prefix}` for their rows as CSV, to mend and import again.",
  ])

  namespace   = "EventPipelines"
  metric_name = "RowsRejected"
  dimensions  = { pipeline = "csv-import" }
  statistic   = "Sum"
  period      = 300

  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.alarm.rejections
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm.actions
  ok_actions    = var.alarm.actions

  tags = var.tags
}

resource "aws_cloudwatch_metric_alarm" "empty" {
  count = var.alarm == null ? 0 : 1

  alarm_name = "${local.name}-imports-empty"
  alarm_description = join(" ", [
    "An import was complete within 5 minutes and nothing of it was loaded: every row of the file was rejected.",
    "Run `event-pipelines imports list --prefix ${var.name_prefix}` for which,",
    "and `event-pipelines imports rejections ID --prefix ${var.name_prefix}` for the reasons; correct the settings or the file, and upload it again.",
  ])

  namespace   = "EventPipelines"
  metric_name = "ImportsEmpty"
  dimensions  = { pipeline = "csv-import" }
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

resource "aws_cloudwatch_metric_alarm" "failed" {
  count = var.alarm == null ? 0 : 1

  alarm_name = "${local.name}-imports-failed"
  alarm_description = join(" ", [
    "An import ended as failed within 5 minutes: its file was refused, or more than ${var.max_rejected_percent} % of its rows were.",
    "Rows that were loaded stay loaded. Run `event-pipelines imports list --prefix ${var.name_prefix}` for which,",
    "and `event-pipelines imports show ID --prefix ${var.name_prefix}` for the reason; upload a mended file to import it.",
  ])

  namespace   = "EventPipelines"
  metric_name = "ImportsFailed"
  dimensions  = { pipeline = "csv-import" }
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

# An import stands still when rows wait and none is loaded, and of a queue neither alone is wrong: rows
# wait in every import, and none is loaded while nothing is imported. Hence two alarms that tell nobody,
# and one that tells of both.
resource "aws_cloudwatch_metric_alarm" "rows_waiting" {
  count = var.alarm == null ? 0 : 1

  alarm_name        = "${local.name}-rows-waiting"
  alarm_description = "Rows have waited in ${module.rows_queue.queue.name} for ${var.stalled_after_seconds} seconds without a break. Tells nobody: it is half of ${local.name}-import-stalled."

  namespace   = "AWS/SQS"
  metric_name = "ApproximateNumberOfMessagesVisible"
  dimensions  = { QueueName = module.rows_queue.queue.name }
  statistic   = "Minimum"
  period      = 300

  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = var.stalled_after_seconds / 300
  # SQS stops reporting a queue that was idle for hours.
  treat_missing_data = "notBreaching"

  tags = var.tags
}

resource "aws_cloudwatch_metric_alarm" "no_rows_loaded" {
  count = var.alarm == null ? 0 : 1

  alarm_name        = "${local.name}-no-rows-loaded"
  alarm_description = "No message of ${module.rows_queue.queue.name} was finished for ${var.stalled_after_seconds} seconds, as is right while nothing is imported. Tells nobody: it is half of ${local.name}-import-stalled."

  namespace   = "AWS/SQS"
  metric_name = "NumberOfMessagesDeleted"
  dimensions  = { QueueName = module.rows_queue.queue.name }
  statistic   = "Sum"
  period      = 300

  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = var.stalled_after_seconds / 300
  treat_missing_data  = "breaching"

  tags = var.tags
}

resource "aws_cloudwatch_composite_alarm" "stalled" {
  count = var.alarm == null ? 0 : 1

  alarm_name = "${local.name}-import-stalled"
  alarm_description = join(" ", [
    "Rows have waited for ${var.stalled_after_seconds} seconds and not one message of them was finished, though a batch takes no more than half of ${var.load.timeout_seconds} seconds:",
    "${local.name}-load does not run, or its table takes nothing.",
    "Nothing is lost before the ${local.rows_retention_seconds / 86400} days of the queue are over.",
    "Run `event-pipelines imports list --prefix ${var.name_prefix}` and `event-pipelines queues list --prefix ${var.name_prefix}`,",
    "then look at the errors and throttles of ${local.name}-load and the throttled writes of ${local.items_table}.",
  ])

  alarm_rule = join(" AND ", [
    for name in [
      one(aws_cloudwatch_metric_alarm.rows_waiting[*].alarm_name),
      one(aws_cloudwatch_metric_alarm.no_rows_loaded[*].alarm_name),
    ] : "ALARM(\"${name}\")"
  ])

  alarm_actions = var.alarm.actions
  ok_actions    = var.alarm.actions

  tags = var.tags
}
