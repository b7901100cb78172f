variable "name_prefix" {
  description = <<-EOT
    First part of every resource name; the pipeline adds `-relay`. The script and the service derive all names from it.
  EOT
  type        = string
  nullable    = false

  validation {
    condition = length("${var.name_prefix}-relay-${local.account_id}-${local.region}") <= 63
    error_message = join(" ", [
      "The bucket name ${var.name_prefix}-relay-${local.account_id}-${local.region} has more than the 63 characters of S3: shorten",
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

variable "package" {
  description = <<-EOT
    Package of `update_item` as `build.sh` lists it in its manifest: path of the zip, Lambda handler, content hash (base64 SHA-256),
    size in bytes, and the runtime and architecture it was built for.
  EOT
  type = object({
    path         = string
    handler      = string
    content_hash = string
    size_bytes   = number
    runtime      = string
    architecture = string
  })
  nullable = false
}

variable "code_bucket" {
  description = "Existing bucket through which the package is deployed. Null uploads the zip directly."
  type = object({
    name   = string
    prefix = optional(string, "")
  })
  default = null
}

variable "function" {
  description = <<-EOT
    Size of the function that updates items: memory in MB, timeout in seconds, messages per invocation, and how many invocations may run
    at once (null: as many as the account allows).
  EOT
  type = object({
    memory_size_mb      = optional(number, 256)
    timeout_seconds     = optional(number, 30)
    batch_size          = optional(number, 10)
    maximum_concurrency = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition = var.function.timeout_seconds <= 42
    error_message = join(" ", [
      "function.timeout_seconds must be at most 42: an invocation that stops after sending is retried after 6 x timeout and may take",
      "another timeout to send again, but the finished queue deduplicates messages for 300 seconds only.",
    ])
  }
  validation {
    condition = var.function.batch_size <= 10
    error_message = join(" ", [
      "function.batch_size must be at most 10: more need a batching window,",
      "which would delay the retry of an invocation that stopped.",
    ])
  }
}

variable "service" {
  description = <<-EOT
    Settings of the service: how long a received message stays invisible (the service extends that for as long as it works), and for
    how many seconds a message may wait in the finished queue until it counts as late and, with `alarm`, triggers an alarm.
  EOT
  type = object({
    visibility_timeout_seconds = optional(number, 120)
    late_after_seconds         = optional(number, 900)
  })
  default  = {}
  nullable = false

  validation {
    condition = var.service.visibility_timeout_seconds >= 30
    error_message = join(" ", [
      "service.visibility_timeout_seconds must be at least 30: the service waits up to 20 seconds for messages, and what it receives",
      "at the end of that must not be visible again before it is read.",
    ])
  }
  validation {
    condition     = var.service.late_after_seconds >= 60
    error_message = "service.late_after_seconds must be at least 60: CloudWatch evaluates once a minute."
  }
}

variable "table" {
  description = "The table: whether it can be restored to any second of the last 35 days, and whether AWS refuses to delete it."
  type = object({
    point_in_time_recovery = optional(bool, true)
    deletion_protection    = optional(bool, false)
  })
  default  = {}
  nullable = false
}

variable "members" {
  description = <<-EOT
    Existing IAM users, by name, for the groups `script`, `service` and `operator` (both). Users who are in a group already stay there.
  EOT
  type = object({
    script   = optional(set(string), [])
    service  = optional(set(string), [])
    operator = optional(set(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for user in setunion(var.members.script, var.members.service, var.members.operator) : can(regex("^[A-Za-z0-9_+=,.@-]{1,64}$", user))
    ])
    error_message = join(" ", [
      "members must be names of IAM users, not ARNs: 1 to 64 letters, digits and _+=,.@- (check:",
      join("", [
        join(", ", [
          for user in setunion(var.members.script, var.members.service, var.members.operator) :
          user if !can(regex("^[A-Za-z0-9_+=,.@-]{1,64}$", user))
        ]),
        ").",
      ]),
    ])
  }
}

variable "lifecycle_days" {
  description = <<-EOT
    Days after which original files expire (`files`; null keeps them as long as their items), older versions are deleted (`noncurrent`),
    unfinished multipart uploads are aborted (`incomplete_upload`) and rejection records expire (`rejections`).
  EOT
  type = object({
    files             = optional(number)
    noncurrent        = optional(number, 14)
    incomplete_upload = optional(number, 7)
    rejections        = optional(number, 90)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for days in values(var.lifecycle_days) : days == null ? true : days >= 1 && floor(days) == days])
    error_message = "lifecycle_days must be whole numbers of days, 1 or more."
  }
  validation {
    condition = var.lifecycle_days.files == null ? true : var.lifecycle_days.files >= 30
    error_message = join(" ", [
      "lifecycle_days.files must be 30 or more: a message may be a dead letter for 14 days before the function and for 14 more before",
      "the service, and its file must still be there.",
    ])
  }
}

variable "max_receive_count" {
  description = "Receives of a message in either queue before it moves to the dead-letter queue."
  type        = number
  default     = 5
  nullable    = false
}

variable "late_after_seconds" {
  description = <<-EOT
    Target of the pipeline: seconds within which an item is updated; `service.late_after_seconds` is that of the service. With
    `alarm`, a message that has waited longer triggers an alarm.
  EOT
  type        = number
  default     = 900
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

variable "alarm" {
  description = <<-EOT
    Where alarms are sent: on dead letters, items that wait too long for their update, finished items that the service does not receive,
    rejections, errors and throttles. `rejections` is the number of rejections within five minutes that triggers an alarm. Null creates
    none.
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
    Encrypts objects, messages, items, logs and the function's environment with this customer managed key, whose policy must let the
    services in `key_sources` and CloudWatch Logs use it. Null uses keys of AWS.
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
  description = "Days for which the function's logs are kept."
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
  description = <<-EOT
    IAM path of the pipeline's role, policies and groups, for accounts that allow them below one path only. A change replaces roles and
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
  description = "Tags added to every resource of the pipeline."
  type        = map(string)
  default     = {}
  nullable    = false
}
