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
  description = <<-EOT
    Who may publish, by a name of your choice; each is one of these:
    - `service`: `s3` or `cloudwatch`, for `source_arn`, the bucket or the alarm, which belongs to `source_account` (the topic's account
      by default).
    - `account_id`: identities of that account whose own IAM policies allow it. Those of the topic's account need no entry.
    - `organization_id`: likewise identities of every account of that organisation.
  EOT
  type = map(object({
    service         = optional(string)
    source_arn      = optional(string)
    source_account  = optional(string)
    account_id      = optional(string)
    organization_id = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue([for name, publisher in var.publishers : can(regex("^[A-Za-z0-9_-]{1,64}$", name))])
    error_message = join(" ", [
      "The keys of publishers become statement ids: use 1 to 64 letters,",
      "digits, - and _ (given: ${join(", ", keys(var.publishers))}).",
    ])
  }

  validation {
    condition = alltrue([
      for publisher in var.publishers : length(compact([publisher.service, publisher.account_id, publisher.organization_id])) == 1
      && (publisher.service == null) == (publisher.source_arn == null) && (publisher.service != null || publisher.source_account == null)
    ])
    error_message = join(" ", [
      "A publisher is either service with source_arn, or account_id, or organization_id alone (check:",
      "${join(", ", keys(var.publishers))}).",
    ])
  }

  validation {
    condition = alltrue([
      for publisher in var.publishers : can(regex("^[0-9]{12}$", coalesce(publisher.account_id, "000000000000")))
      && can(regex("^o-[a-z0-9]{10,32}$", coalesce(publisher.organization_id, "o-0000000000")))
    ])
    error_message = join(" ", [
      "account_id of a publisher must be the 12 digits of an account, organization_id an id such as o-a1b2c3d4e5 (check:",
      "${join(", ", keys(var.publishers))}).",
    ])
  }

  validation {
    condition = alltrue([for publisher in var.publishers : contains(["s3", "cloudwatch"], coalesce(publisher.service, "s3"))])
    error_message = join(" ", [
      "The service of a publisher must be s3 (bucket notifications) or cloudwatch (alarms) (wrong:",
      join("", [
        join(", ", [for name, publisher in var.publishers : name if !contains(["s3", "cloudwatch"], coalesce(publisher.service, "s3"))]),
        ").",
      ]),
      "Let an EventBridge rule target the queues directly.",
    ])
  }

  validation {
    condition = alltrue([
      for publisher in var.publishers : publisher.service == null || publisher.source_arn == null ? true : can(regex(lookup({
        s3         = "^arn:[a-z0-9-]+:s3:::[a-z0-9][a-z0-9.*?-]*$"
        cloudwatch = "^arn:[a-z0-9-]+:cloudwatch:[a-z0-9-]+:[0-9]{12}:alarm:.+$"
      }, publisher.service, ".*"), publisher.source_arn))
    ])
    error_message = join(" ", [
      "The source_arn of a publisher must be an ARN of its service: a bucket for s3 (arn:aws:s3:::name), an alarm for cloudwatch",
      "(check: ${join(", ", keys(var.publishers))}).",
    ])
  }

  validation {
    condition = alltrue([
      for publisher in var.publishers : publisher.service != "cloudwatch" || publisher.source_arn == null ? true : strcontains(
        publisher.source_arn,
        ":${coalesce(publisher.source_account, data.aws_caller_identity.current.account_id)}:",
      )
    ])
    error_message = join(" ", [
      "A publisher's source_arn lies in another account than the one its statement demands, so nothing it publishes would arrive: set",
      "source_account to the account in the ARN (check: ${join(", ", keys(var.publishers))}).",
    ])
  }

  validation {
    condition = alltrue([
      for publisher in var.publishers : publisher.source_account == null ? true : can(regex("^[0-9]{12}$", publisher.source_account))
    ])
    error_message = "source_account of a publisher must be the 12 digits of an AWS account id (check: ${join(", ", keys(var.publishers))})."
  }
}

variable "policy_statements" {
  description = <<-EOT
    Further statements for the topic's policy, each a JSON object with `Sid`, `Effect`, `Principal` and `Action`; `Resource` may be
    left out and becomes the topic. The module owns the topic's policy, so it conflicts with a separate aws_sns_topic_policy.
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
    error_message = "A statement of policy_statements allows a wildcard action: name the actions, for example sns:Publish."
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
        contains(local.policy_actions, lower(action)) || can(regex("^sns:.*[*]", lower(action)))
      ])
    ])
    error_message = join(" ", [
      "A statement of policy_statements names an action that SNS does not have: a topic's policy takes those of SNS only, such as",
      "sns:Publish.",
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
    condition = alltrue([
      for subscription in var.subscriptions :
      can(regex("^arn:[a-z0-9-]+:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+$", subscription.queue_arn))
    ])
    error_message = join(" ", [
      "queue_arn of a subscription must be the ARN of an SQS queue, not its URL or name (check:",
      "${join(", ", keys(var.subscriptions))}).",
    ])
  }

  validation {
    condition = alltrue([
      for subscription in var.subscriptions :
      strcontains(subscription.queue_arn, ":sqs:${lookup(data.aws_region.current, "region", data.aws_region.current.id)}:")
    ])
    error_message = join(" ", [
      "queue_arn of a subscription must lie in the topic's region,",
      "${lookup(data.aws_region.current, "region", data.aws_region.current.id)} (check: ${join(", ", keys(var.subscriptions))}).",
    ])
  }

  validation {
    condition = alltrue([for subscription in var.subscriptions : !endswith(subscription.queue_arn, ".fifo")])
    error_message = join(" ", [
      "A standard topic cannot deliver to a FIFO queue: subscribe a standard",
      "queue (check: ${join(", ", keys(var.subscriptions))}).",
    ])
  }

  validation {
    condition = length(distinct([for subscription in var.subscriptions : subscription.queue_arn])) == length(var.subscriptions)
    error_message = join(" ", [
      "Two subscriptions name the same queue, but SNS has one subscription per queue, which both would change: merge their",
      "filter policies, or use two queues.",
    ])
  }

  validation {
    condition = alltrue([
      for subscription in var.subscriptions :
      subscription.filter_policy == null ? true : can(keys(jsondecode(subscription.filter_policy))[0])
    ])
    error_message = join(" ", [
      "filter_policy of a subscription must be the JSON text of an object with at least one key: write it with jsonencode({...}), or",
      "leave it out to receive everything (check: ${join(", ", keys(var.subscriptions))}).",
    ])
  }

  validation {
    condition = alltrue([
      for subscription in var.subscriptions : contains(["MessageBody", "MessageAttributes"], subscription.filter_policy_scope)
    ])
    error_message = join(" ", [
      "filter_policy_scope of a subscription must be MessageBody or MessageAttributes",
      "(check: ${join(", ", keys(var.subscriptions))}).",
    ])
  }

  validation {
    condition = alltrue([
      for subscription in var.subscriptions :
      subscription.filter_policy == null ? true : !can(regex("(?s)\"eventName\"\\s*:.*\"s3:", subscription.filter_policy))
    ])
    error_message = join(" ", [
      "filter_policy of a subscription compares eventName with s3:..., and would match nothing: inside the message S3 writes",
      "ObjectCreated:Put, without the s3: of the notification's event list (check: ${join(", ", keys(var.subscriptions))}).",
    ])
  }

  validation {
    condition     = length([for subscription in var.subscriptions : subscription if subscription.filter_policy != null]) <= 200
    error_message = "SNS takes 200 filter policies per topic: split the subscriptions over several topics."
  }

  validation {
    condition = alltrue([
      for subscription in var.subscriptions : subscription.dlq == null ? true : can(regex(
        "^arn:[a-z0-9-]+:sqs:${local.region}:${local.account_id}:[A-Za-z0-9_-]+$",
        subscription.dlq.arn,
      ))
    ])
    error_message = join(" ", [
      "dlq.arn of a subscription must be the ARN of a standard SQS queue in the topic's account and region (check:",
      "${join(", ", keys(var.subscriptions))}).",
    ])
  }

  validation {
    condition = alltrue([
      for subscription in var.subscriptions : subscription.dlq == null ? true : subscription.dlq.arn != subscription.queue_arn
    ])
    error_message = join(" ", [
      "dlq.arn of a subscription is its queue_arn, to which delivery would have failed: name another queue, such as the dlq of",
      "sqs-with-dlq (check: ${join(", ", keys(var.subscriptions))}).",
    ])
  }
}

variable "email_subscribers" {
  description = "Addresses that receive every message, unfiltered, after confirming the invitation that SNS sends them."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([for address in var.email_subscribers : can(regex("^[^@\\s<>,;]+@[^@\\s<>,;]+\\.[^@\\s<>,;.]+$", address))])
    error_message = join(" ", [
      "email_subscribers must be plain addresses such as name@example.com (wrong:",
      join("", [
        join(", ", [for address in var.email_subscribers : address if !can(regex("^[^@\\s<>,;]+@[^@\\s<>,;]+\\.[^@\\s<>,;.]+$", address))]),
        ").",
      ]),
    ])
  }
}

variable "kms_key" {
  description = <<-EOT
    Encrypts messages at rest in the topic with this customer managed key. The key's policy must let every publisher use it; the README
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
      "kms_key.arn must be the key ARN (arn:...:key/...) of a customer managed key in the topic's region, not an alias: alias/aws/sns",
      "has a fixed policy that lets neither S3 nor CloudWatch publish.",
    ])
  }
}

variable "tags" {
  description = "Tags for the topic."
  type        = map(string)
  default     = {}
  nullable    = false
}
