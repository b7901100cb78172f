variable "name" {
  description = "Name of the function; its role, log group and alarms are named after it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "name must be 1 to 64 letters, digits, hyphens and underscores: Lambda takes no others."
  }
}

variable "description" {
  description = "One sentence on what the function does, shown in the console."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = length(var.description) <= 256
    error_message = "description has ${length(var.description)} characters and Lambda takes 256."
  }
}

variable "package" {
  description = <<-EOT
    The zip to run:
    - `path`: its path, relative to the root module, or plans differ between checkouts.
    - `content_hash`: base64 SHA-256 of sources and dependencies. The code is updated only when it changes. Without it the hash of the
      zip is used.
    - `size_bytes`: size of the zip, to check whether it needs `code_bucket`.
    - `handler`, `runtime`, `architecture`: where its code starts and what it was built for: the defaults of the variables of these names.
      A variable `runtime` or `architecture` with another value is refused.
  EOT
  type = object({
    path         = string
    content_hash = optional(string)
    size_bytes   = optional(number)
    handler      = optional(string)
    runtime      = optional(string)
    architecture = optional(string)
  })
  nullable = false

  validation {
    condition     = fileexists(var.package.path)
    error_message = "There is no package at ${var.package.path}: run ./build.sh first, or correct package.path."
  }
  validation {
    # Every zip begins with PK\003\004.
    condition     = fileexists(var.package.path) ? startswith(filebase64(var.package.path), "UEsDB") : true
    error_message = "${var.package.path} is not a zip: give the archive that ./build.sh or zip wrote, not its content."
  }
  validation {
    condition = var.package.content_hash == null || can(regex("^[A-Za-z0-9+/]{43}=$", var.package.content_hash))
    error_message = join(" ", [
      "package.content_hash must be a base64 SHA-256 (44 characters, the last one =), as in build/manifest.json or from",
      "filebase64sha256().",
    ])
  }
  validation {
    condition = var.package.size_bytes == null || coalesce(var.package.size_bytes, 0) <= 52428800 || var.code_bucket != null
    error_message = join(" ", [
      "${var.package.path} has ${coalesce(var.package.size_bytes, 0)} bytes and Lambda takes 52428800 (50 MiB) directly: give",
      "code_bucket, and the zip goes through S3.",
    ])
  }
  validation {
    condition = var.package.runtime == null || var.runtime == null || var.package.runtime == var.runtime
    error_message = join(" ", [
      "${var.package.path} was built for ${coalesce(var.package.runtime, "-")} and runtime is ${coalesce(var.runtime, "-")}:",
      "run ./build.sh --runtime ${coalesce(var.runtime, "-")}, or leave runtime out.",
    ])
  }
  validation {
    condition = var.package.architecture == null || var.architecture == null || var.package.architecture == var.architecture
    error_message = join(" ", [
      "${var.package.path} was built for ${coalesce(var.package.architecture, "-")}",
      "and architecture is ${coalesce(var.architecture, "-")}:",
      "run ./build.sh --architecture ${coalesce(var.architecture, "-")}, or leave architecture out.",
    ])
  }
  validation {
    condition = !can(regex(local.archived_runtimes, coalesce(var.package.runtime, "-")))
    error_message = join(" ", [
      "Lambda no longer makes functions for package.runtime, ${coalesce(var.package.runtime, "-")}: build for a runtime that it",
      "supports, such as python3.13.",
    ])
  }
  validation {
    condition     = contains(["arm64", "x86_64"], coalesce(var.package.architecture, "arm64"))
    error_message = "package.architecture must be arm64 or x86_64."
  }
  validation {
    condition     = var.handler != null || can(regex("^[^\\s]{1,128}$", var.package.handler))
    error_message = "Without handler, package.handler must say where the code starts, such as split_csv.handler.handler."
  }
}

variable "code_bucket" {
  description = <<-EOT
    Bucket in the function's region through which the zip is deployed, as zips above 50 MiB need. The module writes
    `<prefix><name>/<content hash>.zip` there and removes it with the function; null uploads the zip directly.
  EOT
  type = object({
    name   = string
    prefix = optional(string, "")
  })
  default = null
}

variable "handler" {
  description = "Where the code starts: `<package>.<module>.<function>`. Null takes `package.handler`."
  type        = string
  default     = null

  validation {
    condition     = var.handler == null || can(regex("^[^\\s]{1,128}$", var.handler))
    error_message = "handler must be 1 to 128 characters without spaces, such as split_csv.handler.handler."
  }
}

variable "runtime" {
  description = "Lambda runtime that the package was built for. Null takes `package.runtime`, or python3.13 without one."
  type        = string
  default     = null

  validation {
    condition     = var.runtime == null ? true : length(var.runtime) > 0
    error_message = "runtime must name a Lambda runtime, such as python3.13."
  }
  validation {
    condition = !can(regex(local.archived_runtimes, coalesce(var.runtime, "-")))
    error_message = join(" ", [
      "Lambda no longer makes functions for ${coalesce(var.runtime, "-")}:",
      "use a runtime that it supports, such as python3.13.",
    ])
  }
}

variable "architecture" {
  description = "Processor, the one the package was built for. Null takes `package.architecture`, and arm64 (cheaper) without one."
  type        = string
  default     = null

  validation {
    condition     = contains(["arm64", "x86_64"], coalesce(var.architecture, "arm64"))
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "layers" {
  description = "ARNs of layer versions in the function's region, up to 5, unpacked in this order."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = length(var.layers) <= 5 && alltrue([
      for arn in var.layers : can(regex("^arn:[a-z0-9-]+:lambda:${local.region}:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$", arn))
    ])
    error_message = "layers must be up to 5 ARNs of layer versions in ${local.region}: arn:...:layer:<name>:<version>."
  }
}

variable "timeout_seconds" {
  description = "How long one invocation may take. A queue-fed function has this for the whole batch."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900 && floor(var.timeout_seconds) == var.timeout_seconds
    error_message = "timeout_seconds must be a whole number from 1 to 900."
  }
}

variable "memory_size_mb" {
  description = "Memory of one invocation in MiB; processor time grows with it, one whole core at about 1769."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = var.memory_size_mb >= 128 && var.memory_size_mb <= 10240 && floor(var.memory_size_mb) == var.memory_size_mb
    error_message = "memory_size_mb must be a whole number from 128 to 10240."
  }
}

variable "ephemeral_storage_mb" {
  description = "Size of /tmp in MiB. It outlives an invocation, so code must clean up after itself."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition = (
      var.ephemeral_storage_mb >= 512 && var.ephemeral_storage_mb <= 10240
      && floor(var.ephemeral_storage_mb) == var.ephemeral_storage_mb
    )
    error_message = "ephemeral_storage_mb must be a whole number from 512 to 10240."
  }
}

variable "environment" {
  description = "Environment variables of the function. They show in the console and in plans: no secrets."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([for key in keys(var.environment) : can(regex("^[A-Za-z][A-Za-z0-9_]+$", key))])
    error_message = join(" ", [
      "Lambda takes environment variables of two or more letters, digits and underscores, beginning with a letter; not",
      "${join(", ", [for key in keys(var.environment) : key if !can(regex("^[A-Za-z][A-Za-z0-9_]+$", key))])}.",
    ])
  }
  validation {
    condition = length(setintersection(keys(var.environment), local.reserved_environment_names)) == 0
    error_message = join(" ", [
      "Lambda sets ${join(", ", setintersection(keys(var.environment), local.reserved_environment_names))} itself: take it out of",
      "environment.",
    ])
  }
  validation {
    # Base64 counts bytes where length() counts letters: 4096 bytes make 5462 characters and padding.
    condition     = length(replace(base64encode(jsonencode(var.environment)), "=", "")) <= 5462
    error_message = "environment is over Lambda's 4 KB as JSON: keep long values in a parameter or an object and pass its name."
  }
}

variable "queue" {
  description = <<-EOT
    SQS queue that feeds the function, as `sqs-with-dlq` outputs it; null for a function that is called directly:
    - `arn`: the queue, in the function's region.
    - `fifo`: whether it is a FIFO queue.
    - `visibility_timeout_seconds`: at least 6 x `timeout_seconds` + `batching_window_seconds`.
    - `kms_key_arn`: customer key that encrypts its messages.
  EOT
  type = object({
    arn                        = string
    fifo                       = optional(bool, false)
    visibility_timeout_seconds = number
    kms_key_arn                = optional(string)
  })
  default = null

  validation {
    condition     = var.queue == null || can(regex("^arn:[^:]+:sqs:[^:]+:[0-9]{12}:[A-Za-z0-9_.-]+$", var.queue.arn))
    error_message = "queue.arn must be that of an SQS queue: arn:aws:sqs:<region>:<account>:<name>."
  }
  validation {
    condition     = var.queue == null ? true : var.queue.fifo == endswith(var.queue.arn, ".fifo")
    error_message = "queue.fifo must say what queue.arn says: true for a name that ends in .fifo, false for any other."
  }
  validation {
    condition = var.queue == null ? true : var.queue.visibility_timeout_seconds >= 6 * var.timeout_seconds + var.batching_window_seconds
    error_message = join(" ", [
      "queue.visibility_timeout_seconds must be at least ${6 * var.timeout_seconds + var.batching_window_seconds} (6 x timeout_seconds",
      "+ batching_window_seconds), or messages come back while they are still being worked on: give the queue's module consumer = {",
      "timeout_seconds = ${var.timeout_seconds}, batching_window_seconds = ${var.batching_window_seconds} }, or lower timeout_seconds.",
    ])
  }
  validation {
    condition = var.queue == null ? true : !var.queue.fifo || var.batch_size <= 10 && var.batching_window_seconds == 0
    error_message = join(" ", [
      "A FIFO queue delivers 10 messages at most and has no batching window: set batch_size (${var.batch_size}) to 10 or less and",
      "batching_window_seconds (${var.batching_window_seconds}) to 0.",
    ])
  }
  validation {
    condition     = var.queue != null || var.batching_window_seconds == 0
    error_message = "batching_window_seconds needs a queue: set it to 0, or set queue."
  }
}

variable "batch_size" {
  description = "Most messages handed over in one invocation: up to 10, or up to 10000 with a batching window."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 10000 && floor(var.batch_size) == var.batch_size
    error_message = "batch_size must be a whole number from 1 to 10000."
  }
  validation {
    condition     = var.batch_size <= 10 || var.batching_window_seconds >= 1
    error_message = "batch_size above 10 needs batching_window_seconds of at least 1."
  }
}

variable "batching_window_seconds" {
  description = "How long to wait for a batch to fill; counts against the queue's visibility timeout."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition = (
      var.batching_window_seconds >= 0 && var.batching_window_seconds <= 300
      && floor(var.batching_window_seconds) == var.batching_window_seconds
    )
    error_message = "batching_window_seconds must be a whole number from 0 to 300."
  }
}

variable "maximum_concurrency" {
  description = "Most invocations that the queue may have running at a time; messages beyond them wait in the queue. Null sets no bound."
  type        = number
  default     = null

  validation {
    condition = (
      var.maximum_concurrency == null
      ? true
      : var.maximum_concurrency >= 2 && var.maximum_concurrency <= 1000 && floor(var.maximum_concurrency) == var.maximum_concurrency
    )
    error_message = "maximum_concurrency must be a whole number from 2 to 1000. For one at a time use a FIFO queue with one message group."
  }
  validation {
    condition     = var.maximum_concurrency == null || var.queue != null
    error_message = "maximum_concurrency needs a queue: use reserved_concurrency."
  }
  validation {
    condition = var.maximum_concurrency == null || var.provisioned_pollers == null
    error_message = join(" ", [
      "maximum_concurrency and provisioned_pollers exclude each other: provisioned_pollers.maximum bounds concurrency too, by 10 for",
      "each poller.",
    ])
  }
  validation {
    condition = anytrue([
      var.maximum_concurrency == null,
      var.reserved_concurrency == -1,
      try(var.maximum_concurrency <= var.reserved_concurrency, false),
    ])
    error_message = join(" ", [
      "maximum_concurrency must not be above reserved_concurrency (${var.reserved_concurrency}): invocations above it would be",
      "throttled, and every throttled message counts as received.",
    ])
  }
}

variable "provisioned_pollers" {
  description = <<-EOT
    Pollers kept running for the queue, `minimum` always and up to `maximum` under load, where the ordinary ones scale too slowly. Each is
    billed by the hour.
  EOT
  type = object({
    minimum = number
    maximum = number
  })
  default = null

  validation {
    condition = (
      var.provisioned_pollers == null
      ? true
      : var.provisioned_pollers.minimum >= 2 && var.provisioned_pollers.minimum <= 200
      && var.provisioned_pollers.maximum >= 2 && var.provisioned_pollers.maximum <= 2000
    )
    error_message = "provisioned_pollers.minimum must be from 2 to 200 and provisioned_pollers.maximum from 2 to 2000."
  }
  validation {
    condition     = var.provisioned_pollers == null ? true : var.provisioned_pollers.minimum <= var.provisioned_pollers.maximum
    error_message = "provisioned_pollers.minimum must not be above provisioned_pollers.maximum."
  }
  validation {
    condition     = var.provisioned_pollers == null || var.queue != null
    error_message = "provisioned_pollers need a queue: remove them, or set queue."
  }
}

variable "filter_patterns" {
  description = <<-EOT
    Event filter patterns as JSON, such as `jsonencode({ body = { kind = ["order"] } })`: only messages that match one of them reach the
    function. Lambda deletes the others from the queue.
  EOT
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for pattern in var.filter_patterns : can(keys(jsondecode(pattern)))])
    error_message = "Every element of filter_patterns must be a JSON object: write it with jsonencode({ body = { ... } })."
  }
  validation {
    condition = alltrue([
      for pattern in var.filter_patterns : !can(keys(jsondecode(pattern))) ? true : length(setsubtract(keys(jsondecode(pattern)), [
        "$or", "attributes", "awsRegion", "body", "eventSource", "eventSourceARN",
        "md5OfBody", "messageAttributes", "messageId", "receiptHandle",
      ])) == 0
    ])
    error_message = join(" ", [
      "filter_patterns compare members of an SQS record, such as body or messageAttributes; with another name, such as the data of a",
      "stream, no message matches and Lambda deletes every message.",
    ])
  }
  validation {
    condition     = alltrue([for pattern in var.filter_patterns : length(pattern) <= 4096])
    error_message = "A filter pattern has more than the 4096 characters that Lambda takes: compare fewer values."
  }
  validation {
    condition = length(var.filter_patterns) <= 5
    error_message = join(" ", [
      "filter_patterns has ${length(var.filter_patterns)} elements and",
      "Lambda takes 5: join them, one pattern may list several values.",
    ])
  }
  validation {
    condition     = length(var.filter_patterns) == 0 || var.queue != null
    error_message = "filter_patterns need a queue: remove them, or set queue."
  }
}

variable "policies" {
  description = <<-EOT
    Permissions of the code, as IAM policy JSON by a name of your choice. The module adds those that it needs itself (logs, queue, keys,
    failure destination, tracing).
  EOT
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.policies) : can(regex("^[A-Za-z0-9_-]{1,64}$", key))])
    error_message = "Keys of policies name role policies: use 1 to 64 letters, digits, hyphens and underscores."
  }
  validation {
    condition = alltrue([
      for policy in values(var.policies) : can([
        jsondecode(policy).Version,
        [for statement in flatten([jsondecode(policy).Statement]) : keys(statement)],
      ])
    ])
    error_message = join(" ", [
      "Each of policies must be an IAM policy as JSON with Version and Statement: write it with jsonencode({ Version = \"2012-10-17\",",
      "Statement = [...] }) (check: ${join(", ", keys(var.policies))}).",
    ])
  }
  validation {
    # Values that are no policy are refused above.
    condition = alltrue([
      for statement in flatten([for policy in values(var.policies) : try(jsondecode(policy).Statement, [])]) :
      lookup(statement, "Effect", "Allow") != "Allow" || !anytrue([
        for action in flatten([lookup(statement, "Action", "*")]) : can(regex("^([^:]+:)?[*]+$", action))
      ])
    ])
    error_message = join(" ", [
      "One of policies (${join(", ", keys(var.policies))}) allows everything of a service (an action \"*\" or \"service:*\", or",
      "NotAction): list the actions that the code calls.",
    ])
  }
}

variable "key_uses" {
  description = <<-EOT
    Uses of `kms_key` by the code, beside reading `queue`; the role may use the key for these only through their service:
    `read_objects`, `write_objects`, `receive_messages`, `send_messages`, `publish`, `read_items` or `write_items`. Without
    `kms_key` they grant nothing.
  EOT
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(setsubtract(var.key_uses, keys(module.key.statements))) == 0
    error_message = "key_uses may have ${join(", ", keys(module.key.statements))}."
  }
}

variable "role_arn" {
  description = <<-EOT
    Existing role of this account for the function; it must be known when planning, so compose it from the role's name. The module does
    not change it: attach the output `role_policy` before the function is created.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.role_arn == null ? true : can(regex("^arn:[a-z0-9-]+:iam::${local.account_id}:role/[!-~]+$", var.role_arn))
    error_message = "role_arn must be the ARN of a role of account ${local.account_id}: Lambda takes none of another account."
  }
  validation {
    condition     = var.role_arn == null || var.permissions_boundary_arn == null && var.iam_path == "/"
    error_message = "permissions_boundary_arn and iam_path are for the role that the module makes: with role_arn, leave them out."
  }
}

variable "failure_destination" {
  description = <<-EOT
    Where Lambda sends an asynchronous invocation that failed all retries, with its event: `arn` of an SQS queue or SNS topic, and
    `kms_key_arn` if a customer key encrypts it. Only for a function without a queue; a queue has its dead-letter queue.
  EOT
  type = object({
    arn         = string
    kms_key_arn = optional(string)
  })
  default = null

  validation {
    condition = (
      var.failure_destination == null
      || can(regex("^arn:[^:]+:(sqs|sns):[^:]+:[0-9]{12}:[A-Za-z0-9_.-]+$", var.failure_destination.arn))
    )
    error_message = "failure_destination.arn must be that of an SQS queue or an SNS topic."
  }
  validation {
    condition     = var.failure_destination == null ? true : !endswith(var.failure_destination.arn, ".fifo")
    error_message = "failure_destination.arn must not be FIFO: Lambda reports only to standard queues and topics."
  }
  validation {
    condition     = var.failure_destination == null || var.queue == null
    error_message = "failure_destination is for asynchronous invocations: remove it, a queue's failed messages go to its dead-letter queue."
  }
}

variable "maximum_retry_attempts" {
  description = "Retries of a failed asynchronous invocation, 0 to 2; null uses Lambda's default, 2. Only for a function without a queue."
  type        = number
  default     = null

  validation {
    condition     = var.maximum_retry_attempts == null ? true : contains([0, 1, 2], var.maximum_retry_attempts)
    error_message = "maximum_retry_attempts must be 0, 1 or 2."
  }
  validation {
    condition     = var.maximum_retry_attempts == null || var.queue == null
    error_message = "maximum_retry_attempts does not apply to a queue's messages: set max_receive_count on the queue."
  }
}

variable "maximum_event_age_seconds" {
  description = <<-EOT
    Maximum age of an asynchronous invocation's event, 60 to 21600; null uses Lambda's default, 21600. Only for a function without a
    queue.
  EOT
  type        = number
  default     = null

  validation {
    condition = (
      var.maximum_event_age_seconds == null
      ? true
      : var.maximum_event_age_seconds >= 60 && var.maximum_event_age_seconds <= 21600
    )
    error_message = "maximum_event_age_seconds must be from 60 to 21600."
  }
  validation {
    condition     = var.maximum_event_age_seconds == null || var.queue == null
    error_message = "maximum_event_age_seconds does not apply to a queue's messages: set message_retention_seconds on the queue."
  }
}

variable "recursive_loop" {
  description = <<-EOT
    What Lambda does when it detects a recursive loop of about 16 invocations through SQS, SNS or S3: Terminate stops the function,
    Allow is for code that sends to its own queue on purpose.
  EOT
  type        = string
  default     = "Terminate"
  nullable    = false

  validation {
    condition     = contains(["Terminate", "Allow"], var.recursive_loop)
    error_message = "recursive_loop must be Terminate or Allow."
  }
}

variable "reserved_concurrency" {
  description = <<-EOT
    Concurrency set aside for the function and its upper bound; -1 uses the account's unreserved concurrency, 0 stops the function. With a
    queue, set `maximum_concurrency` as well and no higher.
  EOT
  type        = number
  default     = -1
  nullable    = false

  validation {
    condition     = var.reserved_concurrency >= -1 && floor(var.reserved_concurrency) == var.reserved_concurrency
    error_message = "reserved_concurrency must be -1 or a whole number from 0."
  }
}

variable "log_group" {
  description = <<-EOT
    Where the function logs:
    - `name`: `/aws/lambda/<name>` unless given.
    - `create`: false takes a group that exists, also one that several functions share. Its retention, class and key are then its owner's.
    - `class`: `STANDARD` (default of CloudWatch for null) or `INFREQUENT_ACCESS`, which costs half and has no metrics from log
      lines. A change replaces the group.
  EOT
  type = object({
    name   = optional(string)
    create = optional(bool, true)
    class  = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition = (
      can(regex("^[A-Za-z0-9_/.#-]{1,512}$", coalesce(var.log_group.name, "-")))
      && !startswith(coalesce(var.log_group.name, "-"), "aws/")
    )
    error_message = join(" ", [
      "log_group.name must be 1 to 512 letters, digits and _ / . # -, and not begin with aws/, which CloudWatch reserves.",
    ])
  }
  validation {
    condition     = contains(["STANDARD", "INFREQUENT_ACCESS"], coalesce(var.log_group.class, "STANDARD"))
    error_message = "log_group.class must be STANDARD or INFREQUENT_ACCESS."
  }
  validation {
    condition     = var.log_group.create || var.log_group.name != null && var.log_group.class == null
    error_message = "log_group.create = false takes a group that exists: give its name, and leave class to its owner."
  }
}

variable "log_retention_days" {
  description = "How long logs are kept, in days; 0 never deletes them."
  type        = number
  default     = 14
  nullable    = false

  validation {
    condition = contains(
      [0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days
    )
    error_message = join(" ", [
      "log_retention_days must be one that CloudWatch supports: 0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096,",
      "1827, 2192, 2557, 2922, 3288 or 3653.",
    ])
  }
}

variable "log_level" {
  description = <<-EOT
    Lines below this level are not stored. Lambda takes a line without a level for INFO, and metrics in the embedded format have none:
    above INFO they are lost.
  EOT
  type        = string
  default     = "INFO"
  nullable    = false

  validation {
    condition     = contains(["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"], var.log_level)
    error_message = "log_level must be TRACE, DEBUG, INFO, WARN, ERROR or FATAL."
  }
}

variable "kms_key" {
  description = <<-EOT
    Customer key that encrypts the environment, the logs and the filter patterns: `arn`. Its policy must allow the services, see the
    README.
  EOT
  type = object({
    arn = string
  })
  default = null

  validation {
    condition     = var.kms_key == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key.arn))
    error_message = "kms_key.arn must be a key's ARN (arn:aws:kms:<region>:<account>:key/<id>), not an alias: the logs take no alias."
  }
}

variable "tracing" {
  description = "Whether calls are recorded in X-Ray."
  type        = bool
  default     = false
  nullable    = false
}

variable "alarm" {
  description = <<-EOT
    CloudWatch alarms on the function; null for none:
    - `actions`: ARNs that are notified when an alarm enters and leaves ALARM, such as an SNS topic.
    - `errors`: failed invocations within a period that trigger the alarm.
    - `throttles`: throttled invocations within a period that trigger the alarm.
    - `period_seconds`: length of a period.
    - `name_prefix`: that of a stack of this project, whose `event-pipelines` commands the descriptions then name.
    One more alarm is triggered when Lambda stops the function because of a recursive loop.
  EOT
  type = object({
    actions        = list(string)
    errors         = optional(number, 1)
    throttles      = optional(number, 1)
    period_seconds = optional(number, 300)
    name_prefix    = optional(string)
  })
  default = null

  validation {
    condition = (
      var.alarm == null
      ? true
      : alltrue([for arn in var.alarm.actions : can(regex("^arn:[^:]+:[^:]+:(${local.region})?:", arn))])
    )
    error_message = "alarm.actions must be ARNs in the function's region, ${local.region}: alarms notify only in their own region."
  }
  validation {
    condition     = var.alarm == null ? true : var.alarm.errors >= 1 && var.alarm.throttles >= 1
    error_message = "alarm.errors and alarm.throttles must be at least 1: at 0 they would always be in ALARM."
  }
  validation {
    condition     = var.alarm == null ? true : var.alarm.period_seconds >= 60 && var.alarm.period_seconds % 60 == 0
    error_message = "alarm.period_seconds must be a multiple of 60: Lambda's metrics have periods of a minute."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the IAM policy that is the role's permissions boundary. Null sets no boundary."
  type        = string
  default     = null

  validation {
    condition = var.permissions_boundary_arn == null ? true : can(regex(
      "^arn:[a-z0-9-]+:iam::(${data.aws_caller_identity.current.account_id}|aws):policy/[!-~]+$", var.permissions_boundary_arn,
    ))
    error_message = join(" ", [
      "permissions_boundary_arn must be the ARN of a managed policy of AWS or of account ${data.aws_caller_identity.current.account_id}:",
      "IAM takes no boundary from another account.",
    ])
  }
}

variable "iam_path" {
  description = "IAM path of the role, for accounts that allow roles below one path only. A change replaces the role."
  type        = string
  default     = "/"
  nullable    = false

  validation {
    condition     = can(regex("^/([!-~]+/)?$", var.iam_path)) && length(var.iam_path) <= 512
    error_message = "iam_path must begin and end with a slash, such as /teams/media/, in at most 512 visible ASCII characters."
  }
}

variable "vpc" {
  description = <<-EOT
    Puts the function into a VPC, from which it reaches other services through endpoints or a NAT gateway only; null leaves it outside:
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

  validation {
    condition = var.vpc == null ? true : (
      length(var.vpc.subnet_ids) >= 1 && length(var.vpc.subnet_ids) <= 16
      && alltrue([for id in var.vpc.subnet_ids : can(regex("^subnet-[0-9a-f]{8,17}$", id))])
    )
    error_message = "vpc.subnet_ids must be the ids of 1 to 16 subnets, such as subnet-0123456789abcdef0."
  }
  validation {
    condition = var.vpc == null ? true : (
      length(var.vpc.security_group_ids) >= 1 && length(var.vpc.security_group_ids) <= 5
      && alltrue([for id in var.vpc.security_group_ids : can(regex("^sg-[0-9a-f]{8,17}$", id))])
    )
    error_message = "vpc.security_group_ids must be the ids of 1 to 5 security groups, such as sg-0123456789abcdef0."
  }
}

variable "trust_source_account" {
  description = <<-EOT
    Whether the trust policy of the function's role requires that `aws:SourceAccount` is this account, as in AWS's samples. Set it
    to false if Lambda cannot assume the role, so that the function does not run or its queue is not polled.
  EOT
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags for all resources that support them."
  type        = map(string)
  default     = {}
  nullable    = false
}
