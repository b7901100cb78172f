variable "name_prefix" {
  description = <<-EOT
    First part of every resource name, also of those that `event-pipelines tenants` creates. Names of groups share the limit of
    bucket names with it.
  EOT
  type        = string
  nullable    = false

  validation {
    condition = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name_prefix))
    error_message = join(" ", [
      "name_prefix must be 2 to 24 lower-case letters, digits and hyphens, start with a letter and not end with a hyphen: queues of",
      "tenants are named <name_prefix>-tenant-<up to 40 characters>-raw-dlq, and SQS takes 80.",
    ])
  }
  validation {
    condition = !can(regex("^(aws|ssm|xn--|sthree-|amzn-s3-demo-)", "${var.name_prefix}-"))
    error_message = join(" ", [
      "name_prefix must not begin with aws or ssm, which Systems Manager reserves for its parameters, nor with xn--, sthree- or",
      "amzn-s3-demo-, which S3 reserves.",
    ])
  }
  validation {
    condition = !can(regex("-(tg|tenant)(-|$)", var.name_prefix))
    error_message = join(" ", [
      "name_prefix must not have tg or tenant as a word after the first: a stack with the name_prefix before that word uses it in the",
      "names of its groups and tenants, and could take this stack's buckets for its own.",
    ])
  }
}

variable "packages" {
  description = <<-EOT
    Packages of `route_tenant_event` (`route`) and `process_tenant_file` (`process`) as `build.sh` lists them in its manifest: path of
    the zip, Lambda handler, content hash (base64 SHA-256), size in bytes, and the runtime and architecture it was built for.
  EOT
  type = object({
    route = object({
      path         = string
      handler      = string
      content_hash = string
      size_bytes   = number
      runtime      = string
      architecture = string
    })
    process = object({
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

variable "queue_mode" {
  description = <<-EOT
    Queues of new groups unless `create-group` sets another mode: `per_tenant` gives every tenant a queue, `shared_fair` gives every
    group one fair queue for all of its tenants. A group keeps the mode with which it was created.
  EOT
  type        = string
  default     = "per_tenant"
  nullable    = false

  validation {
    condition     = contains(["per_tenant", "shared_fair"], var.queue_mode)
    error_message = "queue_mode must be per_tenant or shared_fair."
  }
}

variable "cache" {
  description = <<-EOT
    How long the router caches the registry, in seconds: tenants that exist (`seconds`; a suspension takes effect within this time
    and a fifth more), tenants that do not (`negative_seconds`), and entries that are used while the registry cannot be read
    (`stale_seconds`, 0 for not at all).
  EOT
  type = object({
    seconds          = optional(number, 60)
    negative_seconds = optional(number, 5)
    stale_seconds    = optional(number, 600)
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for seconds in [var.cache.seconds, var.cache.negative_seconds] : seconds >= 1 && seconds <= 3600 && floor(seconds) == seconds
    ])
    error_message = "cache.seconds and cache.negative_seconds must be whole numbers from 1 to 3600."
  }
  validation {
    condition = var.cache.negative_seconds <= var.cache.seconds
    error_message = join(" ", [
      "cache.negative_seconds (${var.cache.negative_seconds}) must not be above cache.seconds (${var.cache.seconds}): a new tenant",
      "would be unknown for longer than a suspended one is still served.",
    ])
  }
  validation {
    condition = (
      var.cache.stale_seconds >= 0 && var.cache.stale_seconds <= 86400
      && floor(var.cache.stale_seconds) == var.cache.stale_seconds
    )
    error_message = join(" ", [
      "cache.stale_seconds must be a whole number from 0 to 86400: while the registry cannot be read, a suspended tenant is served",
      "for that long.",
    ])
  }
  validation {
    # The router keeps an entry up to a fifth longer, so that not all of them expire at once.
    condition = var.cache.stale_seconds == 0 || var.cache.stale_seconds >= 1.2 * var.cache.seconds
    error_message = join(" ", [
      "cache.stale_seconds must be 0 (never use old answers) or at least ${ceil(1.2 * var.cache.seconds)}, cache.seconds and a fifth:",
      "otherwise an entry that has expired would already be too old to be used.",
    ])
  }
}

variable "router" {
  description = <<-EOT
    The function that routes events: memory in MB, timeout in seconds, events handed over at a time, and how many run at a time for one
    group.
  EOT
  type = object({
    memory_size_mb      = optional(number, 256)
    timeout_seconds     = optional(number, 30)
    batch_size          = optional(number, 10)
    maximum_concurrency = optional(number, 10)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.router.batch_size >= 1 && var.router.batch_size <= 10 && floor(var.router.batch_size) == var.router.batch_size
    error_message = "router.batch_size must be a whole number from 1 to 10: the mappings are made without a batching window."
  }
  validation {
    condition = (
      var.router.maximum_concurrency >= 2 && var.router.maximum_concurrency <= 1000
      && floor(var.router.maximum_concurrency) == var.router.maximum_concurrency
    )
    error_message = "router.maximum_concurrency must be a whole number from 2 to 1000: Lambda takes no less."
  }
}

variable "consumer" {
  description = <<-EOT
    The function that processes files: memory and space for temporary files in MB, timeout in seconds, files handed over at a time, how
    many run at a time for one queue (a tenant's, or with `shared_fair` a group's), and the largest file in MB, uncompressed, that it
    takes.
  EOT
  type = object({
    memory_size_mb       = optional(number, 1024)
    ephemeral_storage_mb = optional(number, 512)
    timeout_seconds      = optional(number, 300)
    batch_size           = optional(number, 5)
    maximum_concurrency  = optional(number, 10)
    max_file_mb          = optional(number, 50)
  })
  default  = {}
  nullable = false

  validation {
    condition = (
      var.consumer.batch_size >= 1 && var.consumer.batch_size <= 10
      && floor(var.consumer.batch_size) == var.consumer.batch_size
    )
    error_message = "consumer.batch_size must be a whole number from 1 to 10: the mappings are made without a batching window."
  }
  validation {
    condition = (
      var.consumer.maximum_concurrency >= 2 && var.consumer.maximum_concurrency <= 1000
      && floor(var.consumer.maximum_concurrency) == var.consumer.maximum_concurrency
    )
    error_message = "consumer.maximum_concurrency must be a whole number from 2 to 1000: Lambda takes no less."
  }
  validation {
    condition     = var.consumer.max_file_mb >= 1 && floor(var.consumer.max_file_mb) == var.consumer.max_file_mb
    error_message = "consumer.max_file_mb must be a whole number of MB, 1 or more."
  }
  validation {
    condition = 10 * var.consumer.max_file_mb <= var.consumer.ephemeral_storage_mb
    error_message = join(" ", [
      "consumer.ephemeral_storage_mb must be at least ${10 * var.consumer.max_file_mb}, ten times consumer.max_file_mb: a silver file,",
      "whose rows repeat the names of their columns, may be eight times as large as the raw one, and both are stored there.",
    ])
  }
}

variable "queues" {
  description = <<-EOT
    The queues of groups and tenants: how often a message is tried before it goes to the dead-letter queue, and for how many seconds it
    is kept in the queue and in the dead-letter queue.
  EOT
  type = object({
    max_receive_count         = optional(number, 5)
    message_retention_seconds = optional(number, 345600)
    dlq_retention_seconds     = optional(number, 1209600)
  })
  default  = {}
  nullable = false

  validation {
    condition = (
      var.queues.max_receive_count >= 1 && var.queues.max_receive_count <= 1000
      && floor(var.queues.max_receive_count) == var.queues.max_receive_count
    )
    error_message = "queues.max_receive_count must be a whole number from 1 to 1000."
  }
  validation {
    condition = (
      var.queues.dlq_retention_seconds <= 1209600
      && floor(var.queues.dlq_retention_seconds) == var.queues.dlq_retention_seconds
    )
    error_message = "queues.dlq_retention_seconds must be a whole number, 1209600 (14 days) at most."
  }
  validation {
    condition = (
      var.queues.message_retention_seconds >= 60
      && floor(var.queues.message_retention_seconds) == var.queues.message_retention_seconds
    )
    error_message = "queues.message_retention_seconds must be a whole number, 60 or more."
  }
  validation {
    condition = var.queues.message_retention_seconds <= var.queues.dlq_retention_seconds
    error_message = join(" ", [
      "queues.dlq_retention_seconds must be at least queues.message_retention_seconds (${var.queues.message_retention_seconds}): a",
      "message keeps its age when it moves to the dead-letter queue, and a shorter retention could delete it on arrival.",
    ])
  }
}

variable "group_bucket" {
  description = <<-EOT
    Life-cycle rules of the groups' buckets: days after which older versions are deleted, unfinished uploads are aborted, and
    rejected rows and records are removed from `TENANT/rejected/`. Raw and silver files stay.
  EOT
  type = object({
    noncurrent_version_days = optional(number, 30)
    incomplete_upload_days  = optional(number, 7)
    rejected_days           = optional(number, 90)
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([for days in values(var.group_bucket) : days >= 1 && floor(days) == days])
    error_message = join(" ", [
      "group_bucket.noncurrent_version_days, group_bucket.incomplete_upload_days and group_bucket.rejected_days must be whole numbers",
      "of days, 1 or more.",
    ])
  }
  validation {
    condition = var.group_bucket.noncurrent_version_days * 86400 >= local.longest_wait_seconds
    error_message = join(" ", [
      "group_bucket.noncurrent_version_days must be at least ${ceil(local.longest_wait_seconds / 86400)}: an event may wait 14 days in",
      "quarantine and three times queues.message_retention_seconds in queues, and its version of the file must still be there, however",
      "often the file was overwritten meanwhile.",
    ])
  }
}

variable "group_access" {
  description = <<-EOT
    Principals with access to the resources of `event-pipelines tenants`, besides the stack's own roles: ARNs of IAM roles, of users and
    of the account's root, or patterns of them. `administrators` may read files, receive messages, and, once there are any, are the only
    ones who may change the policies of groups' buckets and the attributes of queues; `readers` may read files.
  EOT
  type = object({
    administrators = optional(list(string), [])
    readers        = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for arn in concat(var.group_access.administrators, var.group_access.readers) :
      can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(root|(role|user)/.+)$", arn))
    ])
    error_message = join(" ", [
      "group_access holds ARNs such as arn:aws:iam::123456789012:role/admin, of roles (not of their sessions), users and the account's",
      "root; `*` may stand for a part of the name.",
    ])
  }
  validation {
    condition = length(jsonencode(var.group_access)) <= 512
    error_message = join(" ", [
      "group_access takes ${length(jsonencode(var.group_access))} characters as JSON and the platform document has room for 512: list",
      "one role, or match several by a pattern.",
    ])
  }
}

variable "registry" {
  description = "Whether AWS refuses to delete the two tables, the only record of tenants' resources."
  type = object({
    deletion_protection = optional(bool, false)
  })
  default  = {}
  nullable = false
}

variable "alarm" {
  description = <<-EOT
    Where alarms are sent: on events in quarantine, failed records, rejected files, dead letters of the quarantine, errors and
    throttles. `rejections` is the number of rejections within five minutes that triggers an alarm. Null creates none.
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
    Encrypts the registry, messages, logs and the functions' environment, and what `event-pipelines tenants` makes, with this
    customer managed key, whose policy must let the services in `key_sources` and CloudWatch Logs use it. Null uses keys of AWS.
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

variable "permissions_boundary_arn" {
  description = <<-EOT
    ARN of the IAM policy that is the permissions boundary of every role of the pipeline. Null sets no boundary.
  EOT
  type        = string
  default     = null
}

variable "iam_path" {
  description = <<-EOT
    IAM path of the pipeline's roles and policy, for accounts that allow them below one path only. A change replaces roles and policies.
  EOT
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
  description = "Tags added to every resource of the pipeline, also to those that `event-pipelines tenants` makes."
  type        = map(string)
  default     = {}
  nullable    = false
}
