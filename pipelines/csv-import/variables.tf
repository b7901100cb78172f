variable "name_prefix" {
  description = "First part of every resource name; the pipeline adds `-csv`."
  type        = string
  nullable    = false

  validation {
    condition = length("${var.name_prefix}-csv-${local.account_id}-${local.region}") <= 63
    error_message = join(" ", [
      "The bucket name ${var.name_prefix}-csv-${local.account_id}-${local.region} has more than the 63 characters of S3: shorten",
      "name_prefix.",
    ])
  }
  validation {
    condition = !can(regex("^(aws|ssm|xn--|sthree-|amzn-s3-demo-)", "${var.name_prefix}-"))
    error_message = join(" ", [
      "name_prefix must not begin with aws or ssm, which Systems Manager reserves for its parameters, nor with xn--, sthree- or",
      "amzn-s3-demo-, which S3 reserves.",
    ])
  }
}

variable "packages" {
  description = <<-EOT
    Packages of `split_csv` (`split`) and `load_csv_rows` (`load`) as `build.sh` lists them in its manifest: path of the zip, Lambda
    handler, content hash (base64 SHA-256), size in bytes, and the runtime and architecture it was built for.
  EOT
  type = object({
    split = object({
      path         = string
      handler      = string
      content_hash = string
      size_bytes   = number
      runtime      = string
      architecture = string
    })
    load = object({
      path         = string
      handler      = string
      content_hash = string
      size_bytes   = number
      runtime      = string
      architecture = string
    })
  })
  nullable = false
}

variable "code_bucket" {
  description = "Existing bucket through which the packages are deployed. Null uploads the zips directly."
  type = object({
    name   = string
    prefix = optional(string, "")
  })
  default = null
}

variable "import_prefix" {
  description = "Key prefix below which an uploaded `.csv` or `.csv.gz`, in whatever letter case, is imported."
  type        = string
  default     = "import/"
  nullable    = false

  validation {
    condition = can(regex("^[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*/$", var.import_prefix))
    error_message = join(" ", [
      "import_prefix must be a folder-like prefix that ends with a",
      "slash and does not start with one, for example \"import/\".",
    ])
  }
  validation {
    condition = !startswith(var.import_prefix, "large-rows/")
    error_message = join(" ", [
      "import_prefix must not begin with large-rows/, where rows are stored that are longer than a message: they would be taken for",
      "uploads.",
    ])
  }
}

variable "rejections_prefix" {
  description = "Key prefix below which rejected rows and files are recorded."
  type        = string
  default     = "rejections/"
  nullable    = false

  validation {
    condition = can(regex("^[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*/$", var.rejections_prefix))
    error_message = join(" ", [
      "rejections_prefix must be a folder-like prefix that ends with a",
      "slash and does not start with one, for example \"rejections/\".",
    ])
  }
  validation {
    condition = !startswith(var.import_prefix, var.rejections_prefix) && !startswith(var.rejections_prefix, var.import_prefix)
    error_message = join(" ", [
      "import_prefix (${var.import_prefix}) and rejections_prefix (${var.rejections_prefix}) must not lie inside each other: what the",
      "functions write must not be taken for an upload.",
    ])
  }
}

variable "source_bucket" {
  description = <<-EOT
    An existing bucket as the source, instead of one that the pipeline creates. It is not changed, and keeps its notification:
    - `name`, `further`: the bucket, and more buckets of the same account.
    - `account_id`: the account of the bucket, which is in this region; null is this account.
    - `via`: `eventbridge`, by rules of this pipeline, for which the owner enables EventBridge notifications of the bucket; or `s3`,
      by rules that the owner adds to its notification configuration.
    - `kms_key_arn`: the customer managed key that its objects are encrypted with.

    What its owner has to do is in the output `pipeline.source`; modules/source-bucket describes it.
  EOT
  type = object({
    name        = string
    further     = optional(set(string), [])
    account_id  = optional(string)
    via         = optional(string, "eventbridge")
    kms_key_arn = optional(string)
  })
  default = null
}

variable "dialect" {
  description = <<-EOT
    Format of the files; what is not set is detected in each file, or follows RFC 4180:
    - `delimiter`: separator of values, one ASCII character; `auto` detects `,` `;` tab or `|` by the file's beginning, and refuses
      a file that fits two of them.
    - `quote`: character around values that contain a delimiter or a line feed; empty: quotes are text.
    - `escape`: escape character, such as `\\` in files that MySQL and Redshift write; empty: quotes are doubled.
    - `comment`: lines that begin with it are ignored; empty: no comments.
    - `skip_lines`: lines to leave out before the header, 0 to 1000.
    - `header`: column names for files without a header; empty: the first line has them.
    - `encoding`: `auto` reads UTF-8 and, detected by its first bytes, UTF-16; or `utf-8`, `utf-16`, `utf-16-le`, `utf-16-be`,
      `windows-1252`.
    - `trim`: removes spaces around the `names` of columns, around names and values (`all`), or around `none`.
    - `decimal`: decimal separator of numbers, `.` or `,`.
    - `empty`: an empty cell without a default becomes an empty `text` (and nothing in a column of another type), is left out (`omit`),
      or is `null`.
    - `missing`: a row with fewer cells than the header is rejected (`reject`), or missing cells count as empty (`empty`).
  EOT
  type = object({
    delimiter  = optional(string, "auto")
    quote      = optional(string, "\"")
    escape     = optional(string, "")
    comment    = optional(string, "")
    skip_lines = optional(number, 0)
    header     = optional(list(string), [])
    encoding   = optional(string, "auto")
    trim       = optional(string, "names")
    missing    = optional(string, "reject")
    decimal    = optional(string, ".")
    empty      = optional(string, "text")
  })
  default  = {}
  nullable = false

  validation {
    condition = can(regex("^(auto|[\\x01-\\x09\\x0b\\x0c\\x0e-!#-/:-@\\[\\]-`{-\\x7f])$", var.dialect.delimiter))
    error_message = join(" ", [
      "dialect.delimiter must be auto or one ASCII character that is no letter, digit, double quote, backslash or line end, for",
      "example \";\" or \"\\t\".",
    ])
  }
  validation {
    condition = alltrue([
      for sign in [var.dialect.quote, var.dialect.escape, var.dialect.comment] :
      can(regex("^[\\x01-\\x09\\x0b\\x0c\\x0e-/:-@\\[-`{-\\x7f]?$", sign))
    ])
    error_message = join(" ", [
      "dialect.quote, dialect.escape and dialect.comment must each be one ASCII character that is no letter, digit or line end, or",
      "empty.",
    ])
  }
  validation {
    condition = length(distinct(compact([var.dialect.delimiter, var.dialect.quote, var.dialect.escape, var.dialect.comment]))) == length(
      compact([var.dialect.delimiter, var.dialect.quote, var.dialect.escape, var.dialect.comment])
    )
    error_message = join(" ", [
      "dialect.delimiter, dialect.quote, dialect.escape and dialect.comment",
      "must differ: one character cannot mean two things.",
    ])
  }
  validation {
    condition     = var.dialect.skip_lines >= 0 && var.dialect.skip_lines <= 1000 && floor(var.dialect.skip_lines) == var.dialect.skip_lines
    error_message = "dialect.skip_lines must be a whole number from 0 to 1000."
  }
  validation {
    condition = (
      alltrue([for name in var.dialect.header : trimspace(name) != ""])
      && length(distinct(var.dialect.header)) == length(var.dialect.header)
    )
    error_message = "dialect.header must name every column, and none twice."
  }
  validation {
    condition     = contains(["auto", "utf-8", "utf-16", "utf-16-le", "utf-16-be", "windows-1252"], var.dialect.encoding)
    error_message = "dialect.encoding must be auto, utf-8, utf-16, utf-16-le, utf-16-be or windows-1252."
  }
  validation {
    condition     = contains(["names", "all", "none"], var.dialect.trim)
    error_message = "dialect.trim must be names, all or none."
  }
  validation {
    condition     = contains(["reject", "empty"], var.dialect.missing)
    error_message = "dialect.missing must be reject or empty."
  }
  validation {
    condition     = contains([".", ","], var.dialect.decimal)
    error_message = "dialect.decimal must be \".\" or \",\"."
  }
  validation {
    condition     = contains(["text", "omit", "null"], var.dialect.empty)
    error_message = "dialect.empty must be text, omit or null."
  }
}

variable "columns" {
  description = <<-EOT
    Types of the file's columns, by the name in its header: `string`, `number`, `bool` or `timestamp`. A row is rejected if a value
    does not have its column's type, and a file without the column is refused unless `defaults` has a value for it. A column that is
    not named here is kept as text or dropped, as `unknown_columns` says.
  EOT
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([for type in values(var.columns) : contains(["string", "number", "bool", "timestamp"], type)])
    error_message = join(" ", [
      "Types in columns must be string, number, bool or timestamp:",
      join("", [
        join(", ", [for name, type in var.columns : "${name} is ${type}" if !contains(["string", "number", "bool", "timestamp"], type)]),
        ".",
      ]),
    ])
  }
  validation {
    condition     = length(setintersection(keys(var.columns), ["", "import_stamp"])) == 0
    error_message = "columns must name columns of the file's header; import_stamp is an attribute of every item."
  }
  validation {
    condition = contains(["string", "timestamp"], lookup(var.columns, var.table.hash_key, "string"))
    error_message = join(" ", [
      "columns gives ${var.table.hash_key} the type ${lookup(var.columns, var.table.hash_key, "string")}, but it is the table's hash",
      "key, a string: remove it from columns, or give table.hash_key another name.",
    ])
  }
}

variable "unknown_columns" {
  description = <<-EOT
    Columns that neither `columns` nor `key_columns` names: `keep` stores them as text, `drop` omits them.
  EOT
  type        = string
  default     = "keep"
  nullable    = false

  validation {
    condition     = contains(["keep", "drop"], var.unknown_columns)
    error_message = "unknown_columns must be keep or drop."
  }
  validation {
    condition     = var.unknown_columns != "drop" || length(var.columns) + length(var.key_columns) > 0
    error_message = "unknown_columns = \"drop\" without columns would drop every column of the file: list the columns to store."
  }
}

variable "key_columns" {
  description = <<-EOT
    Columns whose values together identify an item, also in later files. Empty: the column with the name of the table's hash key
    identifies it; in a file without that column every row is a separate item, identified by its import and row number.
  EOT
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([
      for name in var.key_columns : can(regex("^[^,]+$", name)) && trimspace(name) == name && name != "import_stamp"
    ])
    error_message = join(" ", [
      "Names in key_columns must not be empty, hold a comma, begin or",
      "end with a space, or be import_stamp, which every item has.",
    ])
  }
  validation {
    condition     = length(distinct(var.key_columns)) == length(var.key_columns)
    error_message = "key_columns names a column twice: name each once."
  }
  validation {
    condition = (
      length(var.key_columns) == 0 || var.key_columns == tolist([var.table.hash_key])
      || !contains(concat(keys(var.columns), var.key_columns), var.table.hash_key)
    )
    error_message = join(" ", [
      "The column ${var.table.hash_key} has the name of the table's hash key, which is made of other columns (key_columns), so",
      "every row would be rejected: use it alone in key_columns, remove it from key_columns and columns, or give table.hash_key",
      "another name.",
    ])
  }
}

variable "write_mode" {
  description = <<-EOT
    What happens when an item with the same key exists: `overwrite` replaces it, `insert_only` keeps it and rejects the row,
    `last_row_wins` replaces it unless it is from a later row or import. `overwrite` writes 25 items a call and the others one; if two
    rows of one file share a key, only `last_row_wins` defines which one stays.
  EOT
  type        = string
  default     = "overwrite"
  nullable    = false

  validation {
    condition     = contains(["overwrite", "insert_only", "last_row_wins"], var.write_mode)
    error_message = "write_mode must be overwrite, insert_only or last_row_wins."
  }
}

variable "defaults" {
  description = <<-EOT
    Values of fields that a file or a row leaves out, by the field's name, each as exactly one of `string`, `number` and `bool`: `{
    completed = { bool = false } }`. `created_at` and `updated_at` need none: they are the start of the import unless the file has them.
  EOT
  type = map(object({
    string = optional(string)
    number = optional(number)
    bool   = optional(bool)
  }))
  default  = { completed = { bool = false } }
  nullable = false

  validation {
    condition = alltrue([
      for value in values(var.defaults) :
      length([for given in [value.string != null, value.number != null, value.bool != null] : given if given]) == 1
    ])
    error_message = join(" ", [
      "Every entry of defaults must have exactly one of string, number",
      "and bool, for example { completed = { bool = false } }.",
    ])
  }
  validation {
    condition = alltrue([
      for name, value in var.defaults : lookup({
        string    = value.string != null
        timestamp = can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ]|$)", value.string))
        number    = value.number != null
        bool      = value.bool != null
      }, lookup(var.columns, name, "-"), true)
    ])
    error_message = join(" ", [
      "A default must have its column's type:",
      "${join(", ", [for name in keys(var.defaults) : "${name} is a ${var.columns[name]}" if contains(keys(var.columns), name)])} (a",
      "timestamp is a string such as 2026-01-31T09:30:00Z).",
    ])
  }
  validation {
    condition = length(setintersection(keys(var.defaults), concat(["", "import_stamp", var.table.hash_key], var.key_columns))) == 0
    error_message = join(" ", [
      "defaults must not name attributes that the import sets: remove",
      "${join(", ", setintersection(keys(var.defaults), concat(["", "import_stamp", var.table.hash_key], var.key_columns)))} (the",
      "table's hash key, key_columns and import_stamp have no default).",
    ])
  }
}

variable "expires_after_days" {
  description = <<-EOT
    Days from the start of an import after which DynamoDB deletes its items, by the attribute `expires_at`; a file with a column of that
    name is refused. Null keeps items.
  EOT
  type        = number
  default     = null

  validation {
    condition = (
      var.expires_after_days == null
      ? true
      : var.expires_after_days >= 1 && var.expires_after_days <= 36500 && floor(var.expires_after_days) == var.expires_after_days
    )
    error_message = "expires_after_days must be a whole number from 1 to 36500, or be left out."
  }
}

variable "rows_per_message" {
  description = <<-EOT
    Most rows in one message of the row queue; a message also never exceeds 64,000 bytes. 1 sends one message per row, with 400 times the
    calls and writes to the ledger.
  EOT
  type        = number
  default     = 400
  nullable    = false

  validation {
    condition     = var.rows_per_message >= 1 && var.rows_per_message <= 10000 && floor(var.rows_per_message) == var.rows_per_message
    error_message = "rows_per_message must be a whole number from 1 to 10000."
  }
}

variable "max_rejected_percent" {
  description = <<-EOT
    Percentage of rejected rows above which an import fails, after the whole file is read. Loaded rows stay, waiting rows are not loaded.
    100 never fails an import.
  EOT
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition = (
      var.max_rejected_percent >= 0 && var.max_rejected_percent <= 100
      && floor(var.max_rejected_percent) == var.max_rejected_percent
    )
    error_message = "max_rejected_percent must be a whole number from 0 to 100."
  }
}

variable "pace" {
  description = <<-EOT
    How fast the rows of the queue are loaded:
    - `table_write_capacity`: write units a second that the table is provisioned with; the functions together use 80 % of it. Null
      makes the table on-demand and lets the functions write as fast as DynamoDB accepts.
    - `maximum_concurrency`: most load functions at a time, 2 to 1000; 5 when left out. A provisioned table's capacity is shared equally
      among them.
    - `one_at_a_time`: makes the row queue a FIFO queue with one message group, so that one load function runs at a time, in the order
      of the rows. Changing it replaces the queue and deletes its messages.
    - `batch_size`: messages per invocation. Left out, as many as can be written within half of `load.timeout_seconds`, 10 at most.
    - `batching_window_seconds`: how long to wait for a batch to fill, as a `batch_size` above 10 needs.
    - `item_size_kb`: size of an item that the estimates assume; a write unit writes 1 KB, rounded up.
  EOT
  type = object({
    table_write_capacity    = optional(number)
    maximum_concurrency     = optional(number)
    one_at_a_time           = optional(bool, false)
    batch_size              = optional(number)
    batching_window_seconds = optional(number, 0)
    item_size_kb            = optional(number, 1)
  })
  default  = {}
  nullable = false

  validation {
    condition = (
      var.pace.table_write_capacity == null
      ? true
      : var.pace.table_write_capacity >= 1 && var.pace.table_write_capacity <= 40000
      && floor(var.pace.table_write_capacity) == var.pace.table_write_capacity
    )
    error_message = join(" ", [
      "pace.table_write_capacity must be a whole number of write units",
      "from 1 to 40000, or be left out for an on-demand table.",
    ])
  }
  validation {
    condition = (
      var.pace.maximum_concurrency == null || var.pace.one_at_a_time
      ? true
      : var.pace.maximum_concurrency >= 2 && var.pace.maximum_concurrency <= 1000
      && floor(var.pace.maximum_concurrency) == var.pace.maximum_concurrency
    )
    error_message = join(" ", [
      "pace.maximum_concurrency must be a whole number from 2 to 1000: Lambda takes no less. For one load function at a time set",
      "pace.one_at_a_time = true instead.",
    ])
  }
  validation {
    condition = var.pace.maximum_concurrency == null || !var.pace.one_at_a_time ? true : var.pace.maximum_concurrency == 1
    error_message = join(" ", [
      "pace.one_at_a_time and pace.maximum_concurrency = ${coalesce(var.pace.maximum_concurrency, 0)} contradict each other: leave one",
      "of them out.",
    ])
  }
  validation {
    condition = (
      var.pace.batch_size == null
      ? true
      : var.pace.batch_size >= 1 && var.pace.batch_size <= 10000 && floor(var.pace.batch_size) == var.pace.batch_size
    )
    error_message = "pace.batch_size must be a whole number from 1 to 10000, or be left out."
  }
  validation {
    condition = (
      var.pace.batching_window_seconds >= 0 && var.pace.batching_window_seconds <= 300
      && floor(var.pace.batching_window_seconds) == var.pace.batching_window_seconds
    )
    error_message = "pace.batching_window_seconds must be a whole number from 0 to 300."
  }
  validation {
    condition = (
      var.pace.one_at_a_time || var.pace.batch_size == null
      ? true
      : var.pace.batch_size <= 10 || var.pace.batching_window_seconds >= 1
    )
    error_message = join(" ", [
      "pace.batch_size above 10 needs pace.batching_window_seconds of at least 1. For more rows per invocation, rows_per_message costs",
      "less.",
    ])
  }
  validation {
    condition = !var.pace.one_at_a_time ? true : coalesce(var.pace.batch_size, 1) <= 10 && var.pace.batching_window_seconds == 0
    error_message = join(" ", [
      "With pace.one_at_a_time the row queue is a FIFO queue, which delivers 10 messages at most and has no batching window: set",
      "pace.batch_size to 10 or less and leave pace.batching_window_seconds out.",
    ])
  }
  validation {
    condition     = var.pace.item_size_kb > 0 && var.pace.item_size_kb <= 400
    error_message = "pace.item_size_kb must be above 0 and at most 400, the largest item that DynamoDB takes."
  }
}

variable "expected_rows" {
  description = <<-EOT
    Most rows that may be waiting at a time, for example those of the largest file. The plan is refused when they could not be loaded
    before the row queue's retention of 14 days deletes them. Null checks nothing.
  EOT
  type        = number
  default     = null

  validation {
    condition     = var.expected_rows == null ? true : var.expected_rows >= 1 && floor(var.expected_rows) == var.expected_rows
    error_message = "expected_rows must be a whole number, 1 or more, or be left out."
  }
}

variable "table" {
  description = <<-EOT
    The table: name of its hash key (text), whether it can be restored to any second of the last 35 days, whether AWS refuses to delete
    it, and the read units of a provisioned one (`pace.table_write_capacity` decides whether it is). Another `hash_key` is another
    table: the old one is deleted with its items, unless it is protected.
  EOT
  type = object({
    hash_key               = optional(string, "id")
    point_in_time_recovery = optional(bool, true)
    deletion_protection    = optional(bool, false)
    read_capacity          = optional(number, 5)
  })
  default  = {}
  nullable = false

  validation {
    condition     = length(var.table.hash_key) >= 1 && length(var.table.hash_key) <= 255 && var.table.hash_key != "import_stamp"
    error_message = "table.hash_key must have 1 to 255 characters and not be import_stamp, which every item has beside its key."
  }
  validation {
    condition = (
      var.table.read_capacity >= 1 && var.table.read_capacity <= 40000
      && floor(var.table.read_capacity) == var.table.read_capacity
    )
    error_message = "table.read_capacity must be a whole number of read units from 1 to 40000."
  }
}

variable "split" {
  description = <<-EOT
    Size of the function that reads the files: memory in MB, timeout in seconds, files read at a time, and when it hands the rest of a
    file to its next invocation: when this much time remains (`stop_at_remaining_seconds`), at most `maximum_hops` times per file.
  EOT
  type = object({
    memory_size_mb            = optional(number, 1769)
    timeout_seconds           = optional(number, 300)
    maximum_concurrency       = optional(number, 5)
    stop_at_remaining_seconds = optional(number, 60)
    maximum_hops              = optional(number, 200)
  })
  default  = {}
  nullable = false

  validation {
    condition = var.split.stop_at_remaining_seconds >= 10 && var.split.stop_at_remaining_seconds < var.split.timeout_seconds
    error_message = join(" ", [
      "split.stop_at_remaining_seconds must be at least 10, which sending what was read may take, and less than split.timeout_seconds",
      "(${var.split.timeout_seconds}), or every invocation would stop at once.",
    ])
  }
  validation {
    condition = (
      var.split.maximum_hops >= 1 && var.split.maximum_hops <= 10000
      && floor(var.split.maximum_hops) == var.split.maximum_hops
    )
    error_message = "split.maximum_hops must be a whole number from 1 to 10000."
  }
}

variable "load" {
  description = <<-EOT
    Size of the function that writes the rows: memory in MB and timeout in seconds. A batch must be writable within half of the timeout;
    how many run at a time and what they get is in `pace`.
  EOT
  type = object({
    memory_size_mb  = optional(number, 512)
    timeout_seconds = optional(number, 120)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.load.timeout_seconds >= 30
    error_message = "load.timeout_seconds must be at least 30: the function reserves 10 of them for the work after writing."
  }
}

variable "ledger" {
  description = <<-EOT
    The ledger of imports: days after which an import is deleted from it (counted from its beginning and again from its end), and
    whether AWS refuses to delete the table.
  EOT
  type = object({
    retention_days      = optional(number, 90)
    deletion_protection = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition = (
      var.ledger.retention_days >= 30 && var.ledger.retention_days <= 3650
      && floor(var.ledger.retention_days) == var.ledger.retention_days
    )
    error_message = join(" ", [
      "ledger.retention_days must be a whole number of days from 30 to 3650: rows may wait 14 days in their queue and 14 more as dead",
      "letters, and the ledger must still have their import.",
    ])
  }
}

variable "lifecycle_days" {
  description = <<-EOT
    Days after which uploads below the import prefix expire (`import`), older versions are deleted (`noncurrent`), unfinished multipart
    uploads are aborted (`incomplete_upload`) and rejection records expire (`rejections`).
  EOT
  type = object({
    import            = optional(number, 30)
    noncurrent        = optional(number, 14)
    incomplete_upload = optional(number, 7)
    rejections        = optional(number, 90)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for days in values(var.lifecycle_days) : days >= 1 && floor(days) == days])
    error_message = "lifecycle_days must be whole numbers of days, 1 or more."
  }
  validation {
    condition = var.lifecycle_days.import >= 5 && var.lifecycle_days.noncurrent >= 5
    error_message = join(" ", [
      "lifecycle_days.import and lifecycle_days.noncurrent must be 5 or more: an upload may wait 4 days, and its file must still exist.",
    ])
  }
}

variable "notices" {
  description = <<-EOT
    Publishes a message for every completed or failed import to a topic, to which these e-mail addresses are subscribed; AWS asks them to
    confirm first. Null creates no topic.
  EOT
  type = object({
    email_subscribers = optional(set(string), [])
  })
  default = null
}

variable "max_receive_count" {
  description = "Receives of a message before it moves to the dead-letter queue."
  type        = number
  default     = 5
  nullable    = false
}

variable "late_after_seconds" {
  description = <<-EOT
    Target of the pipeline: seconds within which the rows of a file begin to be read. With `alarm`, a message that has waited longer
    triggers an alarm.
  EOT
  type        = number
  default     = 3600
  nullable    = false

  validation {
    condition = (
      var.late_after_seconds >= 60 && var.late_after_seconds < 345600
      && floor(var.late_after_seconds) == var.late_after_seconds
    )
    error_message = join(" ", [
      "late_after_seconds must be a whole number from 60 (CloudWatch evaluates once a minute) to 345599 (the queue deletes messages",
      "after four days).",
    ])
  }
}

variable "stalled_after_seconds" {
  description = <<-EOT
    Seconds for which rows must wait without any being loaded until imports count as stalled, which with `alarm` triggers an alarm.
  EOT
  type        = number
  default     = 1800
  nullable    = false

  validation {
    condition = var.stalled_after_seconds >= 900 && var.stalled_after_seconds <= 86400 && var.stalled_after_seconds % 300 == 0
    error_message = join(" ", [
      "stalled_after_seconds must be a multiple of 300 from 900, as long as one batch may take, to 86400, a day: the alarm's",
      "periods are five minutes, and CloudWatch evaluates one day at most.",
    ])
  }
}

variable "alarm" {
  description = <<-EOT
    Where alarms are sent: on dead letters, files that wait too long, imports that fail or stall, rejected files and rows, errors,
    throttles, and rows that have waited for half of their queue's retention. `rejections` is the number of rejections within five minutes
    that triggers an alarm. Null creates none.
  EOT
  type = object({
    actions    = list(string)
    rejections = optional(number, 1)
  })
  default = null

  validation {
    condition     = var.alarm == null ? true : var.alarm.rejections >= 1
    error_message = "alarm.rejections must be 1 or more: at 0 it would always be in ALARM."
  }
}

variable "kms_key" {
  description = <<-EOT
    Encrypts objects, messages, both tables, logs and the functions' environment with this customer managed key, whose policy must
    let the services in `key_sources` and CloudWatch Logs use it. Null uses keys of AWS.
  EOT
  type = object({
    arn = string
  })
  default = null

  validation {
    condition = (
      var.kms_key == null
      ? true
      : can(regex(
        "^arn:[a-z0-9-]+:kms:${lookup(data.aws_region.current, "region", data.aws_region.current.id)}:[0-9]{12}:key/[A-Za-z0-9-]+$",
        var.kms_key.arn
      ))
    )
    error_message = join(" ", [
      "kms_key.arn must be the key ARN (arn:...:key/...) of a customer managed key in",
      "${lookup(data.aws_region.current, "region", data.aws_region.current.id)}, not an alias: permissions on an alias grant nothing.",
    ])
  }
}

variable "log_retention_days" {
  description = "Days for which the functions' logs are kept."
  type        = number
  default     = 14
  nullable    = false
}

variable "force_destroy_bucket" {
  description = "Lets `terraform destroy` delete the bucket with the objects in it."
  type        = bool
  default     = false
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = <<-EOT
    ARN of the IAM policy that is the permissions boundary of every role of the pipeline. Null sets no boundary.
  EOT
  type        = string
  default     = null
}

variable "iam_path" {
  description = "IAM path of the pipeline's roles, for accounts that allow them below one path only. A change replaces roles and policies."
  type        = string
  default     = "/"
  nullable    = false
}

variable "vpc" {
  description = <<-EOT
    Puts the functions into a VPC, from which they reach other services through endpoints (docs/security.md has the list) or a NAT
    gateway only; null leaves them outside:
    - `subnet_ids`: 1 to 16 of one VPC, in two or more availability zones.
    - `security_group_ids`: 1 to 5 of the same VPC.
    - `ipv6`: whether they reach IPv6 addresses as well; every subnet needs an IPv6 CIDR block.
  EOT
  type = object({
    subnet_ids         = set(string)
    security_group_ids = set(string)
    ipv6               = optional(bool, false)
  })
  default = null
}

variable "trust_source_account" {
  description = <<-EOT
    Whether the trust policies of the functions' roles require that `aws:SourceAccount` is this account, as in AWS's samples. Set it
    to false if Lambda cannot assume the roles, so that functions do not run or queues are not polled.
  EOT
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags added to every resource of the pipeline."
  type        = map(string)
  default     = {}
  nullable    = false
}
