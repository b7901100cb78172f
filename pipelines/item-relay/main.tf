# script: files/ID.json, item, message -> updates queue -> update_item -> item, message -> finished queue -> service

locals {
  name       = "${var.name_prefix}-relay"
  bucket     = "${local.name}-${local.account_id}-${local.region}"
  bucket_arn = module.bucket.bucket_arn_static
  table      = "${local.name}-items"

  # Not configurable, because the script and the service find everything by name.
  files_prefix      = "files/"
  rejections_prefix = "rejections/"

  # The maximum of SQS: the service is one process, which may be off for a while.
  finished_retention_seconds = 1209600

  # Includes name_prefix, so that the commands in the descriptions find this stack.
  alarm = var.alarm == null ? null : { actions = var.alarm.actions, name_prefix = var.name_prefix }
}

# --- From the script to the function

module "updates_queue" {
  source = "../../modules/sqs-with-dlq"

  name              = "${local.name}-updates"
  consumer          = { timeout_seconds = var.function.timeout_seconds }
  max_receive_count = var.max_receive_count
  alarm             = one([for alarm in local.alarm[*] : merge(alarm, { age_seconds = var.late_after_seconds })])
  kms_key           = var.kms_key
  tags              = var.tags
}

module "update" {
  source = "../../modules/lambda-consumer"

  name                 = "${local.name}-update"
  description          = "Updates every new item of ${local.table} and sends it on to the service"
  package              = var.package
  code_bucket          = var.code_bucket
  trust_source_account = var.trust_source_account

  memory_size_mb  = var.function.memory_size_mb
  timeout_seconds = var.function.timeout_seconds
  vpc             = var.vpc
  queue           = module.updates_queue.queue
  batch_size      = var.function.batch_size
  # No batching window: it would lengthen the time until a failed delivery is repeated, which has to
  # stay below the deduplication interval of the finished queue.
  maximum_concurrency = var.function.maximum_concurrency
  log_retention_days  = var.log_retention_days
  alarm               = local.alarm
  kms_key             = var.kms_key
  tags                = var.tags
  policies            = local.update_policies
  key_uses            = ["write_objects", "send_messages", "write_items"]

  permissions_boundary_arn = var.permissions_boundary_arn
  iam_path                 = var.iam_path

  environment = {
    STACK                        = var.name_prefix
    PIPELINE                     = "item-relay"
    POWERTOOLS_SERVICE_NAME      = "update_item"
    POWERTOOLS_METRICS_NAMESPACE = "EventPipelines"
    TABLE_NAME                   = module.items.table.name
    NEXT_QUEUE_URL               = module.finished_queue.queue.url
    FILES_BUCKET                 = local.bucket
    FILES_PREFIX                 = local.files_prefix
    REJECTIONS_BUCKET            = local.bucket
    REJECTIONS_PREFIX            = local.rejections_prefix
  }
}

# --- From the function to the service

module "finished_queue" {
  source = "../../modules/sqs-with-dlq"

  name = "${local.name}-finished"
  # FIFO for deduplication: a message that is sent again within five minutes is dropped. Every item
  # is a separate message group, so that none waits for another.
  fifo                       = { high_throughput = true }
  visibility_timeout_seconds = var.service.visibility_timeout_seconds
  message_retention_seconds  = local.finished_retention_seconds
  max_receive_count          = var.max_receive_count
  # Only this alarm shows that the service, which is no Lambda function, has stopped.
  alarm   = one([for alarm in local.alarm[*] : merge(alarm, { age_seconds = var.service.late_after_seconds })])
  kms_key = var.kms_key
  tags    = var.tags
}
