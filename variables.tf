variable "region" {
  description = "AWS region in which everything is created, for example `eu-west-1`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]+$", var.region))
    error_message = "region must be an AWS region code such as eu-west-1."
  }
}

variable "name_prefix" {
  description = "First part of every resource name. Two stacks in one account and region need two prefixes."
  type        = string
  default     = "event-pipelines"
  nullable    = false

  validation {
    condition = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name_prefix))
    error_message = join(" ", [
      "name_prefix must be 2 to 24 lower-case letters, digits and hyphens, start with a letter and not end with a hyphen: bucket names",
      "are built from it.",
    ])
  }
  validation {
    condition = !can(regex("-(tg|tenant)(-|$)", var.name_prefix))
    error_message = join(" ", [
      "name_prefix must not have tg or tenant as a word after the first: a stack with the name_prefix before that word uses it in the",
      "names of its groups and tenants, and could take this stack's buckets for its own.",
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

variable "pipelines" {
  description = "Which event systems are created. Leaving one out of the set destroys it."
  type        = set(string)
  default     = ["csv-import", "event-audit", "image-derivatives", "item-relay", "tenant-routing"]
  nullable    = false

  validation {
    condition = length(setsubtract(
      var.pipelines,
      ["csv-import", "event-audit", "image-derivatives", "item-relay", "tenant-routing"]
    )) == 0
    error_message = "pipelines may hold: csv-import, event-audit, image-derivatives, item-relay, tenant-routing."
  }
}

variable "package_directory" {
  description = <<-EOT
    Folder that `build.sh` wrote: the function packages and their `manifest.json`. Relative to the working directory, so that no
    machine's path reaches the state.
  EOT
  type        = string
  default     = "build"
  nullable    = false

  validation {
    condition     = fileexists("${var.package_directory}/manifest.json")
    error_message = "package_directory holds no manifest.json: run ./build.sh first, or name the folder it wrote."
  }
}

variable "code_bucket" {
  description = <<-EOT
    Existing bucket through which function packages are deployed; needed for packages above 50 MiB. Null uploads them directly.
  EOT
  type = object({
    name   = string
    prefix = optional(string, "")
  })
  default = null
}

variable "image_derivatives" {
  description = <<-EOT
    Settings of the image pipeline; every field is described in pipelines/image-derivatives/variables.tf.
    Fields left out keep that pipeline's defaults.
  EOT
  type = object({
    source_bucket = optional(object({
      name        = string
      further     = optional(set(string), [])
      account_id  = optional(string)
      via         = optional(string, "eventbridge")
      kms_key_arn = optional(string)
    }))
    derivatives = optional(map(object({
      max_width     = number
      max_height    = number
      format        = optional(string, "jpeg")
      quality       = optional(number)
      fit           = optional(string, "contain")
      position      = optional(string, "centre")
      background    = optional(string)
      cache_control = optional(string, "public, max-age=300")
    })))
    extensions      = optional(set(string))
    suffixes        = optional(string)
    allowed_formats = optional(set(string))
    tolerate        = optional(string)
    limits = optional(object({
      max_pixels       = optional(number)
      max_source_bytes = optional(number)
      min_side         = optional(number)
    }))
    lifecycle_days = optional(object({
      ingest            = optional(number)
      noncurrent        = optional(number)
      incomplete_upload = optional(number)
      rejections        = optional(number)
    }))
    function = optional(object({
      memory_size_mb      = optional(number)
      timeout_seconds     = optional(number)
      batch_size          = optional(number)
      maximum_concurrency = optional(number)
    }))
    max_receive_count  = optional(number)
    late_after_seconds = optional(number)
    email_subscribers  = optional(set(string))
  })
  default  = {}
  nullable = false
}

variable "event_audit" {
  description = <<-EOT
    Settings of the audit pipeline; every field is described in pipelines/event-audit/variables.tf.
    Fields left out keep that pipeline's defaults.
  EOT
  type = object({
    source_bucket = optional(object({
      name        = string
      further     = optional(set(string), [])
      account_id  = optional(string)
      via         = optional(string, "s3")
      kms_key_arn = optional(string)
    }))
    routes = optional(map(object({
      events = list(string)
    })))
    events = optional(set(string))
    trail = optional(object({
      retention_days      = optional(number)
      deletion_protection = optional(bool)
      object_lock_days    = optional(number)
    }))
    function = optional(object({
      memory_size_mb          = optional(number)
      timeout_seconds         = optional(number)
      batch_size              = optional(number)
      batching_window_seconds = optional(number)
      maximum_concurrency     = optional(number)
    }))
    max_receive_count  = optional(number)
    late_after_seconds = optional(number)
    email_subscribers  = optional(set(string))
  })
  default  = {}
  nullable = false
}

variable "csv_import" {
  description = <<-EOT
    Settings of the import pipeline; every field is described in pipelines/csv-import/variables.tf.
    Fields left out keep that pipeline's defaults.
  EOT
  type = object({
    source_bucket = optional(object({
      name        = string
      further     = optional(set(string), [])
      account_id  = optional(string)
      via         = optional(string, "eventbridge")
      kms_key_arn = optional(string)
    }))
    dialect = optional(object({
      delimiter  = optional(string)
      quote      = optional(string)
      escape     = optional(string)
      comment    = optional(string)
      skip_lines = optional(number)
      header     = optional(list(string))
      encoding   = optional(string)
      trim       = optional(string)
      missing    = optional(string)
      decimal    = optional(string)
      empty      = optional(string)
    }))
    columns         = optional(map(string))
    unknown_columns = optional(string)
    key_columns     = optional(list(string))
    write_mode      = optional(string)
    defaults = optional(map(object({
      string = optional(string)
      number = optional(number)
      bool   = optional(bool)
    })))
    expires_after_days   = optional(number)
    rows_per_message     = optional(number)
    max_rejected_percent = optional(number)
    pace = optional(object({
      table_write_capacity    = optional(number)
      maximum_concurrency     = optional(number)
      one_at_a_time           = optional(bool)
      batch_size              = optional(number)
      batching_window_seconds = optional(number)
      item_size_kb            = optional(number)
    }))
    expected_rows = optional(number)
    table = optional(object({
      hash_key               = optional(string)
      point_in_time_recovery = optional(bool)
      deletion_protection    = optional(bool)
      read_capacity          = optional(number)
    }))
    split = optional(object({
      memory_size_mb            = optional(number)
      timeout_seconds           = optional(number)
      maximum_concurrency       = optional(number)
      stop_at_remaining_seconds = optional(number)
      maximum_hops              = optional(number)
    }))
    load = optional(object({
      memory_size_mb  = optional(number)
      timeout_seconds = optional(number)
    }))
    ledger = optional(object({
      retention_days      = optional(number)
      deletion_protection = optional(bool)
    }))
    lifecycle_days = optional(object({
      import            = optional(number)
      noncurrent        = optional(number)
      incomplete_upload = optional(number)
      rejections        = optional(number)
    }))
    notices = optional(object({
      email_subscribers = optional(set(string))
    }))
    max_receive_count     = optional(number)
    late_after_seconds    = optional(number)
    stalled_after_seconds = optional(number)
  })
  default  = {}
  nullable = false
}

variable "item_relay" {
  description = <<-EOT
    Settings of the relay pipeline; every field is described in pipelines/item-relay/variables.tf.
    Fields left out keep that pipeline's defaults.
  EOT
  type = object({
    function = optional(object({
      memory_size_mb      = optional(number)
      timeout_seconds     = optional(number)
      batch_size          = optional(number)
      maximum_concurrency = optional(number)
    }))
    service = optional(object({
      visibility_timeout_seconds = optional(number)
      late_after_seconds         = optional(number)
    }))
    table = optional(object({
      point_in_time_recovery = optional(bool)
      deletion_protection    = optional(bool)
    }))
    members = optional(object({
      script   = optional(set(string))
      service  = optional(set(string))
      operator = optional(set(string))
    }))
    lifecycle_days = optional(object({
      files             = optional(number)
      noncurrent        = optional(number)
      incomplete_upload = optional(number)
      rejections        = optional(number)
    }))
    max_receive_count  = optional(number)
    late_after_seconds = optional(number)
  })
  default  = {}
  nullable = false
}

variable "tenant_routing" {
  description = <<-EOT
    Settings of the tenant pipeline; every field is described in pipelines/tenant-routing/variables.tf.
    Fields left out keep that pipeline's defaults.
  EOT
  type = object({
    queue_mode = optional(string)
    cache = optional(object({
      seconds          = optional(number)
      negative_seconds = optional(number)
      stale_seconds    = optional(number)
    }))
    router = optional(object({
      memory_size_mb      = optional(number)
      timeout_seconds     = optional(number)
      batch_size          = optional(number)
      maximum_concurrency = optional(number)
    }))
    consumer = optional(object({
      memory_size_mb       = optional(number)
      ephemeral_storage_mb = optional(number)
      timeout_seconds      = optional(number)
      batch_size           = optional(number)
      maximum_concurrency  = optional(number)
      max_file_mb          = optional(number)
    }))
    queues = optional(object({
      max_receive_count         = optional(number)
      message_retention_seconds = optional(number)
      dlq_retention_seconds     = optional(number)
    }))
    group_bucket = optional(object({
      noncurrent_version_days = optional(number)
      incomplete_upload_days  = optional(number)
      rejected_days           = optional(number)
    }))
    group_access = optional(object({
      administrators = optional(list(string))
      readers        = optional(list(string))
    }))
    registry = optional(object({
      deletion_protection = optional(bool)
    }))
  })
  default  = {}
  nullable = false
}

variable "alarms" {
  description = <<-EOT
    Alarms on dead letters, on what waits too long, on rejections, errors and throttles; null for none.
    - `email_subscribers`: addresses that are notified when an alarm enters and leaves ALARM, each after confirming AWS's
      invitation.
    - `topic_arn`: an existing topic to send to, in the stack's region, instead of the stack's own. Its policy must let CloudWatch publish.
    - `rejections`: the number of rejections of one pipeline within five minutes that triggers an alarm.
  EOT
  type = object({
    email_subscribers = optional(set(string), [])
    topic_arn         = optional(string)
    rejections        = optional(number, 1)
  })
  default = {}

  validation {
    condition = (
      var.alarms == null
      ? true
      : var.alarms.topic_arn == null
      ? true
      : can(regex("^arn:[a-z0-9-]+:sns:${var.region}:[0-9]{12}:[A-Za-z0-9_-]{1,256}$", var.alarms.topic_arn))
    )
    error_message = join(" ", [
      "alarms.topic_arn must be the ARN of a standard SNS topic in ${var.region}: alarms notify only topics of their region.",
      "Leave it out to let the stack make one.",
    ])
  }

  validation {
    condition     = var.alarms == null ? true : var.alarms.topic_arn == null || length(var.alarms.email_subscribers) == 0
    error_message = "alarms.email_subscribers are for the topic that the stack makes: with alarms.topic_arn, subscribe the addresses there."
  }

  validation {
    condition     = var.alarms == null ? true : var.alarms.rejections >= 1
    error_message = "alarms.rejections must be 1 or more: at 0 it would always be in ALARM."
  }
}

variable "kms_key" {
  description = <<-EOT
    Customer managed key that encrypts everything the stack keeps: objects, messages, items, logs, environments. Its own policy must
    hold the default statement that lets the account's IAM policies decide, and those of the output `kms_key_policy_statements`,
    before it is named here. Null uses keys of AWS.
  EOT
  type = object({
    arn = string
  })
  default = null

  validation {
    condition = (
      var.kms_key == null
      ? true
      : can(regex("^arn:[a-z0-9-]+:kms:${var.region}:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key.arn))
    )
    error_message = join(" ", [
      "kms_key.arn must be the key ARN (arn:...:key/...) of a customer managed key in ${var.region}, not an alias: permissions on an",
      "alias grant nothing, and the aliases of AWS let no service send.",
    ])
  }
}

variable "log_retention_days" {
  description = "Days for which function logs are kept."
  type        = number
  default     = 14
  nullable    = false
}

variable "force_destroy_buckets" {
  description = "Lets `terraform destroy` delete buckets that still hold objects, and the objects with them."
  type        = bool
  default     = false
  nullable    = false
}

variable "s3_use_path_style" {
  description = "Addresses buckets by path instead of by host name, as S3-compatible endpoints on one host need."
  type        = bool
  default     = false
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "ARN of the IAM policy that is the permissions boundary of every role of the stack. Null sets no boundary."
  type        = string
  default     = null
}

variable "iam_path" {
  description = <<-EOT
    IAM path of the stack's roles, policies and groups, for accounts that allow them below one path only. A change replaces roles and
    policies.
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
  description = "Tags added to every resource."
  type        = map(string)
  default     = {}
  nullable    = false
}
