variable "name_prefix" {
  description = "First part of every resource name; the pipeline adds `-audit`."
  type        = string
  nullable    = false

  validation {
    condition = length("${var.name_prefix}-audit-rejections-${local.account_id}-${local.region}") <= 63
    error_message = join(" ", [
      "The bucket name ${var.name_prefix}-audit-rejections-${local.account_id}-${local.region} has more than the 63 characters of S3:",
      "shorten name_prefix.",
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
    Package of `log_object_event` as `build.sh` lists it in its manifest: path of the zip, Lambda handler, content hash (base64
    SHA-256), size in bytes, and the runtime and architecture it was built for.
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

variable "source_bucket" {
  description = <<-EOT
    An existing bucket as the source, instead of one that the pipeline creates. It is not changed, and keeps its notification:
    - `name`, `further`: the bucket, and more buckets of the same account.
    - `account_id`: the account of the bucket, which is in this region; null is this account.
    - `via`: `s3`, by rules that the owner adds to the bucket's notification configuration; or `eventbridge`, by a rule for each
      route, for which the owner enables EventBridge notifications of the bucket. EventBridge has no events of replication and
      retention, which are then not logged, and `events` has no effect: all events that no route names go to `other`.
    - `kms_key_arn`: the customer managed key that its objects are encrypted with.

    What its owner has to do is in the output `pipeline.source`; modules/source-bucket describes it.
  EOT
  type = object({
    name        = string
    further     = optional(set(string), [])
    account_id  = optional(string)
    via         = optional(string, "s3")
    kms_key_arn = optional(string)
  })
  default = null
}

variable "routes" {
  description = <<-EOT
    Kinds of events with a separate queue, dead-letter queue and function, by a name of your choice. `events` are names as S3 writes them
    inside a message, without `s3:`; `ObjectRemoved:*` stands for every known name of the family. All other events go to the route
    `other`, which always exists.
  EOT
  type = map(object({
    events = list(string)
  }))
  default = {
    upload  = { events = ["ObjectCreated:Put", "ObjectCreated:Post", "ObjectCreated:CompleteMultipartUpload"] }
    copy    = { events = ["ObjectCreated:Copy"] }
    removal = { events = ["ObjectRemoved:*"] }
  }
  nullable = false

  validation {
    condition = length(var.routes) > 0
    error_message = join(" ", [
      "routes must name at least one route, for example { upload = { events = [\"ObjectCreated:*\"] } }: all other events go to the",
      "route other.",
    ])
  }
  validation {
    condition = alltrue([for route in keys(var.routes) : can(regex("^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$", route))])
    error_message = join(" ", [
      "Names in routes must be 1 to 20 lower-case letters, digits and inner hyphens: they become parts of queue, function and key",
      "names.",
    ])
  }
  validation {
    condition     = alltrue([for route in keys(var.routes) : !endswith(route, "-dlq")])
    error_message = "Names in routes must not end in -dlq: the dead-letter queue of another route could have the same name."
  }
  validation {
    condition     = !contains(keys(var.routes), "other")
    error_message = "The pipeline itself adds the route other, for the events that no route names: give yours another name."
  }
  validation {
    condition = alltrue([for settings in values(var.routes) : length(settings.events) > 0])
    error_message = join(" ", [
      "A route without events would receive nothing:",
      "${join(", ", [for route, settings in var.routes : route if length(settings.events) == 0])}.",
    ])
  }
  validation {
    condition = alltrue([for event in flatten(values(var.routes)[*].events) : !startswith(event, "s3:")])
    error_message = join(" ", [
      "Events in routes are written without s3:, as they stand inside a message:",
      "${join(", ", [for event in flatten(values(var.routes)[*].events) : event if startswith(event, "s3:")])}.",
    ])
  }
  validation {
    condition = alltrue([
      for event in flatten(values(var.routes)[*].events) : startswith(event, "s3:") || contains(keys(local.event_names), event)
    ])
    error_message = join(" ", [
      "S3 has no such events:",
      join("", [
        join(", ", [
          for event in flatten(values(var.routes)[*].events) :
          event if !startswith(event, "s3:") && !contains(keys(local.event_names), event)
        ]),
        ".",
      ]),
      "Events in routes must be of ${join(", ", keys(local.event_names))}.",
    ])
  }
}

variable "events" {
  description = <<-EOT
    Events that the bucket sends, by the same names as in `routes`. By default all except the newest kinds, annotations and retention.
  EOT
  type        = set(string)
  default = [
    "IntelligentTiering",
    "LifecycleExpiration:*",
    "LifecycleTransition",
    "ObjectAcl:Put",
    "ObjectCreated:*",
    "ObjectRemoved:*",
    "ObjectRestore:*",
    "ObjectTagging:*",
    "ReducedRedundancyLostObject",
    "Replication:*",
  ]
  nullable = false

  validation {
    condition = alltrue([for event in var.events : contains(keys(local.event_names), event)])
    error_message = join(" ", [
      "S3 has no such events: ${join(", ", setsubtract(var.events, keys(local.event_names)))}.",
      "events are written without s3: and must be of ${join(", ", keys(local.event_names))}.",
    ])
  }
  validation {
    condition = alltrue([for event in var.events : endswith(event, ":*") || !contains(var.events, "${split(":", event)[0]}:*")])
    error_message = join(" ", [
      "events names these twice, alone and with their family:",
      "${join(", ", [for event in var.events : event if !endswith(event, ":*") && contains(var.events, "${split(":", event)[0]}:*")])}.",
      "Remove one or the other.",
    ])
  }
}

variable "trail" {
  description = <<-EOT
    Keeps every event as an item in a DynamoDB table, where a repeated one counts once and a late one is recognised, for `retention_days`
    after it was written. `deletion_protection` makes AWS refuse to delete the table. With `object_lock_days` each record is also an
    object of a bucket with object lock, which for so many days cannot be changed or deleted, not even by the account's root user or
    `terraform destroy`. Null keeps log lines only.
  EOT
  type = object({
    retention_days      = optional(number, 90)
    deletion_protection = optional(bool, false)
    object_lock_days    = optional(number)
  })
  default = null

  validation {
    condition = (
      try(var.trail.object_lock_days, null) == null
      ? true
      : var.trail.object_lock_days >= 1 && var.trail.object_lock_days <= 36500
      && floor(var.trail.object_lock_days) == var.trail.object_lock_days
    )
    error_message = "trail.object_lock_days must be a whole number of days from 1 to 36500, the most that S3 locks an object for, or null."
  }
  validation {
    condition = (
      var.trail == null
      ? true
      : var.trail.retention_days >= 1 && var.trail.retention_days <= 3650 && floor(var.trail.retention_days) == var.trail.retention_days
    )
    error_message = "trail.retention_days must be a whole number of days from 1 to 3650."
  }
}

variable "lifecycle_days" {
  description = <<-EOT
    Days after which older versions in both buckets are deleted (`noncurrent`), unfinished multipart uploads are aborted
    (`incomplete_upload`) and rejection records expire (`rejections`). Objects in the watched bucket stay.
  EOT
  type = object({
    noncurrent        = optional(number, 30)
    incomplete_upload = optional(number, 7)
    rejections        = optional(number, 90)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for days in values(var.lifecycle_days) : days >= 1 && floor(days) == days])
    error_message = "lifecycle_days must be whole numbers of days, 1 or more."
  }
}

variable "function" {
  description = <<-EOT
    Size of each route's function: memory in MB, timeout in seconds, messages per invocation, batching window in seconds, and how many
    invocations may run at once (null: as many as the account allows).
  EOT
  type = object({
    memory_size_mb          = optional(number, 256)
    timeout_seconds         = optional(number, 30)
    batch_size              = optional(number, 10)
    batching_window_seconds = optional(number, 0)
    maximum_concurrency     = optional(number)
  })
  default  = {}
  nullable = false
}

variable "max_receive_count" {
  description = "Receives of a message before it moves to the dead-letter queue."
  type        = number
  default     = 5
  nullable    = false
}

variable "email_subscribers" {
  description = "E-mail addresses that receive every event. AWS asks each to confirm first; the message is the event's JSON."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.email_subscribers) == 0 || try(var.source_bucket.via, "s3") == "s3"
    error_message = "With source_bucket.via = \"eventbridge\" events do not use the topic: email_subscribers would receive nothing."
  }
}

variable "late_after_seconds" {
  description = <<-EOT
    Target of the pipeline: seconds within which an event is logged. With `alarm`, a message that has waited longer triggers an
    alarm.
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
    Where alarms are sent: on dead letters, events that wait too long, rejections, errors and throttles. `rejections` is the number
    of rejections within five minutes that triggers an alarm. Null creates none.
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
    Encrypts objects, messages, the trail, logs and the functions' environment with this customer managed key, whose policy must let
    the services in `key_sources` and CloudWatch Logs use it. Null uses keys of AWS.
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
  description = "Days for which the functions' logs are kept: without a trail, the record of what happened."
  type        = number
  default     = 14
  nullable    = false
}

variable "force_destroy_buckets" {
  description = "Lets `terraform destroy` delete the buckets with the objects in them."
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
