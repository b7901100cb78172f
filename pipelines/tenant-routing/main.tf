# a group's bucket -> its ingest queue -> route_tenant_event -> the tenant's queue -> process_tenant_file -> the tenant's silver files
#
# Buckets, queues and their mappings belong to groups and tenants: `event-pipelines tenants` creates them at
# run time, with names by the patterns below, and reads its settings from the platform document.

data "aws_partition" "current" {}

locals {
  partition = data.aws_partition.current.partition

  name         = "${var.name_prefix}-tenants"
  groups_table = "${var.name_prefix}-TenantGroups"
  # Not derived from local.name: the command line and users expect both tables' names to match.
  tenants_table = "${var.name_prefix}-Tenants"
  platform_name = "/${var.name_prefix}/tenants/platform"

  # Roles and policies are global: without the region, a second region would find the names taken.
  files_role       = "${local.name}-files-${local.region}"
  files_role_arn   = "arn:${local.partition}:iam::${local.account_id}:role${var.iam_path}${local.files_role}"
  manager_policy   = "${local.name}-manager-${local.region}"
  bucket_suffix    = "-${local.account_id}-${local.region}"
  group_bucket     = "${var.name_prefix}-tg-*${local.bucket_suffix}"
  group_bucket_arn = "arn:${local.partition}:s3:::${local.group_bucket}"
  tenant_files_arn = join("", [
    "arn:${local.partition}:s3:::${var.name_prefix}-tg-$${aws:PrincipalTag/group}${local.bucket_suffix}/",
    "$${aws:PrincipalTag/tenant}",
  ])

  queue_arn_prefix   = "arn:${local.partition}:sqs:${local.region}:${local.account_id}:${var.name_prefix}"
  ingest_queues      = "${local.queue_arn_prefix}-tg-*-ingest"
  raw_queues         = ["${local.queue_arn_prefix}-tenant-*-raw", "${local.queue_arn_prefix}-tg-*-raw"]
  all_queues         = concat([local.ingest_queues], local.raw_queues)
  dead_letter_queues = [for arn in local.all_queues : "${arn}-dlq"]

  # Longest name of a group that fits, with "-tg-", account and region, into the 63 characters of a bucket name.
  max_group_name_length = min(40, 63 - length("${var.name_prefix}-tg-${local.bucket_suffix}"))

  longest_tries_seconds = (
    var.queues.max_receive_count * 6 * max(var.router.timeout_seconds, var.consumer.timeout_seconds)
  )

  # Conservative estimate of the time that converting a file takes: a whole core converts 1 MB per second.
  file_seconds = var.consumer.max_file_mb * 1769 / min(var.consumer.memory_size_mb, 1769)

  poll_actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]

  # Includes name_prefix, so that the commands in the descriptions find this stack.
  alarm = var.alarm == null ? null : { actions = var.alarm.actions, name_prefix = var.name_prefix }
}

# --- From a group's ingest queue to the tenants' queues

module "router" {
  source = "../../modules/lambda-consumer"

  name                 = "${local.name}-route"
  description          = "Sends every event of the groups' buckets to its tenant's queue, or to ${local.name}-quarantine"
  package              = var.packages.route
  code_bucket          = var.code_bucket
  trust_source_account = var.trust_source_account

  memory_size_mb     = var.router.memory_size_mb
  timeout_seconds    = var.router.timeout_seconds
  vpc                = var.vpc
  log_retention_days = var.log_retention_days
  alarm              = local.alarm
  kms_key            = var.kms_key
  tags               = var.tags
  policies           = local.router_policies
  key_uses           = ["receive_messages", "send_messages", "read_items"]

  permissions_boundary_arn = var.permissions_boundary_arn
  iam_path                 = var.iam_path

  environment = {
    STACK                        = var.name_prefix
    PIPELINE                     = "tenant-routing"
    POWERTOOLS_SERVICE_NAME      = "route_tenant_event"
    POWERTOOLS_METRICS_NAMESPACE = "EventPipelines"
    GROUPS_TABLE                 = module.groups.table.name
    TENANTS_TABLE                = module.tenants.table.name
    QUARANTINE_QUEUE_URL         = module.quarantine.queue.url
    CACHE_SECONDS                = tostring(var.cache.seconds)
    NEGATIVE_CACHE_SECONDS       = tostring(var.cache.negative_seconds)
    STALE_SECONDS                = tostring(var.cache.stale_seconds)
  }
}

# Events that cannot be routed wait here for an operator. The queue keeps messages for the maximum of
# SQS, and a message may be received a thousand times before it becomes a dead letter.
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

  name                 = "${local.name}-process"
  description          = "Converts every raw file of a tenant into its silver file, with that tenant's permissions"
  package              = var.packages.process
  code_bucket          = var.code_bucket
  trust_source_account = var.trust_source_account

  memory_size_mb       = var.consumer.memory_size_mb
  timeout_seconds      = var.consumer.timeout_seconds
  vpc                  = var.vpc
  ephemeral_storage_mb = var.consumer.ephemeral_storage_mb
  log_retention_days   = var.log_retention_days
  alarm                = local.alarm
  kms_key              = var.kms_key
  tags                 = var.tags
  policies             = local.consumer_policies
  key_uses             = ["receive_messages", "read_items"]

  permissions_boundary_arn = var.permissions_boundary_arn
  iam_path                 = var.iam_path

  environment = {
    STACK                        = var.name_prefix
    PIPELINE                     = "tenant-routing"
    POWERTOOLS_SERVICE_NAME      = "process_tenant_file"
    POWERTOOLS_METRICS_NAMESPACE = "EventPipelines"
    TENANTS_TABLE                = module.tenants.table.name
    TENANT_ROLE_ARN              = local.files_role_arn
    QUEUE_PREFIX                 = var.name_prefix
    MAX_FILE_MB                  = tostring(var.consumer.max_file_mb)
  }
}
