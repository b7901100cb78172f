module "bucket" {
  source = "../../modules/private-bucket"

  name          = local.bucket
  force_destroy = var.force_destroy_bucket
  kms_key       = var.kms_key
  tags          = var.tags
  leftover_days = var.lifecycle_days
  lifecycle_rules = {
    expire-uploads           = { prefix = var.import_prefix, expire_days = var.lifecycle_days.import }
    expire-rejection-records = { prefix = var.rejections_prefix, expire_days = var.lifecycle_days.rejections }
    # 14 days in the row queue, and 14 more as dead letters.
    expire-large-rows = { prefix = local.large_rows_prefix, expire_days = 30 }
  }
}

# The throughput that follows from the pace, in rows per second.
locals {
  workers       = var.pace.one_at_a_time ? 1 : coalesce(var.pace.maximum_concurrency, 5)
  units_per_row = ceil(var.pace.item_size_kb)
  # The functions use 80 % of a provisioned table; a new on-demand table takes 4000 units a second.
  table_rows_per_second = (var.pace.table_write_capacity == null ? 4000 : var.pace.table_write_capacity * 0.8) / local.units_per_row
  table_share           = local.table_rows_per_second / local.workers
  # Throughput of one function on a table without limits, by its memory and so by its CPU share; a
  # conservative estimate. A conditional write needs a separate call.
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
}

module "items" {
  source = "../../modules/private-table"

  name                   = local.items_table
  hash_key               = var.table.hash_key
  capacity               = one([for units in var.pace.table_write_capacity[*] : { read = var.table.read_capacity, write = units }])
  ttl_attribute          = var.expires_after_days == null ? null : "expires_at"
  point_in_time_recovery = var.table.point_in_time_recovery
  deletion_protection    = var.table.deletion_protection
  kms_key                = var.kms_key
  tags                   = var.tags
}

# The progress of imports: one item per import, and one for each message that was loaded.
module "ledger" {
  source = "../../modules/private-table"

  name                = "${local.name}-ledger"
  hash_key            = "import_id"
  range_key           = "part"
  ttl_attribute       = "expires_at"
  deletion_protection = var.ledger.deletion_protection
  kms_key             = var.kms_key
  tags                = var.tags
}
