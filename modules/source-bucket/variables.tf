variable "name" {
  description = "First part of the names of the EventBridge rules; the keys of `queues` follow."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+$", var.name))
    error_message = "name must be letters, digits, dots, hyphens and underscores: it begins the name of an EventBridge rule."
  }
}

variable "source_bucket" {
  description = <<-EOT
    The bucket of another owner whose objects trigger the pipeline; null uses `own_bucket`, whose notification the caller manages:
    - `name`: the bucket, which is not changed.
    - `further`: names of more buckets of the same account.
    - `account_id`: the account of the bucket; null is this one. A bucket of another account must be in this region.
    - `via`: `eventbridge`, by rules of this module on the default event bus, for which the bucket's owner enables EventBridge
      notifications; or `s3`, by rules that the owner adds to the bucket's notification.
    - `kms_key_arn`: the customer managed key that its objects are encrypted with, which is needed to read them.
  EOT
  type = object({
    name        = string
    further     = optional(set(string), [])
    account_id  = optional(string)
    via         = optional(string, "eventbridge")
    kms_key_arn = optional(string)
  })
  default = null

  validation {
    condition = var.source_bucket == null ? true : alltrue([
      for name in setunion([var.source_bucket.name], var.source_bucket.further) : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", name))
    ])
    error_message = join(" ", [
      "source_bucket.name and further must be names of buckets, not ARNs or URLs: 3 to 63 lower-case letters, digits, dots and",
      "hyphens.",
    ])
  }
  validation {
    condition     = var.source_bucket == null ? true : !contains(var.source_bucket.further, var.source_bucket.name)
    error_message = "source_bucket.further has the bucket of source_bucket.name again: name each once."
  }
  validation {
    condition = var.source_bucket == null ? true : length(var.source_bucket.further) <= 9
    error_message = join(" ", [
      "source_bucket.further may have 9 buckets: the policies of topics and queues name each, and have a size. Let the buckets' owner",
      "forward more of them to one event bus.",
    ])
  }
  validation {
    condition     = try(var.source_bucket.account_id, null) == null ? true : can(regex("^[0-9]{12}$", var.source_bucket.account_id))
    error_message = "source_bucket.account_id must be the 12 digits of an AWS account, or null for this one."
  }
  validation {
    condition     = contains(["eventbridge", "s3"], try(var.source_bucket.via, "s3"))
    error_message = "source_bucket.via must be \"eventbridge\" or \"s3\"."
  }
  validation {
    condition = try(var.source_bucket.kms_key_arn, null) == null ? true : can(regex(
      "^arn:[a-z0-9-]+:kms:[a-z0-9-]+:${coalesce(var.source_bucket.account_id, "[0-9]{12}")}:key/[A-Za-z0-9-]+$",
      var.source_bucket.kms_key_arn,
    ))
    error_message = join(" ", [
      "source_bucket.kms_key_arn must be the ARN of a key (arn:...:key/...) of the bucket's account, not an alias: permissions on an",
      "alias grant nothing.",
    ])
  }
}

variable "own_bucket" {
  description = "Name of the bucket that the caller creates: the source without `source_bucket`, otherwise not a source."
  type        = string
  nullable    = false

  validation {
    condition = (
      var.source_bucket == null
      ? true
      : !contains(setunion([var.source_bucket.name], var.source_bucket.further), var.own_bucket)
    )
    error_message = join(" ", [
      "source_bucket names ${var.own_bucket}, which the pipeline makes and writes to: leave source_bucket out, and that bucket is the",
      "source.",
    ])
  }
}

variable "queues" {
  description = <<-EOT
    Queues that receive events by EventBridge, by the end of their rule's name. Empty if events come by S3's notification only:
    - `name`, `dlq_name`: the queue, and the dead-letter queue of its rule. They are names, not references, so that the queues'
      policies can name the rules.
    - `events`: its events, by the names of S3's notifications without `s3:`. EventBridge has none for replication, retention,
      annotations and lost objects.
    - `catch_all`: it receives all events except `events`, also kinds that S3 adds later.
  EOT
  type = map(object({
    name      = string
    dlq_name  = string
    events    = optional(set(string), ["ObjectCreated:*"])
    catch_all = optional(bool, false)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for key in keys(var.queues) : can(regex("^[A-Za-z0-9_-]{1,20}$", key))])
    error_message = "The keys of queues become part of rule names: use 1 to 20 letters, digits, hyphens and underscores."
  }
  validation {
    condition     = alltrue([for queue in values(var.queues) : length(queue.events) > 0])
    error_message = "Each of queues needs events, also with catch_all, which takes all but those."
  }
  validation {
    condition = alltrue([for queue in values(var.queues) : length(setsubtract(queue.events, keys(local.events))) == 0])
    error_message = join(" ", [
      "EventBridge has no event for ${join(", ", setsubtract(flatten(values(var.queues)[*].events), keys(local.events)))}.",
      "Leave it out of what queues get, or set source_bucket.via = \"s3\"; known are ${join(", ", keys(local.events))}.",
    ])
  }
  validation {
    condition     = length(var.queues) > 0 || local.source.via == "s3"
    error_message = "source_bucket.via = \"eventbridge\" needs queues, which the rules send to: set them, or via = \"s3\"."
  }
}

variable "key_prefix" {
  description = <<-EOT
    Prefix of the keys that are read; with `via = "eventbridge"` and no suffix the rules match it, too. A rule has one comparison
    per key, so with suffixes the functions ignore keys without the prefix.
  EOT
  type        = string
  default     = ""
  nullable    = false
}

variable "key_suffixes" {
  description = "Suffixes of the keys, in any letter case; empty for all keys."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "read_actions" {
  description = "S3 actions of the roles on the objects."
  type        = list(string)
  default     = ["s3:GetObject"]
  nullable    = false

  validation {
    condition = alltrue([
      for action in var.read_actions : contains(["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging"], action)
    ])
    error_message = "read_actions may be s3:GetObject, s3:GetObjectVersion and s3:GetObjectTagging: nothing of the bucket is changed."
  }
}

variable "role_arns" {
  description = "Roles that read the objects, for the statements that the owner of another account's bucket adds to its policy."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "tags" {
  description = "Tags of the rules."
  type        = map(string)
  default     = {}
  nullable    = false
}
