data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  # Provider 6 renamed the attribute; lookup() is the one form that both majors accept.
  region = lookup(data.aws_region.current, "region", data.aws_region.current.id)

  fifo            = var.fifo != null
  high_throughput = var.fifo == null ? false : var.fifo.high_throughput

  suffix     = local.fifo ? ".fifo" : ""
  queue_name = "${var.name}${local.suffix}"
  dlq_name   = "${var.name}-dlq${local.suffix}"

  # ARNs are composed from names so that both policies are complete in the first plan, stay readable
  # when only a tag changes, and so that neither queue waits for the other to be named in a policy.
  arn_prefix = "arn:${data.aws_partition.current.partition}:sqs:${local.region}:${local.account_id}"
  queue_arn  = "${local.arn_prefix}:${local.queue_name}"
  dlq_arn    = "${local.arn_prefix}:${local.dlq_name}"

  own_dlq = var.dlq == null ? false : var.dlq.existing_arn == null

  # Six tries fit into one visibility period: a throttled batch is retried while it stays invisible,
  # and a message that reappears during a retry would be processed twice.
  required_visibility_seconds = (
    var.consumer == null ? 0 : 6 * var.consumer.timeout_seconds + var.consumer.batching_window_seconds
  )
  visibility_timeout_seconds = coalesce(
    var.visibility_timeout_seconds,
    var.consumer == null ? 30 : local.required_visibility_seconds,
  )

  # Actions that a queue's policy may name, in lower case, since IAM ignores case.
  policy_actions = [
    "sqs:addpermission", "sqs:cancelmessagemovetask", "sqs:changemessagevisibility", "sqs:createqueue", "sqs:deletemessage",
    "sqs:deletequeue", "sqs:getqueueattributes", "sqs:getqueueurl", "sqs:listdeadlettersourcequeues", "sqs:listmessagemovetasks",
    "sqs:listqueuetags", "sqs:purgequeue", "sqs:receivemessage", "sqs:removepermission", "sqs:sendmessage", "sqs:setqueueattributes",
    "sqs:startmessagemovetask", "sqs:tagqueue", "sqs:untagqueue",
  ]

  deny_insecure_transport = {
    Sid       = "DenyInsecureTransport"
    Effect    = "Deny"
    Principal = "*"
    Action    = "sqs:*"
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  }

  sender_statements = {
    for queue, senders in { main = var.senders, dlq = var.dlq_senders } : queue => [
      for name, sender in senders : {
        Sid       = "Allow-${name}"
        Effect    = "Allow"
        Principal = { Service = "${sender.service}.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Condition = {
          ArnEquals = { "aws:SourceArn" = sender.source_arn }
          # A bucket's ARN names no account, so S3 must send the account. Other ARNs name it, and
          # messages of a service that does not document the key must not be refused.
          (sender.service == "s3" ? "StringEquals" : "StringEqualsIfExists") = {
            "aws:SourceAccount" = coalesce(sender.source_account, local.account_id)
          }
        }
      }
    ]
  }

  # AWS waits to its timeout on a policy without a Version instead of refusing it.
  queue_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for statement in concat(
        [local.deny_insecure_transport],
        local.sender_statements.main,
        [for text in var.policy_statements : jsondecode(text)],
      ) : merge({ Resource = local.queue_arn }, statement)
    ]
  })

  dlq_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for statement in concat([local.deny_insecure_transport], local.sender_statements.dlq) :
      merge({ Resource = local.dlq_arn }, statement)
    ]
  })
}

resource "aws_sqs_queue" "dlq" {
  count = local.own_dlq ? 1 : 0

  name = local.dlq_name

  fifo_queue                  = local.fifo
  content_based_deduplication = local.fifo ? var.fifo.content_based_deduplication : null
  deduplication_scope         = local.high_throughput ? "messageGroup" : null
  fifo_throughput_limit       = local.high_throughput ? "perMessageGroupId" : null

  message_retention_seconds = var.dlq_retention_seconds
  max_message_size          = var.max_message_size

  sqs_managed_sse_enabled = var.kms_key == null ? true : null
  kms_master_key_id       = var.kms_key == null ? null : var.kms_key.arn

  policy = local.dlq_policy
  # The composed ARN: a reference would be a cycle with the redrive policy below.
  redrive_allow_policy = !var.dlq.redrive_allow_policy ? null : jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.queue_arn]
  })

  tags = var.tags

  lifecycle {
    precondition {
      condition = length(local.dlq_policy) <= 8192
      error_message = join(" ", [
        "The policy of ${local.dlq_name} is ${length(local.dlq_policy)} bytes, and SQS takes 8192:",
        "use fewer dlq_senders or shorter names.",
      ])
    }

    postcondition {
      condition = self.arn == local.dlq_arn
      error_message = join(" ", [
        "AWS created ${self.arn}, but policies were written for ${local.dlq_arn}: check that the provider's account, region and partition",
        "are the ones its data sources report.",
      ])
    }
  }
}

resource "aws_sqs_queue" "queue" {
  name = local.queue_name

  fifo_queue                  = local.fifo
  content_based_deduplication = local.fifo ? var.fifo.content_based_deduplication : null
  deduplication_scope         = local.high_throughput ? "messageGroup" : null
  fifo_throughput_limit       = local.high_throughput ? "perMessageGroupId" : null

  message_retention_seconds  = var.message_retention_seconds
  visibility_timeout_seconds = local.visibility_timeout_seconds
  delay_seconds              = var.delay_seconds
  receive_wait_time_seconds  = var.receive_wait_time_seconds
  max_message_size           = var.max_message_size

  sqs_managed_sse_enabled = var.kms_key == null ? true : null
  kms_master_key_id       = var.kms_key == null ? null : var.kms_key.arn

  policy = local.queue_policy
  # A reference, not the composed ARN: AWS refuses a dead-letter queue that does not exist yet.
  redrive_policy = var.dlq == null ? null : jsonencode({
    deadLetterTargetArn = local.own_dlq ? aws_sqs_queue.dlq[0].arn : var.dlq.existing_arn
    maxReceiveCount     = var.max_receive_count
  })

  tags = var.tags

  lifecycle {
    precondition {
      condition = length(var.dlq_senders) == 0 || local.own_dlq
      error_message = join(" ", [
        "dlq_senders are for the dead-letter queue that the module makes: with dlq.existing_arn or dlq = null, grant them in that queue's",
        "own policy.",
      ])
    }

    precondition {
      condition = var.max_receive_count >= 2 || var.consumer == null || var.dlq == null
      error_message = join(" ", [
        "max_receive_count must be 2 or more with a consumer: if the function is throttled once, messages would become dead letters",
        "unprocessed.",
      ])
    }

    precondition {
      condition = length(local.queue_policy) <= 8192
      error_message = join(" ", [
        "The policy of ${local.queue_name} is ${length(local.queue_policy)} bytes, and SQS takes 8192: shorten policy_statements or use",
        "fewer senders.",
      ])
    }

    postcondition {
      condition = self.arn == local.queue_arn
      error_message = join(" ", [
        "AWS created ${self.arn}, but policies were written for ${local.queue_arn}: check that the provider's account, region and",
        "partition are the ones its data sources report.",
      ])
    }
  }
}

# Only visible messages count: messages in flight are being examined. The age of a dead letter
# counts from its first delivery, which does not show when it arrived here.
resource "aws_cloudwatch_metric_alarm" "dlq_depth" {
  count = var.alarm != null && local.own_dlq ? 1 : 0

  alarm_name = "${local.dlq_name}-has-messages"
  alarm_description = join(" ", [
    "${local.dlq_name} holds ${var.alarm.dlq_messages} or more messages:",
    "the consumer of ${local.queue_name} failed ${var.max_receive_count} times on each, or SNS or EventBridge could not deliver them.",
    "They are not retried.",
    var.alarm.name_prefix == null
    ? "Read one message and the consumer's log, remove the cause, then redrive the dead-letter queue"
    : join(" ", [
      "Run `event-pipelines queues peek ${local.dlq_name} --prefix ${var.alarm.name_prefix}`, remove the cause, then run `event-pipelines",
      "queues redrive ${local.dlq_name} --prefix ${var.alarm.name_prefix}`",
    ]),
    "before its retention of ${format("%.3g", var.dlq_retention_seconds / 86400)} days, counted from the first delivery, deletes them.",
  ])

  namespace   = "AWS/SQS"
  metric_name = "ApproximateNumberOfMessagesVisible"
  dimensions  = { QueueName = aws_sqs_queue.dlq[0].name }
  statistic   = "Maximum"
  period      = 60

  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.alarm.dlq_messages
  evaluation_periods  = 1
  # SQS reports no metrics for a queue that was idle for hours; an idle dead-letter queue is normal.
  treat_missing_data = "notBreaching"

  alarm_actions = var.alarm.actions
  ok_actions    = var.alarm.actions

  tags = var.tags
}

resource "aws_cloudwatch_metric_alarm" "oldest_message" {
  count = var.alarm == null ? 0 : var.alarm.age_seconds == null ? 0 : 1

  alarm_name = "${local.queue_name}-oldest-message-age"
  alarm_description = join(" ", [
    "The oldest message in ${local.queue_name} has waited ${var.alarm.age_seconds} seconds or longer:",
    "its consumer fails, is throttled, or cannot keep up.",
    var.alarm.name_prefix == null
    ? "Look at the consumer's errors, throttles and concurrency"
    : "Run `event-pipelines queues list --prefix ${var.alarm.name_prefix}` and look at the consumer's errors, throttles and concurrency",
    "before the retention of ${format("%.3g", var.message_retention_seconds / 86400)} days deletes the messages.",
  ])

  namespace   = "AWS/SQS"
  metric_name = "ApproximateAgeOfOldestMessage"
  dimensions  = { QueueName = aws_sqs_queue.queue.name }
  statistic   = "Maximum"
  period      = 60

  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.alarm.age_seconds
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm.actions
  ok_actions    = var.alarm.actions

  tags = var.tags
}
