variable "name" {
  description = <<-EOT
    Name of the queue. The dead-letter queue is called `<name>-dlq`, and both get `.fifo` when `fifo` is set, so 76 characters fit (71
    with `fifo`).
  EOT
  type        = string
  nullable    = false

  validation {
    condition = can(regex("^[A-Za-z0-9_-]+$", var.name))
    error_message = join(" ", [
      "name \"${var.name}\" must consist of letters, digits, - and",
      "_ only: leave .fifo out and set fifo = {} for a FIFO queue.",
    ])
  }

  validation {
    condition = length(var.name) <= (var.fifo == null ? 76 : 71)
    error_message = join(" ", [
      "name \"${var.name}\" has ${length(var.name)} characters; shorten it to ${var.fifo == null ? 76 : 71}, so that",
      "${var.name}-dlq${var.fifo == null ? "" : ".fifo"} stays within the 80 of SQS.",
    ])
  }
}

variable "fifo" {
  description = <<-EOT
    Makes both queues FIFO queues. `content_based_deduplication` lets SQS use the body's hash as deduplication id; `high_throughput`
    limits and deduplicates per message group instead of per queue. S3 cannot send to a FIFO queue.
  EOT
  type = object({
    content_based_deduplication = optional(bool, false)
    high_throughput             = optional(bool, false)
  })
  default = null
}

variable "consumer" {
  description = <<-EOT
    The function that will read the queue: its timeout and the batching window of its event source mapping, in seconds. The visibility
    timeout is derived from it, or checked against it.
  EOT
  type = object({
    timeout_seconds         = number
    batching_window_seconds = optional(number, 0)
  })
  default = null

  validation {
    condition = var.consumer == null ? true : (
      var.consumer.timeout_seconds >= 1 && var.consumer.timeout_seconds <= 900
      && floor(var.consumer.timeout_seconds) == var.consumer.timeout_seconds
    )
    error_message = "consumer.timeout_seconds must be a whole number from 1 to 900, the limits of a Lambda function's timeout."
  }

  validation {
    condition = var.consumer == null ? true : (
      var.consumer.batching_window_seconds >= 0 && var.consumer.batching_window_seconds <= 300
      && floor(var.consumer.batching_window_seconds) == var.consumer.batching_window_seconds
    )
    error_message = "consumer.batching_window_seconds must be a whole number from 0 to 300, the limits of an event source mapping."
  }
}

variable "visibility_timeout_seconds" {
  description = <<-EOT
    How long a received message stays hidden from other receivers. Null derives it: 6 x `consumer.timeout_seconds` +
    `consumer.batching_window_seconds`, or 30 without a consumer.
  EOT
  type        = number
  default     = null

  validation {
    condition = var.visibility_timeout_seconds == null ? true : (
      var.visibility_timeout_seconds >= 0 && var.visibility_timeout_seconds <= 43200
      && floor(var.visibility_timeout_seconds) == var.visibility_timeout_seconds
    )
    error_message = "visibility_timeout_seconds must be a whole number from 0 to 43200 (12 hours)."
  }

  validation {
    condition = var.visibility_timeout_seconds == null || var.consumer == null ? true : (
      var.visibility_timeout_seconds >= 6 * var.consumer.timeout_seconds + var.consumer.batching_window_seconds
    )
    error_message = join(" ", [
      "visibility_timeout_seconds must be at least 6 x consumer.timeout_seconds + consumer.batching_window_seconds, or a message is",
      "received again while it is being processed: raise it, or leave it out to have it derived.",
    ])
  }
}

variable "message_retention_seconds" {
  description = "How long the queue keeps a message that is not deleted."
  type        = number
  default     = 345600
  nullable    = false

  validation {
    condition = (
      var.message_retention_seconds >= 60 && var.message_retention_seconds <= 1209600
      && floor(var.message_retention_seconds) == var.message_retention_seconds
    )
    error_message = "message_retention_seconds must be a whole number from 60 to 1209600 (14 days)."
  }
}

variable "dlq_retention_seconds" {
  description = "How long the dead-letter queue keeps a message, counted from when the message first entered the main queue."
  type        = number
  default     = 1209600
  nullable    = false

  validation {
    condition = (
      var.dlq_retention_seconds >= 60 && var.dlq_retention_seconds <= 1209600
      && floor(var.dlq_retention_seconds) == var.dlq_retention_seconds
    )
    error_message = "dlq_retention_seconds must be a whole number from 60 to 1209600 (14 days)."
  }

  validation {
    condition = var.dlq_retention_seconds >= var.message_retention_seconds
    error_message = join(" ", [
      "dlq_retention_seconds must be at least message_retention_seconds (${var.message_retention_seconds}): a message keeps its age",
      "when it moves to the dead-letter queue, and a shorter retention could delete it on arrival.",
    ])
  }
}

variable "delay_seconds" {
  description = "How long a new message stays hidden before its first receive."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.delay_seconds >= 0 && var.delay_seconds <= 900 && floor(var.delay_seconds) == var.delay_seconds
    error_message = "delay_seconds must be a whole number from 0 to 900 (15 minutes)."
  }

  validation {
    condition = var.delay_seconds < var.message_retention_seconds
    error_message = join(" ", [
      "delay_seconds must be less than message_retention_seconds (${var.message_retention_seconds}), or messages are deleted before a",
      "receive.",
    ])
  }
}

variable "receive_wait_time_seconds" {
  description = <<-EOT
    How long a receive waits for a message (long polling) unless the receiver sets its own time, as Lambda does. With 0 a receive
    returns at once, and an empty response costs as much as a full one.
  EOT
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition = (
      var.receive_wait_time_seconds >= 0 && var.receive_wait_time_seconds <= 20
      && floor(var.receive_wait_time_seconds) == var.receive_wait_time_seconds
    )
    error_message = "receive_wait_time_seconds must be a whole number from 0 to 20."
  }
}

variable "max_message_size" {
  description = <<-EOT
    Largest message that both queues take, in bytes. Null uses the provider's maximum. An S3 notification can have 64 KB; a message
    above the limit cannot be delivered.
  EOT
  type        = number
  default     = null

  validation {
    condition = (
      var.max_message_size == null
      ? true
      : var.max_message_size >= 1024 && var.max_message_size <= 1048576 && floor(var.max_message_size) == var.max_message_size
    )
    error_message = "max_message_size must be a whole number of bytes from 1024 to 1048576 (1 MiB; version 5 of the provider takes 262144)."
  }

  validation {
    condition     = alltrue([for sender in var.senders : sender.service != "s3"]) || coalesce(var.max_message_size, 65536) >= 65536
    error_message = "max_message_size must be at least 65536 for a queue that S3 sends to: a notification with a long key would be lost."
  }
}

variable "dlq" {
  description = <<-EOT
    Where messages go after `max_receive_count` receives. By default to a queue of the module's own; null for none: messages are
    received again until their retention ends. Null does not remove the redrive policy of an existing queue, so set it when the
    queue is created.
    - `existing_arn`: a queue that exists, of the same account, region and kind, known when planning. Its redrive allow policy must
      permit this queue, and `alarm` does not cover it.
    - `redrive_allow_policy`: whether the redrive allow policy of the module's own dead-letter queue permits this queue only. False
      for a region or an engine without that setting.
  EOT
  type = object({
    existing_arn         = optional(string)
    redrive_allow_policy = optional(bool, true)
  })
  default = {}

  validation {
    condition = var.dlq == null ? true : var.dlq.existing_arn == null ? true : can(regex(
      "^${replace(local.arn_prefix, "*", "")}:[A-Za-z0-9_-]+${local.fifo ? "[.]fifo" : ""}$", var.dlq.existing_arn,
    )) && var.dlq.existing_arn != local.queue_arn
    error_message = join(" ", [
      "dlq.existing_arn must be the ARN of another queue of this account and region (${local.arn_prefix}:...), FIFO if this one is:",
      "SQS takes no other as dead-letter queue.",
    ])
  }
}

variable "max_receive_count" {
  description = <<-EOT
    Receives of a message before it moves to the dead-letter queue. Throttled receives count, so AWS advises 5 or more for Lambda.
  EOT
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.max_receive_count >= 1 && var.max_receive_count <= 1000 && floor(var.max_receive_count) == var.max_receive_count
    error_message = "max_receive_count must be a whole number from 1 to 1000."
  }
}

variable "kms_key" {
  description = <<-EOT
    Encrypts both queues with this customer managed key instead of SSE-SQS. The key's policy must let every sender use it; the README
    has the statements.
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
        "^arn:[a-z0-9-]+:kms:${lookup(data.aws_region.current, "region", data.aws_region.current.id)}:[0-9]{12}:key/.+$",
        var.kms_key.arn
      ))
    )
    error_message = join(" ", [
      "kms_key.arn must be the key ARN (arn:...:key/...) of a customer managed key in the queue's region, not an alias: IAM",
      "permissions on an alias grant nothing to the consumer, and alias/aws/sqs has a fixed policy that lets neither S3, SNS nor",
      "EventBridge send. Leave kms_key out for SSE-SQS, which needs no grants.",
    ])
  }
}

variable "senders" {
  description = <<-EOT
    AWS services that may send to the queue, by a name of your choice. `source_arn` is the bucket, topic or rule; `source_account` is
    its owner and defaults to the queue's account. Identities of the same account need no entry: their own IAM policies decide.
  EOT
  type = map(object({
    service        = string
    source_arn     = string
    source_account = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue([for name, sender in var.senders : can(regex("^[A-Za-z0-9_-]{1,64}$", name))])
    error_message = join(" ", [
      "The keys of senders become statement ids: use 1 to 64 letters,",
      "digits, - and _ (given: ${join(", ", keys(var.senders))}).",
    ])
  }

  validation {
    condition = alltrue([for sender in var.senders : contains(["s3", "sns", "events"], sender.service)])
    error_message = join(" ", [
      "The service of a sender must be s3, sns or events (wrong:",
      "${join(", ", [for name, sender in var.senders : name if !contains(["s3", "sns", "events"], sender.service)])}). Grant anything",
      "else through policy_statements.",
    ])
  }

  validation {
    condition = alltrue([
      for sender in var.senders : can(regex(lookup({
        s3     = "^arn:[a-z0-9-]+:s3:::[a-z0-9][a-z0-9.*?-]*$"
        sns    = "^arn:[a-z0-9-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-][A-Za-z0-9_.*?-]*$"
        events = "^arn:[a-z0-9-]+:events:[a-z0-9-]+:[0-9]{12}:rule/.+$"
      }, sender.service, ".*"), sender.source_arn))
    ])
    error_message = join(" ", [
      "The source_arn of a sender must be an ARN of its service: a bucket for s3 (arn:aws:s3:::name), a topic for sns, a rule for",
      "events (check: ${join(", ", keys(var.senders))}).",
    ])
  }

  validation {
    condition = alltrue([
      for sender in var.senders : sender.service == "s3" ? true : strcontains(
        sender.source_arn,
        ":${coalesce(sender.source_account, data.aws_caller_identity.current.account_id)}:",
      )
    ])
    error_message = join(" ", [
      "A sender's source_arn lies in another account than the one its statement demands, so nothing it sends would arrive: set",
      "source_account to the account in the ARN (check: ${join(", ", keys(var.senders))}).",
    ])
  }

  validation {
    condition = alltrue([
      for sender in var.senders : sender.source_account == null ? true : can(regex("^[0-9]{12}$", sender.source_account))
    ])
    error_message = "source_account of a sender must be the 12 digits of an AWS account id (check: ${join(", ", keys(var.senders))})."
  }

  validation {
    condition     = var.fifo == null || alltrue([for sender in var.senders : sender.service != "s3"])
    error_message = "S3 cannot send notifications to a FIFO queue: drop fifo, or let S3 notify a standard queue."
  }

  validation {
    condition = (
      var.fifo == null
      || alltrue([for sender in var.senders : sender.service == "sns" ? endswith(sender.source_arn, ".fifo") : true])
    )
    error_message = "A standard topic cannot deliver to a FIFO queue: drop fifo, or name a FIFO topic (source_arn ending in .fifo)."
  }

  validation {
    condition = length(var.senders) + length(var.policy_statements) <= 19
    error_message = join(" ", [
      "senders and policy_statements make ${length(var.senders) + length(var.policy_statements)} statements, and an SQS policy takes",
      "19 beside the one for TLS: name several buckets by one wildcard source_arn, or put a topic between.",
    ])
  }
}

variable "dlq_senders" {
  description = <<-EOT
    AWS services that may send to the dead-letter queue directly, in the shape of `senders`: an SNS topic whose subscription names this
    dead-letter queue, or an EventBridge rule whose target does. The main queue needs no entry.
  EOT
  type = map(object({
    service        = string
    source_arn     = string
    source_account = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue([for name, sender in var.dlq_senders : can(regex("^[A-Za-z0-9_-]{1,64}$", name))])
    error_message = join(" ", [
      "The keys of dlq_senders become statement ids: use 1 to 64 letters, digits, - and _ (given:",
      "${join(", ", keys(var.dlq_senders))}).",
    ])
  }

  validation {
    condition = alltrue([for sender in var.dlq_senders : contains(["sns", "events"], sender.service)])
    error_message = join(" ", [
      "The service of a dlq_sender must be sns or events, the two that use a dead-letter queue of their own (wrong:",
      "${join(", ", [for name, sender in var.dlq_senders : name if !contains(["sns", "events"], sender.service)])}).",
    ])
  }

  validation {
    condition = alltrue([
      for sender in var.dlq_senders : can(regex(lookup({
        sns    = "^arn:[a-z0-9-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-][A-Za-z0-9_.*?-]*$"
        events = "^arn:[a-z0-9-]+:events:[a-z0-9-]+:[0-9]{12}:rule/.+$"
      }, sender.service, ".*"), sender.source_arn))
    ])
    error_message = join(" ", [
      "The source_arn of a dlq_sender must be an ARN of its service: a topic for sns, a rule for events (check:",
      "${join(", ", keys(var.dlq_senders))}).",
    ])
  }

  validation {
    condition = alltrue([
      for sender in var.dlq_senders : strcontains(
        sender.source_arn,
        ":${coalesce(sender.source_account, data.aws_caller_identity.current.account_id)}:",
      )
    ])
    error_message = join(" ", [
      "A dlq_sender's source_arn lies in another account than the one its statement demands, so nothing it sends would arrive: set",
      "source_account to the account in the ARN (check: ${join(", ", keys(var.dlq_senders))}).",
    ])
  }

  validation {
    condition = (
      var.fifo == null
      || alltrue([for sender in var.dlq_senders : sender.service == "sns" ? endswith(sender.source_arn, ".fifo") : true])
    )
    error_message = join(" ", [
      "A standard topic cannot use a FIFO queue for dead letters: drop",
      "fifo, or name a FIFO topic (source_arn ending in .fifo).",
    ])
  }

  validation {
    condition = length(var.dlq_senders) <= 19
    error_message = join(" ", [
      "dlq_senders has ${length(var.dlq_senders)} entries, and an SQS policy takes 19 statements beside the one for TLS: name several",
      "sources by one wildcard source_arn.",
    ])
  }
}

variable "policy_statements" {
  description = <<-EOT
    Further statements for the queue's policy, each a JSON object with `Sid`, `Effect`, `Principal` and `Action`; `Resource` may be
    left out and becomes the queue. The module owns the queue's policy, so it conflicts with a separate aws_sqs_queue_policy.
  EOT
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([
      for text in var.policy_statements :
      can(regex("^[A-Za-z0-9_-]{1,80}$", jsondecode(text).Sid)) &&
      can(regex("^(Allow|Deny)$", jsondecode(text).Effect)) &&
      can(jsondecode(text).Principal) &&
      can(flatten([jsondecode(text).Action])[0])
    ])
    error_message = join(" ", [
      "Each of policy_statements must be the JSON text of one statement object with Sid (letters, digits, - and _), Effect (Allow or",
      "Deny), Principal and Action: write it with jsonencode({...}).",
    ])
  }

  validation {
    condition = (
      length(var.policy_statements)
      == length(distinct([for text in var.policy_statements : jsondecode(text).Sid if can(jsondecode(text).Sid)]))
      && alltrue([for text in var.policy_statements : !can(regex("^(Allow-|DenyInsecureTransport$)", jsondecode(text).Sid))])
    )
    error_message = "Each of policy_statements needs a Sid of its own; Allow-... and DenyInsecureTransport are taken by this module."
  }

  validation {
    condition = alltrue([
      for text in var.policy_statements :
      can(regex("^Allow$", jsondecode(text).Effect)) ? !can(regex("[*]", jsonencode(jsondecode(text).Action))) : true
    ])
    error_message = "A statement of policy_statements allows a wildcard action: name the actions, for example sqs:SendMessage."
  }

  validation {
    condition = alltrue([
      for text in var.policy_statements :
      can(length(flatten([jsondecode(text).Action])) <= 7) ? length(flatten([jsondecode(text).Action])) <= 7 : true
    ])
    error_message = "A statement of policy_statements has more than the 7 actions that SQS takes: split it."
  }

  validation {
    condition = alltrue([
      for text in var.policy_statements :
      can(regex("\"\\*\"|\"Service\"", jsonencode(jsondecode(text).Principal))) ? can(keys(jsondecode(text).Condition)[0]) : true
    ])
    error_message = join(" ", [
      "A statement of policy_statements names everybody (\"*\") or an AWS service as Principal without a Condition: add one, such as",
      "aws:SourceArn with aws:SourceAccount, or aws:PrincipalOrgID.",
    ])
  }

  validation {
    condition = alltrue([
      for text in var.policy_statements : !can(flatten([jsondecode(text).Action])[0]) ? true : alltrue([
        for action in flatten([jsondecode(text).Action]) :
        contains(local.policy_actions, lower(action)) || can(regex("^sqs:.*[*]", lower(action)))
      ])
    ])
    error_message = join(" ", [
      "A statement of policy_statements names an action that SQS does not have: a queue's policy takes those of SQS only, such as",
      "sqs:SendMessage.",
    ])
  }

  validation {
    # Principals that IAM accepts: an account number, the ARN of a role or user, a service's name.
    condition = alltrue([
      for text in var.policy_statements : !can(jsondecode(text).Principal) ? true : (
        can(keys(jsondecode(text).Principal)[0])
        ? alltrue(flatten([
          for kind, names in jsondecode(text).Principal : [
            for name in flatten([names]) : can(regex(lookup({
              AWS           = "^([*]|[0-9]{12}|arn:[a-z0-9-]+:(iam|sts)::[0-9]{12}:(root|(user|role|assumed-role|federated-user)/.+))$"
              CanonicalUser = "^[0-9a-f]{64}$"
              Federated     = "^(arn:[a-z0-9-]+:iam::[0-9]{12}:(saml|oidc)-provider/.+|[a-z0-9.-]+)$"
              Service       = "^[a-z0-9.-]+[.]amazonaws[.](com|com[.]cn|eu)$"
            }, kind, "^$"), name))
          ]
        ]))
        : can(regex("^[*]$", jsondecode(text).Principal))
      )
    ])
    error_message = join(" ", [
      "A Principal in policy_statements must be \"*\", or an object of AWS (an account's digits, the ARN of a role or user), Service",
      "(such as s3.amazonaws.com), Federated or CanonicalUser.",
    ])
  }
}

variable "alarm" {
  description = <<-EOT
    Alarms that notify `actions` (topic ARNs) when they enter and leave ALARM: the dead-letter queue holds `dlq_messages` or more messages
    and, if `age_seconds` is set, the oldest message in the queue has waited that long. With `name_prefix`, that of a stack of this
    project, their descriptions say which `event-pipelines` commands to run.
  EOT
  type = object({
    actions      = list(string)
    dlq_messages = optional(number, 1)
    age_seconds  = optional(number)
    name_prefix  = optional(string)
  })
  default = null

  validation {
    condition = (
      var.alarm == null
      ? true
      : length(var.alarm.actions) <= 5 && alltrue([for arn in var.alarm.actions : can(regex("^arn:", arn))])
    )
    error_message = "alarm.actions must be at most 5 ARNs, the limit of CloudWatch: put a topic in front of more receivers."
  }

  validation {
    condition = (
      var.alarm == null
      ? true
      : alltrue([for arn in var.alarm.actions : can(regex("^arn:[^:]+:[^:]+:(${local.region})?:", arn))])
    )
    error_message = "alarm.actions must lie in the queue's region, ${local.region}: alarms notify only in their own region."
  }

  validation {
    condition     = var.alarm == null ? true : var.alarm.dlq_messages >= 1
    error_message = "alarm.dlq_messages must be 1 or more: at 0 it would always be in ALARM."
  }

  validation {
    condition = (
      var.alarm == null
      ? true
      : var.alarm.age_seconds == null ? true : var.alarm.age_seconds >= 1 && var.alarm.age_seconds < var.message_retention_seconds
    )
    error_message = join(" ", [
      "alarm.age_seconds must be 1 or more and less than message_retention_seconds (${var.message_retention_seconds}), because no",
      "message grows older than that.",
    ])
  }

  validation {
    condition = var.alarm == null ? true : var.alarm.name_prefix == null ? true : startswith(var.name, "${var.alarm.name_prefix}-")
    error_message = join(" ", [
      "alarm.name_prefix must be what name (${var.name}) starts with, before a hyphen: the command line finds queues by it. Leave it",
      "out where there is no such stack.",
    ])
  }
}

variable "tags" {
  description = "Tags for the queues and the alarms."
  type        = map(string)
  default     = {}
  nullable    = false
}
