variable "bucket" {
  description = "Name of the bucket whose whole notification configuration this module owns. Rules from elsewhere are removed."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket must be a bucket's name, not its ARN or URL: 3 to 63 lower-case letters, digits, dots and hyphens."
  }
}

variable "queues" {
  description = <<-EOT
    SQS queues to notify, by a name of your choice that becomes part of the rules' ids:
    - `arn`: the queue. Standard queues only, in the bucket's region; their policy must already permit the bucket.
    - `events`: S3 event names, every kind of creation by default. `s3:ObjectCreated:*` stands for all that begin so.
    - `filter_prefix`: only keys that begin with it.
    - `filter_suffixes`: only keys that end with one of them. S3 compares letter case and takes one suffix per rule, so each makes a
      separate rule.
  EOT
  type = map(object({
    arn             = string
    events          = optional(list(string), ["s3:ObjectCreated:*"])
    filter_prefix   = optional(string, "")
    filter_suffixes = optional(list(string), [""])
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for key in keys(var.queues) : can(regex("^[A-Za-z0-9_-]{1,64}$", key))])
    error_message = "Keys of queues become part of rule ids: use 1 to 64 letters, digits, hyphens and underscores."
  }
  validation {
    condition = alltrue([for queue in values(var.queues) : can(regex("^arn:[^:]+:sqs:[^:]+:[0-9]{12}:[A-Za-z0-9_.-]+$", queue.arn))])
    error_message = join(" ", [
      "Every arn in queues must be that of an SQS queue (arn:aws:sqs:<region>:<account>:<name>): topics go into topics, functions into",
      "functions.",
    ])
  }
  validation {
    condition = alltrue([for queue in values(var.queues) : !endswith(queue.arn, ".fifo")])
    error_message = join(" ", [
      "S3 cannot notify a FIFO queue: give queues a standard one, or",
      "set eventbridge = true and let a rule write to the FIFO queue.",
    ])
  }
}

variable "topics" {
  description = <<-EOT
    SNS topics to notify: the same fields as in `queues`. Standard topics only, in the bucket's region; their policy must already permit
    the bucket.
  EOT
  type = map(object({
    arn             = string
    events          = optional(list(string), ["s3:ObjectCreated:*"])
    filter_prefix   = optional(string, "")
    filter_suffixes = optional(list(string), [""])
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for key in keys(var.topics) : can(regex("^[A-Za-z0-9_-]{1,64}$", key))])
    error_message = "Keys of topics become part of rule ids: use 1 to 64 letters, digits, hyphens and underscores."
  }
  validation {
    condition = alltrue([for topic in values(var.topics) : can(regex("^arn:[^:]+:sns:[^:]+:[0-9]{12}:[A-Za-z0-9_.-]+$", topic.arn))])
    error_message = join(" ", [
      "Every arn in topics must be that of an SNS topic (arn:aws:sns:<region>:<account>:<name>): queues go into queues, functions into",
      "functions.",
    ])
  }
  validation {
    condition = alltrue([for topic in values(var.topics) : !endswith(topic.arn, ".fifo")])
    error_message = join(" ", [
      "S3 cannot notify a FIFO topic: give topics a standard one, or set",
      "eventbridge = true and let a rule publish to the FIFO topic.",
    ])
  }
}

variable "functions" {
  description = <<-EOT
    Lambda functions to call: the same fields as in `queues`, and `name`, the function's name. An `arn` may end in a version or an alias.
    The module creates the permission for S3.
  EOT
  type = map(object({
    arn             = string
    name            = string
    events          = optional(list(string), ["s3:ObjectCreated:*"])
    filter_prefix   = optional(string, "")
    filter_suffixes = optional(list(string), [""])
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for key in keys(var.functions) : can(regex("^[A-Za-z0-9_-]{1,64}$", key))])
    error_message = "Keys of functions become part of rule ids: use 1 to 64 letters, digits, hyphens and underscores."
  }
  validation {
    condition = alltrue([
      for function in values(var.functions) :
      can(regex("^arn:[^:]+:lambda:[^:]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9$_-]+)?$", function.arn))
    ])
    error_message = join(" ", [
      "Every arn in functions must be that of a Lambda function (arn:aws:lambda:<region>:<account>:function:<name>, and :<alias> if",
      "you like): queues go into queues, topics into topics.",
    ])
  }
  validation {
    condition = alltrue([for function in values(var.functions) : element(split(":", function.arn), 6) == function.name])
    error_message = join(" ", [
      "Every name in functions must be the function's name as its arn has it: the permission is written for the name, the notification",
      "for the arn.",
    ])
  }
}

variable "eventbridge" {
  description = <<-EOT
    Whether the bucket also sends every event, unfiltered, to EventBridge, so that further consumers need no change of this
    configuration.
  EOT
  type        = bool
  default     = false
  nullable    = false
}

variable "writes_back" {
  description = <<-EOT
    Where consumers of these events write into the same bucket: `prefix`, and `suffix` if all keys of their output have one. No
    ObjectCreated rule may match such a key, or consumers would trigger themselves.
  EOT
  type = list(object({
    prefix = string
    suffix = optional(string, "")
  }))
  default  = []
  nullable = false
}
