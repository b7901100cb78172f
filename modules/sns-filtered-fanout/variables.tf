variable "name" {
  description = "Name of the topic. It is a standard topic: S3 cannot publish to a FIFO one."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,256}$", var.name))
    error_message = "name must be 1 to 256 letters, digits, - and _: this module makes standard topics, so leave .fifo out."
  }
}

variable "publishers" {
  description = "AWS services that may publish, by a name of your choice. `source_arn` is the bucket or the alarm; `source_account` is its owner and defaults to the topic's account. Identities of the same account need no entry: their own IAM policies decide."
  type = map(object({
    service        = string
    source_arn     = string
    source_account = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name, publisher in var.publishers : can(regex("^[A-Za-z0-9_-]{1,64}$", name))])
    error_message = "The keys of publishers become statement ids: use 1 to 64 letters, digits, - and _ (given: ${join(", ", keys(var.publishers))})."
  }

  validation {
    condition     = alltrue([for publisher in var.publishers : contains(["s3", "cloudwatch"], publisher.service)])
    error_message = "The service of a publisher must be s3 (bucket notifications) or cloudwatch (alarms) (wrong: ${join(", ", [for name, publisher in var.publishers : name if !contains(["s3", "cloudwatch"], publisher.service)])}). Let an EventBridge rule target the queues directly."
  }

  validation {
    condition = alltrue([
      for publisher in var.publishers : can(regex(lookup({
        s3         = "^arn:[a-z0-9-]+:s3:::[a-z0-9][a-z0-9.*?-]*$"
        cloudwatch = "^arn:[a-z0-9-]+:cloudwatch:[a-z0-9-]+:[0-9]{12}:alarm:.+$"
      }, publisher.service, ".*"), publisher.source_arn))
    ])
    error_message = "The source_arn of a publisher must be an ARN of its service: a bucket for s3 (arn:aws:s3:::name), an alarm for cloudwatch (check: ${join(", ", keys(var.publishers))})."
  }

  validation {
    condition = alltrue([
      for publisher in var.publishers : publisher.service == "s3" ? true : strcontains(
        publisher.source_arn,
        ":${coalesce(publisher.source_account, data.aws_caller_identity.current.account_id)}:",
      )
    ])
    error_message = "A publisher's source_arn lies in another account than the one its statement demands, so nothing it publishes would arrive: set source_account to the account in the ARN (check: ${join(", ", keys(var.publishers))})."
  }

  validation {
    condition     = alltrue([for publisher in var.publishers : publisher.source_account == null ? true : can(regex("^[0-9]{12}$", publisher.source_account))])
    error_message = "source_account of a publisher must be the 12 digits of an AWS account id (check: ${join(", ", keys(var.publishers))})."
  }
}

variable "subscriptions" {
  description = <<-EOT
    Queues that receive what is published, by a name of your choice.
    - `queue_arn`: a standard queue in the topic's region. Its policy must name the topic as sender.
    - `filter_policy`: JSON text; only messages that match it are delivered. Null delivers everything. It must be known at plan time.
    - `filter_policy_scope`: `MessageBody` (S3 events are bodies) or `MessageAttributes`.
    - `raw_message_delivery`: deliver the message itself, not wrapped in an SNS envelope.
    - `dlq`: a queue for messages that SNS could not deliver; its policy must name the topic as sender too.
  EOT
  type = map(object({
    queue_arn            = string
    filter_policy        = optional(string)
    filter_policy_scope  = optional(string, "MessageBody")
    raw_message_delivery = optional(bool, true)
    dlq                  = optional(object({ arn = string }))
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for subscription in var.subscriptions : can(regex("^arn:[a-z0-9-]+:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+$", subscription.queue_arn))])
    error_message = "queue_arn of a subscription must be the ARN of an SQS queue, not its URL or name (check: ${join(", ", keys(var.subscriptions))})."
  }

  validation {
    condition     = alltrue([for subscription in var.subscriptions : strcontains(subscription.queue_arn, ":sqs:${lookup(data.aws_region.current, "region", data.aws_region.current.id)}:")])
    error_message = "queue_arn of a subscription must lie in the topic's region, ${lookup(data.aws_region.current, "region", data.aws_region.current.id)} (check: ${join(", ", keys(var.subscriptions))})."
  }

  validation {
    condition     = alltrue([for subscription in var.subscriptions : !endswith(subscription.queue_arn, ".fifo")])
    error_message = "A standard topic cannot deliver to a FIFO queue: subscribe a standard queue (check: ${join(", ", keys(var.subscriptions))})."
  }

  validation {
    condition     = length(distinct([for subscription in var.subscriptions : subscription.queue_arn])) == length(var.subscriptions)
    error_message = "Two subscriptions name the same queue, and SNS keeps one subscription per queue, over which they would fight: merge their filter policies, or use two queues."
  }

  validation {
    condition     = alltrue([for subscription in var.subscriptions : subscription.filter_policy == null ? true : can(keys(jsondecode(subscription.filter_policy))[0])])
    error_message = "filter_policy of a subscription must be the JSON text of an object with at least one key: write it with jsonencode({...}), or leave it out to receive everything (check: ${join(", ", keys(var.subscriptions))})."
  }

  validation {
    condition     = alltrue([for subscription in var.subscriptions : contains(["MessageBody", "MessageAttributes"], subscription.filter_policy_scope)])
    error_message = "filter_policy_scope of a subscription must be MessageBody or MessageAttributes (check: ${join(", ", keys(var.subscriptions))})."
  }

  validation {
    condition     = alltrue([for subscription in var.subscriptions : subscription.filter_policy == null ? true : !can(regex("(?s)\"eventName\"\\s*:.*\"s3:", subscription.filter_policy))])
    error_message = "filter_policy of a subscription compares eventName with s3:..., and would match nothing: inside the message S3 writes ObjectCreated:Put, without the s3: of the notification's event list (check: ${join(", ", keys(var.subscriptions))})."
  }

  validation {
    condition     = length([for subscription in var.subscriptions : subscription if subscription.filter_policy != null]) <= 200
    error_message = "SNS takes 200 filter policies per topic: split the subscriptions over several topics."
  }

  validation {
    condition = alltrue([
      for subscription in var.subscriptions : subscription.dlq == null ? true : can(regex(
        "^arn:[a-z0-9-]+:sqs:${lookup(data.aws_region.current, "region", data.aws_region.current.id)}:[0-9]{12}:[A-Za-z0-9_-]+$",
        subscription.dlq.arn,
      ))
    ])
    error_message = "dlq.arn of a subscription must be the ARN of a standard SQS queue in the topic's region (check: ${join(", ", keys(var.subscriptions))})."
  }

  validation {
    condition     = alltrue([for subscription in var.subscriptions : subscription.dlq == null ? true : subscription.dlq.arn != subscription.queue_arn])
    error_message = "dlq.arn of a subscription is the queue that could not be reached in the first place: name another queue, such as the dlq of sqs-with-dlq (check: ${join(", ", keys(var.subscriptions))})."
  }
}

variable "email_subscribers" {
  description = "Addresses that receive every message, unfiltered, after confirming the invitation that SNS sends them."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for address in var.email_subscribers : can(regex("^[^@\\s<>,;]+@[^@\\s<>,;]+\\.[^@\\s<>,;.]+$", address))])
    error_message = "email_subscribers must be plain addresses such as name@example.com (wrong: ${join(", ", [for address in var.email_subscribers : address if !can(regex("^[^@\\s<>,;]+@[^@\\s<>,;]+\\.[^@\\s<>,;.]+$", address))])})."
  }
}

variable "kms_key" {
  description = "Encrypts messages at rest in the topic with this customer managed key. The key's policy must let every publisher use it; the README has the statements."
  type = object({
    arn = string
  })
  default = null

  validation {
    condition     = var.kms_key == null ? true : can(regex("^arn:[a-z0-9-]+:kms:${lookup(data.aws_region.current, "region", data.aws_region.current.id)}:[0-9]{12}:key/.+$", var.kms_key.arn))
    error_message = "kms_key.arn must be the key ARN (arn:...:key/...) of a customer managed key in the topic's region, not an alias: alias/aws/sns has a fixed policy that lets neither S3 nor CloudWatch publish."
  }
}

variable "tags" {
  description = "Tags for the topic."
  type        = map(string)
  default     = {}
  nullable    = false
}
