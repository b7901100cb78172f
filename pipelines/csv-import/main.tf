# import/customers.csv -> bucket notification -> imports queue -> split_csv -> rows queue -> load_csv_rows -> items table

locals {
  name        = "${var.name_prefix}-csv"
  bucket      = "${local.name}-${local.account_id}-${local.region}"
  bucket_arn  = module.bucket.bucket_arn_static
  items_table = "${local.name}-items"

  # S3's suffixes are case-sensitive: .csv, .CSV and .Csv are three filters.
  suffixes = flatten([
    for suffix in [".csv", ".csv.gz"] : [
      for letters in setproduct([for letter in split("", suffix) : distinct([letter, upper(letter)])]...) : join("", letters)
    ]
  ])

  # A conditional expression would convert the values to one type; merge() keeps their types.
  defaults = merge(
    { for name, value in var.defaults : name => value.string if value.string != null },
    { for name, value in var.defaults : name => value.number if value.number != null },
    { for name, value in var.defaults : name => value.bool if value.bool != null },
  )

  # Expectations of a file, checked before its first row is sent; empty: the function's default.
  expected_file = {
    for name, value in {
      DELIMITER     = var.dialect.delimiter
      QUOTE         = var.dialect.quote == "" ? "none" : var.dialect.quote
      ESCAPE        = var.dialect.escape
      COMMENT       = var.dialect.comment
      SKIP_LINES    = tostring(var.dialect.skip_lines)
      HEADER        = jsonencode(var.dialect.header)
      ENCODING      = var.dialect.encoding
      TRIM          = var.dialect.trim
      MISSING_CELLS = var.dialect.missing
      HASH_KEY      = var.table.hash_key
      KEY_COLUMNS   = join(",", var.key_columns)
      COLUMNS       = jsonencode(var.columns)
      DEFAULTS      = jsonencode(local.defaults)

      EXPIRES_AFTER_DAYS = var.expires_after_days == null ? "" : tostring(var.expires_after_days)
    } : name => value if value != ""
  }

  # Prefix of stored rows that are longer than a message; they are kept as long as their messages.
  large_rows_prefix = "large-rows/"

  # The maximum of SQS: a slow table may need all of it.
  rows_retention_seconds = 1209600

  # Entries for the bucket's notification: that of this pipeline, or of the bucket's owner.
  notified_queues = {
    imports = {
      arn             = module.imports_queue.queue.arn
      filter_prefix   = var.import_prefix
      filter_suffixes = sort(local.suffixes)
    }
  }

  # Includes name_prefix, so that the commands in the descriptions find this stack.
  alarm = var.alarm == null ? null : { actions = var.alarm.actions, name_prefix = var.name_prefix }
}

module "source" {
  source = "../../modules/source-bucket"

  name          = "${local.name}-source"
  source_bucket = var.source_bucket
  key_prefix    = var.import_prefix
  key_suffixes  = [".csv", ".csv.gz"]
  # s3:GetObjectVersion reads the version that the event names, even if newer ones exist.
  read_actions = ["s3:GetObject", "s3:GetObjectVersion"]
  own_bucket   = local.bucket
  role_arns    = [module.split.role.arn]
  tags         = var.tags
  queues       = { imports = { name = "${local.name}-imports", dlq_name = "${local.name}-imports-dlq" } }
}

module "notification" {
  source = "../../modules/bucket-notification"
  count  = var.source_bucket == null ? 1 : 0

  bucket      = module.bucket.bucket.name
  queues      = local.notified_queues
  writes_back = [{ prefix = var.rejections_prefix }, { prefix = local.large_rows_prefix }]
}

# One message per file, and one more for each time that a file is not finished in one invocation.
module "imports_queue" {
  source = "../../modules/sqs-with-dlq"

  name              = "${local.name}-imports"
  consumer          = { timeout_seconds = var.split.timeout_seconds }
  max_receive_count = var.max_receive_count
  senders           = merge(module.source.senders, module.source.rule_senders.imports)
  dlq_senders       = module.source.rule_senders.imports
  alarm             = one([for alarm in local.alarm[*] : merge(alarm, { age_seconds = var.late_after_seconds })])
  kms_key           = var.kms_key
  tags              = var.tags
}

module "split" {
  source = "../../modules/lambda-consumer"

  name                 = "${local.name}-split"
  description          = "Reads every CSV file uploaded below ${var.import_prefix} and sends its rows to the row queue"
  package              = var.packages.split
  code_bucket          = var.code_bucket
  trust_source_account = var.trust_source_account

  memory_size_mb  = var.split.memory_size_mb
  timeout_seconds = var.split.timeout_seconds
  vpc             = var.vpc
  queue           = module.imports_queue.queue
  # A file may take all of an invocation's time, and leave none for another one.
  batch_size          = 1
  maximum_concurrency = var.split.maximum_concurrency
  # The function continues a long file through its own queue, which Lambda would stop as a recursive
  # loop after 16 turns. The function counts its turns itself, and each must advance in the file.
  recursive_loop     = "Allow"
  log_retention_days = var.log_retention_days
  alarm              = local.alarm
  kms_key            = var.kms_key
  tags               = var.tags
  policies           = local.split_policies
  key_uses           = concat(["write_objects", "send_messages", "write_items"], local.notices_key_uses)

  permissions_boundary_arn = var.permissions_boundary_arn
  iam_path                 = var.iam_path

  environment = merge(
    {
      STACK                        = var.name_prefix
      PIPELINE                     = "csv-import"
      POWERTOOLS_SERVICE_NAME      = "split_csv"
      POWERTOOLS_METRICS_NAMESPACE = "EventPipelines"
      ROWS_QUEUE_URL               = module.rows_queue.queue.url
      IMPORTS_QUEUE_URL            = module.imports_queue.queue.url
      LEDGER_TABLE                 = module.ledger.table.name
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
    module.source.settings,
    var.notices == null ? {} : { NOTICES_TOPIC_ARN = one(module.notices[*].topic_arn) },
  )
}

# The buffer: rows that the table cannot take yet wait here without loss.
module "rows_queue" {
  source = "../../modules/sqs-with-dlq"

  name = "${local.name}-rows"
  # Lambda processes one batch of a message group at a time, and all rows are in one group.
  fifo = var.pace.one_at_a_time ? {} : null
  consumer = {
    timeout_seconds         = var.load.timeout_seconds
    batching_window_seconds = var.pace.batching_window_seconds
  }
  message_retention_seconds = local.rows_retention_seconds
  max_receive_count         = var.max_receive_count
  # Rows are expected to wait in this queue; the alarm's threshold is half of the retention period.
  alarm   = one([for alarm in local.alarm[*] : merge(alarm, { age_seconds = local.rows_retention_seconds / 2 })])
  kms_key = var.kms_key
  tags    = var.tags
}

module "load" {
  source = "../../modules/lambda-consumer"

  name                 = "${local.name}-load"
  description          = "Writes the rows of CSV files into ${local.items_table}"
  package              = var.packages.load
  code_bucket          = var.code_bucket
  trust_source_account = var.trust_source_account

  memory_size_mb          = var.load.memory_size_mb
  timeout_seconds         = var.load.timeout_seconds
  vpc                     = var.vpc
  queue                   = module.rows_queue.queue
  batch_size              = local.batch_size
  batching_window_seconds = var.pace.batching_window_seconds
  # A single message group already limits the function to 1, and Lambda accepts no limit below 2.
  maximum_concurrency = var.pace.one_at_a_time ? null : local.workers
  log_retention_days  = var.log_retention_days
  alarm               = local.alarm
  kms_key             = var.kms_key
  tags                = var.tags
  policies            = local.load_policies
  key_uses            = concat(["write_objects", "write_items"], local.notices_key_uses)

  permissions_boundary_arn = var.permissions_boundary_arn
  iam_path                 = var.iam_path

  environment = merge(
    {
      STACK                        = var.name_prefix
      PIPELINE                     = "csv-import"
      POWERTOOLS_SERVICE_NAME      = "load_csv_rows"
      POWERTOOLS_METRICS_NAMESPACE = "EventPipelines"
      TABLE_NAME                   = module.items.table.name
      HASH_KEY                     = var.table.hash_key
      LEDGER_TABLE                 = module.ledger.table.name
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
      # For `event-pipelines imports start --dry-run`.
      ROWS_PER_SECOND = tostring(local.rows_per_second)
    },
    length(var.key_columns) == 0 ? {} : { KEY_COLUMNS = join(",", var.key_columns) },
    var.notices == null ? {} : { NOTICES_TOPIC_ARN = one(module.notices[*].topic_arn) },
  )
}

module "notices" {
  source = "../../modules/sns-filtered-fanout"
  count  = var.notices == null ? 0 : 1

  name              = "${local.name}-notices"
  email_subscribers = var.notices.email_subscribers
  kms_key           = var.kms_key
  tags              = var.tags
}
