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

# What the pace amounts to, in rows per second.
locals {
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
        "A batch of ${local.batch_size} x ${var.rows_per_message} rows takes a load function ${ceil(local.batch_seconds)} seconds at ",
        "${format("%.3g", local.worker_rows_per_second)} rows a second",
        " (${local.workers} at a time, ${local.units_per_row} write units a row by pace.item_size_kb), and it may take half of ",
        "load.timeout_seconds, ${var.load.timeout_seconds / 2}: ",
        join(", or ", compact([
          (
            local.batch_size > 1 && local.rows_per_invocation >= var.rows_per_message
            ? "lower pace.batch_size to ${floor(local.rows_per_invocation / var.rows_per_message)}"
            : ""
          ),
          (
            local.rows_per_invocation >= local.batch_size
            ? "lower rows_per_message to ${floor(local.rows_per_invocation / local.batch_size)}"
            : ""
          ),
          local.batch_seconds <= 450 ? "raise load.timeout_seconds to ${ceil(local.batch_seconds * 2)}" : "",
          (
            local.workers > 1 && local.table_share < local.function_rows_per_second
            ? "let fewer run at a time (pace.maximum_concurrency, pace.one_at_a_time)"
            : ""
          ),
          local.table_share >= local.function_rows_per_second ? "raise load.memory_size_mb" : "raise pace.table_write_capacity",
        ])),
        ".",
      ])
    }
    precondition {
      condition = local.drain_seconds <= local.rows_retention_seconds
      error_message = join(" ", [
        "${coalesce(var.expected_rows, 0)} rows (expected_rows) take ${format("%.3g", local.drain_seconds / 86400)} days at",
        "${format("%.3g", local.rows_per_second)} rows a second,",
        "and the row queue deletes what has waited for ${local.rows_retention_seconds / 86400} days: raise what bounds the pace",
        "(pace.table_write_capacity, pace.maximum_concurrency, rows_per_message), or import fewer rows at a time.",
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
