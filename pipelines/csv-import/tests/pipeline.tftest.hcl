mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name_prefix = "acme"
  packages = {
    split = {
      path         = "../../tests/terraform/packages/function.zip" # nothing is uploaded
      handler      = "split_csv.handler.handler"
      content_hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
      size_bytes   = 22
      runtime      = "python3.13"
      architecture = "arm64"
    }
    load = {
      path         = "../../tests/terraform/packages/function.zip" # nothing is uploaded
      handler      = "load_csv_rows.handler.handler"
      content_hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
      size_bytes   = 22
      runtime      = "python3.13"
      architecture = "arm64"
    }
  }
}

run "defaults" {
  command = plan

  assert {
    condition = (
      module.bucket.bucket.name == "acme-csv-123456789012-eu-west-1" && output.pipeline.table == "acme-csv-items"
      && output.pipeline.ledger_table == "acme-csv-ledger" && output.pipeline.split_function == "acme-csv-split"
      && output.pipeline.load_log_group == "/aws/lambda/acme-csv-load" && module.imports_queue.queue.name == "acme-csv-imports"
    )
    error_message = "Names must consist of prefix and part."
  }
  assert {
    condition = alltrue([
      for suffix in [".csv", ".CSV", ".Csv", ".cSv", ".csv.gz", ".CSV.GZ", ".Csv.gZ"] : contains(local.suffixes, suffix)
    ])
    error_message = "Every letter case of .csv and .csv.gz must start an import."
  }
  assert {
    condition     = length(local.suffixes) == 40 && length(distinct(local.suffixes)) == 40
    error_message = ".csv has 8 letter cases and .csv.gz 32, each once; S3 takes 100 rules."
  }
  assert {
    condition = (
      module.items.table.billing_mode == "PAY_PER_REQUEST" && module.items.table.hash_key == "id"
      && module.items.table.point_in_time_recovery[0].enabled
    )
    error_message = "The table is on-demand, keyed by id, and can be restored."
  }
  assert {
    condition = (
      module.ledger.table.hash_key == "import_id" && module.ledger.table.range_key == "part"
      && module.ledger.table.ttl[0].attribute_name == "expires_at" && module.ledger.table.ttl[0].enabled
    )
    error_message = "The ledger is keyed by import and part, and has a TTL."
  }
  assert {
    condition = (
      module.rows_queue.queue.name == "acme-csv-rows" && !module.rows_queue.queue.fifo
      && module.rows_queue.queue.visibility_timeout_seconds == 720
    )
    error_message = "The row queue is a standard queue that hides a message for six tries of 120 seconds."
  }
  assert {
    condition     = output.pipeline.pace == { workers = 5, batch_size = 10, rows_per_second = 4000 }
    error_message = "By default five functions share a new on-demand table's limit, with ten messages at a time."
  }
  assert {
    condition     = jsonencode(local.defaults) == "{\"completed\":false}"
    error_message = "completed defaults to false, not to a text."
  }
  assert {
    condition     = output.pipeline.topic_arn == null
    error_message = "Without notices there must be no topic."
  }
  assert {
    condition = (
      { for id, rule in module.bucket.lifecycle_rules : id => rule.expire_days if id != "remove-leftovers" } ==
      { expire-uploads = 30, expire-rejection-records = 90, expire-large-rows = 30 }
    )
    error_message = "Uploads and rows too large for a message expire after 30 days, rejection records after 90."
  }
  assert {
    condition     = length(output.alarm_names) == 0
    error_message = "Without alarm there must be no alarms."
  }
  assert {
    condition = local.expected_file == {
      DELIMITER     = "auto", QUOTE = "\"", SKIP_LINES = "0", HEADER = "[]", ENCODING = "auto", TRIM = "names", HASH_KEY = "id"
      MISSING_CELLS = "reject"
      COLUMNS       = "{}", DEFAULTS = "{\"completed\":false}"
    }
    error_message = "The splitter must have the expectations of files, without empty ones."
  }
}

run "weak_table_one_at_a_time_just_legal" {
  command = plan

  variables {
    # 63 characters: the longest bucket name.
    name_prefix      = "a23456789-123456789-123456789-123456"
    pace             = { table_write_capacity = 5, one_at_a_time = true, maximum_concurrency = 1 }
    load             = { timeout_seconds = 900 }
    rows_per_message = 1800
    expected_rows    = 4838400
    table            = { deletion_protection = true, read_capacity = 1 }
  }

  assert {
    condition     = length(module.bucket.bucket.name) == 63
    error_message = "This run must use exactly the limit of 63 characters."
  }
  assert {
    condition     = output.pipeline.pace == { workers = 1, batch_size = 1, rows_per_second = 4 }
    error_message = "One function alone takes 80 % of 5 units: 4 rows a second, 1800 in half of 900 seconds, 4838400 in 14 days."
  }
  assert {
    condition     = module.rows_queue.queue.fifo && module.rows_queue.queue.name == "a23456789-123456789-123456789-123456-csv-rows.fifo"
    error_message = "One at a time is a FIFO queue."
  }
  assert {
    condition = (
      module.items.table.billing_mode == "PROVISIONED" && module.items.table.write_capacity == 5
      && module.items.table.read_capacity == 1
    )
    error_message = "A table with a write capacity is provisioned."
  }
  assert {
    condition     = module.items.table.deletion_protection_enabled
    error_message = "The table has deletion protection when set."
  }
}

run "shared_provisioned_table_just_legal" {
  command = plan

  variables {
    pace = {
      table_write_capacity    = 100
      maximum_concurrency     = 2
      batch_size              = 11
      batching_window_seconds = 1
      item_size_kb            = 1.5
    }
    rows_per_message     = 109
    max_rejected_percent = 0
    table                = { hash_key = "sku", point_in_time_recovery = false }
    key_columns          = ["sku"]
    columns              = { sku = "string", amount = "number", day = "timestamp", done = "bool" }
    unknown_columns      = "drop"
    write_mode           = "last_row_wins"
    defaults = {
      country = { string = "DE" }
      amount  = { number = 1.5 }
      done    = { bool = true }
      day     = { string = "2026-01-31" }
    }
    notices        = {}
    split          = { timeout_seconds = 11, stop_at_remaining_seconds = 10, maximum_hops = 1 }
    ledger         = { retention_days = 30 }
    lifecycle_days = { import = 5, noncurrent = 5, incomplete_upload = 1, rejections = 1 }
    alarm          = { actions = ["arn:aws:sns:eu-west-1:123456789012:on-call"] }
  }

  assert {
    condition     = output.pipeline.pace == { workers = 2, batch_size = 11, rows_per_second = 40 }
    error_message = "80 units a second at 2 a row are 40 rows, 20 for each of two: 1200 in half of 120 seconds, and 11 x 109 are 1199."
  }
  assert {
    condition     = jsonencode(local.defaults) == "{\"amount\":1.5,\"country\":\"DE\",\"day\":\"2026-01-31\",\"done\":true}"
    error_message = "Each default keeps its own type."
  }
  assert {
    condition     = module.items.table.hash_key == "sku" && !module.items.table.point_in_time_recovery[0].enabled
    error_message = "The caller's key and backup settings must be used."
  }
  assert {
    condition     = output.pipeline.topic_arn == "arn:aws:sns:eu-west-1:123456789012:acme-csv-notices"
    error_message = "Notices have a separate topic."
  }
}

run "message_per_row_is_bound_by_the_ledger" {
  command = plan

  variables {
    rows_per_message = 1
    expected_rows    = 60480000
    key_columns      = ["a", "b"]
  }

  assert {
    condition     = output.pipeline.pace == { workers = 5, batch_size = 10, rows_per_second = 50 }
    error_message = "The ledger limits the rate to 50 messages a second."
  }
}

run "upper_bounds_just_legal" {
  command = plan

  variables {
    pace             = { table_write_capacity = 40000, maximum_concurrency = 1000 }
    load             = { timeout_seconds = 900 }
    rows_per_message = 10000
    write_mode       = "insert_only"
    ledger           = { retention_days = 3650 }
    key_columns      = ["id"]
    columns          = { id = "timestamp" }
    defaults         = {}
    alarm            = { actions = [], rejections = 1 }

    late_after_seconds    = 345599
    stalled_after_seconds = 86400
  }

  assert {
    condition     = output.pipeline.pace == { workers = 1000, batch_size = 1, rows_per_second = 32000 }
    error_message = "A thousand functions must be estimated at 32 rows a second each."
  }
  assert {
    condition     = contains(output.alarm_names, "acme-csv-imports-oldest-message-age")
    error_message = "late_after_seconds may be as long as the queue keeps a message."
  }
}

run "name_too_long_and_rejections_inside_imports" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    name_prefix       = "a23456789-123456789-123456789-1234567"
    rejections_prefix = "import/rejections/"
  }
  # The functions' output would be taken for an upload.
  expect_failures = [var.name_prefix, var.rejections_prefix]
}

run "batch_too_large" {
  command = plan
  variables {
    pace             = { table_write_capacity = 5, one_at_a_time = true }
    load             = { timeout_seconds = 900 }
    rows_per_message = 1801
  }
  expect_failures = [output.pipeline]
}

run "share_of_a_weak_table_too_small" {
  command = plan
  variables {
    pace = { table_write_capacity = 25 }
  }
  expect_failures = [output.pipeline]
}

run "more_rows_than_can_drain" {
  command = plan
  variables {
    pace          = { table_write_capacity = 5, one_at_a_time = true }
    load          = { timeout_seconds = 900 }
    expected_rows = 4838401
  }
  expect_failures = [output.pipeline]
}

run "rejections_without_a_slash" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    rejections_prefix = "rejections"
  }
  expect_failures = [var.rejections_prefix]
}

# Every validation fails alone. Where one reads another variable, Terraform skips it
# once that variable is refused: table, columns, key_columns and what depends on them are in separate runs.

run "refused_1" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    table                = { hash_key = "" }
    import_prefix        = "/import/"
    write_mode           = "upsert"
    rows_per_message     = 0
    max_rejected_percent = 101
    pace                 = { table_write_capacity = 0 }
    expected_rows        = 0
    split                = { stop_at_remaining_seconds = 9 }
    load                 = { timeout_seconds = 29 }
    ledger               = { retention_days = 29 }
    lifecycle_days       = { incomplete_upload = 0 }
  }
  expect_failures = [
    var.table, var.import_prefix, var.write_mode, var.rows_per_message, var.max_rejected_percent,
    var.pace, var.expected_rows, var.split, var.load, var.ledger, var.lifecycle_days,
  ]
}

run "refused_2" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    table                = { hash_key = "import_stamp" }
    rows_per_message     = 10001
    max_rejected_percent = 0.5
    pace                 = { maximum_concurrency = 1 }
    expected_rows        = 1.5
    split                = { timeout_seconds = 60, stop_at_remaining_seconds = 60 }
    ledger               = { retention_days = 3651 }
    lifecycle_days       = { import = 4 }
  }
  expect_failures = [
    var.table, var.rows_per_message, var.max_rejected_percent, var.pace,
    var.expected_rows, var.split, var.ledger, var.lifecycle_days,
  ]
}

run "refused_3" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    table            = { read_capacity = 0 }
    rows_per_message = 1.5
    pace             = { maximum_concurrency = 1001 }
    split            = { maximum_hops = 0 }
    ledger           = { retention_days = 30.5 }
    lifecycle_days   = { noncurrent = 4 }
  }
  expect_failures = [var.table, var.rows_per_message, var.pace, var.split, var.ledger, var.lifecycle_days]
}

run "refused_4" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    columns              = { amount = "decimal" }
    pace                 = { maximum_concurrency = 2, one_at_a_time = true }
    max_rejected_percent = -1
  }
  expect_failures = [var.columns, var.pace, var.max_rejected_percent]
}

run "refused_5" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    columns = { import_stamp = "string" }
    pace    = { batch_size = 0 }
  }
  expect_failures = [var.columns, var.pace]
}

run "refused_6" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    columns = { id = "number" }
    pace    = { batch_size = 11 }
  }
  expect_failures = [var.columns, var.pace]
}

run "refused_7" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    key_columns = ["a,b"]
    pace        = { batch_size = 11, one_at_a_time = true }
  }
  expect_failures = [var.key_columns, var.pace]
}

run "refused_8" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    key_columns = ["a", "a"]
    pace        = { batching_window_seconds = 1, one_at_a_time = true }
  }
  expect_failures = [var.key_columns, var.pace]
}

run "refused_9" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    key_columns = ["import_stamp"]
    pace        = { batching_window_seconds = 301 }
  }
  expect_failures = [var.key_columns, var.pace]
}

run "refused_10" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    key_columns = ["id", "region"]
    pace        = { item_size_kb = 401 }
  }
  expect_failures = [var.key_columns, var.pace]
}

run "refused_11" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    unknown_columns = "reject"
    defaults        = { completed = { bool = false, number = 0 } }
    pace            = { item_size_kb = 0 }
  }
  expect_failures = [var.unknown_columns, var.defaults, var.pace]
}

run "refused_12" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    unknown_columns = "drop"
    defaults        = { id = { string = "x" } }
    pace            = { table_write_capacity = 40001 }
  }
  expect_failures = [var.unknown_columns, var.defaults, var.pace]
}

run "refused_13" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    defaults = { amount = { string = "1" } }
    columns  = { amount = "number" }
    pace     = { table_write_capacity = 1.5 }
  }
  expect_failures = [var.defaults, var.pace]
}

run "refused_14" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    defaults = { day = { string = "31.1.2026" } }
    columns  = { day = "timestamp" }
  }
  expect_failures = [var.defaults]
}

# --- The dialect: each guard fails once and is just satisfied once

run "dialect_with_letter_as_delimiter" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    dialect = { delimiter = "x" }
  }
  expect_failures = [var.dialect]
}

run "dialect_with_two_delimiters" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    dialect = { delimiter = ";;" }
  }
  expect_failures = [var.dialect]
}

run "dialect_with_quote_as_delimiter" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    dialect = { delimiter = "\"" }
  }
  expect_failures = [var.dialect]
}

run "dialect_with_letter_as_quote" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    dialect = { quote = "q" }
  }
  expect_failures = [var.dialect]
}

run "dialect_with_line_end_as_escape" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    dialect = { escape = "\n" }
  }
  expect_failures = [var.dialect]
}

run "dialect_with_two_comment_signs" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    dialect = { comment = "//" }
  }
  expect_failures = [var.dialect]
}

run "dialect_with_one_sign_for_two" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    dialect = { escape = "\"" }
  }
  expect_failures = [var.dialect]
}

run "dialect_with_too_many_lines_to_skip" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    dialect = { skip_lines = 1001 }
  }
  expect_failures = [var.dialect]
}

run "dialect_with_part_of_a_line_to_skip" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    dialect = { skip_lines = 0.5 }
  }
  expect_failures = [var.dialect]
}

run "dialect_with_column_without_a_name" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    dialect = { header = ["id", " "] }
  }
  expect_failures = [var.dialect]
}

run "dialect_with_column_named_twice" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    dialect = { header = ["id", "id"] }
  }
  expect_failures = [var.dialect]
}

run "dialect_with_unknown_encoding" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    dialect = { encoding = "latin-1" }
  }
  expect_failures = [var.dialect]
}

run "dialect_with_unknown_trimming" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    dialect = { trim = "left" }
  }
  expect_failures = [var.dialect]
}

run "dialect_with_unknown_cells" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    dialect = { missing = "null" }
  }
  expect_failures = [var.dialect]
}

run "dialect_and_expiry_at_their_limits" {
  command = plan
  variables {
    dialect = {
      delimiter = "\t", quote = "", escape = "\\", comment = "#", skip_lines = 1000, header = ["id", "name"]
      encoding  = "windows-1252", trim = "all", missing = "empty", decimal = ",", empty = "null"
    }
    key_columns        = ["id"]
    expires_after_days = 36500
  }

  assert {
    condition = local.expected_file == {
      DELIMITER = "\t", QUOTE = "none", ESCAPE = "\\", COMMENT = "#", SKIP_LINES = "1000", HEADER = "[\"id\",\"name\"]"
      ENCODING  = "windows-1252", MISSING_CELLS = "empty"
      TRIM      = "all", HASH_KEY = "id", KEY_COLUMNS = "id", COLUMNS = "{}", DEFAULTS = "{\"completed\":false}"

      EXPIRES_AFTER_DAYS = "36500"
    }
    error_message = "The splitter must have every setting of the dialect."
  }
  assert {
    condition = (
      module.items.table.ttl[0].attribute_name == "expires_at" && module.items.table.ttl[0].enabled
      && local.expected_file.EXPIRES_AFTER_DAYS == "36500"
    )
    error_message = "DynamoDB deletes items by expires_at, and the splitter refuses files with such a column."
  }
}

run "uploads_among_large_rows" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    import_prefix = "large-rows/new/"
  }
  expect_failures = [var.import_prefix]
}

run "dialect_with_unknown_decimal_sign" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    dialect = { decimal = ";" }
  }
  expect_failures = [var.dialect]
}

run "dialect_with_unknown_empty_cells" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    dialect = { empty = "none" }
  }
  expect_failures = [var.dialect]
}

run "items_that_expire_after_no_day" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    expires_after_days = 0
  }
  expect_failures = [var.expires_after_days]
}

run "items_that_expire_after_too_many_days" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    expires_after_days = 36501
  }
  expect_failures = [var.expires_after_days]
}

run "items_that_expire_after_half_a_day" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    expires_after_days = 0.5
  }
  expect_failures = [var.expires_after_days]
}

run "a_name_that_aws_keeps_for_itself" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    name_prefix = "xn--acme"
  }

  expect_failures = [var.name_prefix]
}
