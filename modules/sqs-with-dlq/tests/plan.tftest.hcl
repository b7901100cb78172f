# What the module plans and, against mocks, applies.

mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name = "orders"
}

run "a_name_is_enough" {
  command = plan

  assert {
    condition     = aws_sqs_queue.queue.name == "orders" && aws_sqs_queue.dlq[0].name == "orders-dlq"
    error_message = "queue and dead-letter queue are named after var.name"
  }

  assert {
    condition = output.subscription == {
      queue_arn = "arn:aws:sqs:eu-west-1:123456789012:orders"
      dlq       = { arn = "arn:aws:sqs:eu-west-1:123456789012:orders-dlq" }
    }
    error_message = "the subscription has the queue and its dead-letter queue"
  }

  assert {
    condition     = aws_sqs_queue.queue.sqs_managed_sse_enabled && aws_sqs_queue.dlq[0].sqs_managed_sse_enabled
    error_message = "SSE-SQS is set explicitly on both queues"
  }

  assert {
    condition     = aws_sqs_queue.queue.message_retention_seconds == 345600 && aws_sqs_queue.dlq[0].message_retention_seconds == 1209600
    error_message = "the dead-letter queue keeps messages for 14 days, longer than the queue"
  }

  assert {
    condition     = aws_sqs_queue.queue.visibility_timeout_seconds == 30
    error_message = "without a consumer the visibility timeout is the 30 seconds of SQS"
  }

  assert {
    condition     = aws_sqs_queue.queue.max_message_size == null && aws_sqs_queue.dlq[0].max_message_size == null
    error_message = "the message size is left to the provider, whose default is its maximum"
  }

  assert {
    condition     = !aws_sqs_queue.queue.fifo_queue && !aws_sqs_queue.dlq[0].fifo_queue
    error_message = "queues are standard queues unless fifo is set"
  }

  assert {
    condition = jsondecode(aws_sqs_queue.queue.policy) == {
      Version = "2012-10-17"
      Statement = [{
        Sid       = "DenyInsecureTransport"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = "arn:aws:sqs:eu-west-1:123456789012:orders"
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    }
    error_message = "without senders the queue's policy has only the TLS statement"
  }

  assert {
    condition     = replace(aws_sqs_queue.dlq[0].policy, ":orders-dlq\"", ":orders\"") == aws_sqs_queue.queue.policy
    error_message = "the dead-letter queue's policy is the queue's, for its own ARN"
  }

  assert {
    condition = jsondecode(aws_sqs_queue.dlq[0].redrive_allow_policy) == {
      redrivePermission = "byQueue"
      sourceQueueArns   = ["arn:aws:sqs:eu-west-1:123456789012:orders"]
    }
    error_message = "only this queue may use the dead-letter queue"
  }

  assert {
    condition = (
      length(aws_cloudwatch_metric_alarm.dlq_depth) + length(aws_cloudwatch_metric_alarm.oldest_message) + length(output.alarm_names)
      == 0
    )
    error_message = "no alarm without var.alarm"
  }

  assert {
    condition     = output.queue.arn == "arn:aws:sqs:eu-west-1:123456789012:orders" && output.queue_arn_static == output.queue.arn
    error_message = "the queue's ARN is known in the first plan"
  }

  assert {
    condition     = output.dlq.arn == "arn:aws:sqs:eu-west-1:123456789012:orders-dlq" && output.dlq.name == "orders-dlq"
    error_message = "the dead-letter queue's ARN is known in the first plan"
  }

  assert {
    condition = (
      output.queue.name == "orders" && !output.queue.fifo && output.queue.visibility_timeout_seconds == 30
      && output.queue.kms_key_arn == null
    )
    error_message = "the queue object has what lambda-consumer checks"
  }
}

run "everything_at_once" {
  command = plan

  variables {
    consumer                  = { timeout_seconds = 60, batching_window_seconds = 5 }
    message_retention_seconds = 86400
    dlq_retention_seconds     = 604800
    max_receive_count         = 3
    kms_key                   = { arn = "arn:aws:kms:eu-west-1:123456789012:key/mrk-1234" }

    senders = {
      bucket = { service = "s3", source_arn = "arn:aws:s3:::photos" }
      topic  = { service = "sns", source_arn = "arn:aws:sns:us-east-1:210987654321:uploads", source_account = "210987654321" }
      rule   = { service = "events", source_arn = "arn:aws:events:eu-west-1:123456789012:rule/nightly" }
    }
    dlq_senders = {
      topic = { service = "sns", source_arn = "arn:aws:sns:eu-west-1:123456789012:uploads" }
    }
    policy_statements = [jsonencode({
      Sid       = "partner"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::210987654321:root" }
      Action    = "sqs:SendMessage"
    })]

    alarm = { actions = ["arn:aws:sns:eu-west-1:123456789012:alarms"], dlq_messages = 2, age_seconds = 3600 }
    tags  = { team = "media" }
  }

  assert {
    condition     = aws_sqs_queue.queue.visibility_timeout_seconds == 365 && output.queue.visibility_timeout_seconds == 365
    error_message = "the visibility timeout is 6 x 60 + 5 seconds"
  }

  assert {
    condition     = aws_sqs_queue.queue.message_retention_seconds == 86400 && aws_sqs_queue.dlq[0].message_retention_seconds == 604800
    error_message = "retentions are passed on"
  }

  assert {
    condition = alltrue([
      for queue in [aws_sqs_queue.queue, aws_sqs_queue.dlq[0]] :
      queue.kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/mrk-1234" && queue.tags == tomap({ team = "media" })
    ])
    error_message = "both queues have key and tags"
  }

  assert {
    condition     = output.queue.kms_key_arn == "arn:aws:kms:eu-west-1:123456789012:key/mrk-1234"
    error_message = "the queue object has the key for the consumer's permissions"
  }

  assert {
    condition = jsondecode(aws_sqs_queue.queue.policy).Statement[*].Sid == [
      "DenyInsecureTransport", "Allow-bucket", "Allow-rule", "Allow-topic", "partner",
    ]
    error_message = "one statement for TLS, one per sender, then the caller's own"
  }

  assert {
    condition = jsondecode(aws_sqs_queue.queue.policy).Statement[1] == {
      Sid       = "Allow-bucket"
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "arn:aws:sqs:eu-west-1:123456789012:orders"
      Condition = {
        ArnEquals    = { "aws:SourceArn" = "arn:aws:s3:::photos" }
        StringEquals = { "aws:SourceAccount" = "123456789012" }
      }
    }
    error_message = "a sender may only send, from its source and from the queue's own account"
  }

  assert {
    condition = [
      for statement in slice(jsondecode(aws_sqs_queue.queue.policy).Statement, 2, 4) :
      [statement.Principal.Service, statement.Condition.StringEqualsIfExists["aws:SourceAccount"]]
      ] == [
      ["events.amazonaws.com", "123456789012"], ["sns.amazonaws.com", "210987654321"],
    ]
    error_message = "source_account names a foreign owner"
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.queue.policy).Statement[4].Resource == "arn:aws:sqs:eu-west-1:123456789012:orders"
    error_message = "a statement without Resource gets the queue's ARN"
  }

  assert {
    condition = jsondecode(aws_sqs_queue.dlq[0].policy).Statement[1] == {
      Sid       = "Allow-topic"
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "arn:aws:sqs:eu-west-1:123456789012:orders-dlq"
      Condition = {
        ArnEquals            = { "aws:SourceArn" = "arn:aws:sns:eu-west-1:123456789012:uploads" }
        StringEqualsIfExists = { "aws:SourceAccount" = "123456789012" }
      }
    } && length(jsondecode(aws_sqs_queue.dlq[0].policy).Statement) == 2
    error_message = "the topic of dlq_senders, and no sender of the main queue, may send dead letters"
  }

  assert {
    condition = alltrue([
      for alarm in [aws_cloudwatch_metric_alarm.dlq_depth[0], aws_cloudwatch_metric_alarm.oldest_message[0]] :
      alarm.namespace == "AWS/SQS" && alarm.statistic == "Maximum" && alarm.period == 60 && alarm.evaluation_periods == 1
      && alarm.comparison_operator == "GreaterThanOrEqualToThreshold" && alarm.treat_missing_data == "notBreaching"
      && alarm.alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:alarms"]) && alarm.ok_actions == alarm.alarm_actions
      && alarm.tags == tomap({ team = "media" })
    ])
    error_message = "both alarms use one minute's maximum, are OK without data, and notify on entering and leaving ALARM"
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.dlq_depth[0].metric_name == "ApproximateNumberOfMessagesVisible"
      && aws_cloudwatch_metric_alarm.dlq_depth[0].dimensions == tomap({ QueueName = "orders-dlq" })
      && aws_cloudwatch_metric_alarm.dlq_depth[0].threshold == 2
    )
    error_message = "the depth alarm is on the dead-letter queue"
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.oldest_message[0].metric_name == "ApproximateAgeOfOldestMessage"
      && aws_cloudwatch_metric_alarm.oldest_message[0].dimensions == tomap({ QueueName = "orders" })
      && aws_cloudwatch_metric_alarm.oldest_message[0].threshold == 3600
    )
    error_message = "the age alarm is on the main queue"
  }

  assert {
    condition = (
      strcontains(aws_cloudwatch_metric_alarm.dlq_depth[0].alarm_description, "failed 3 times on each")
      && strcontains(aws_cloudwatch_metric_alarm.dlq_depth[0].alarm_description, "retention of 7 days")
    )
    error_message = "the depth alarm describes cause and remaining retention"
  }

  assert {
    condition     = output.alarm_names == ["orders-dlq-has-messages", "orders-oldest-message-age"]
    error_message = "alarm names are an output"
  }
}

run "a_fifo_queue" {
  command = plan

  variables {
    fifo    = { content_based_deduplication = true, high_throughput = true }
    senders = { rule = { service = "events", source_arn = "arn:aws:events:eu-west-1:123456789012:rule/nightly" } }
    alarm   = { actions = [] }
  }

  assert {
    condition     = aws_sqs_queue.queue.name == "orders.fifo" && aws_sqs_queue.dlq[0].name == "orders-dlq.fifo" && output.queue.fifo
    error_message = "FIFO names end in .fifo"
  }

  assert {
    condition = alltrue([
      for queue in [aws_sqs_queue.queue, aws_sqs_queue.dlq[0]] :
      queue.fifo_queue && queue.content_based_deduplication && queue.deduplication_scope == "messageGroup"
      && queue.fifo_throughput_limit == "perMessageGroupId"
    ])
    error_message = "the dead-letter queue of a FIFO queue is a FIFO queue of the same kind"
  }

  assert {
    condition = jsondecode(aws_sqs_queue.dlq[0].redrive_allow_policy).sourceQueueArns == [
      "arn:aws:sqs:eu-west-1:123456789012:orders.fifo"
    ]
    error_message = "the redrive allow policy names the FIFO queue"
  }

  assert {
    condition     = output.alarm_names == ["orders-dlq.fifo-has-messages"]
    error_message = "no age alarm without age_seconds"
  }
}

run "a_stack_of_this_project" {
  command = plan

  variables {
    alarm = { actions = [], age_seconds = 60, name_prefix = "ord" }
    name  = "ord-ers"
  }

  assert {
    condition = (
      strcontains(aws_cloudwatch_metric_alarm.dlq_depth[0].alarm_description, "`event-pipelines queues peek ord-ers-dlq --prefix ord`")
      && strcontains(
        aws_cloudwatch_metric_alarm.dlq_depth[0].alarm_description,
        "`event-pipelines queues redrive ord-ers-dlq --prefix ord`"
      )
      && strcontains(aws_cloudwatch_metric_alarm.oldest_message[0].alarm_description, "`event-pipelines queues list --prefix ord`")
    )
    error_message = "with a prefix, the alarms name the commands to run"
  }
}

run "an_applied_queue_sends_its_failures_to_its_own_dlq" {
  override_resource {
    target = aws_sqs_queue.queue
    values = {
      arn = "arn:aws:sqs:eu-west-1:123456789012:orders"
      url = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"
    }
  }

  override_resource {
    target = aws_sqs_queue.dlq[0]
    values = {
      arn = "arn:aws:sqs:eu-west-1:123456789012:orders-dlq"
      url = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders-dlq"
    }
  }

  variables {
    max_receive_count = 3
  }

  assert {
    condition = jsondecode(aws_sqs_queue.queue.redrive_policy) == {
      deadLetterTargetArn = "arn:aws:sqs:eu-west-1:123456789012:orders-dlq"
      maxReceiveCount     = 3
    }
    error_message = "after max_receive_count receives a message moves to the dead-letter queue"
  }

  assert {
    condition     = endswith(output.queue.url, "/orders") && endswith(output.dlq.url, "/orders-dlq")
    error_message = "each object has its own queue's URL"
  }
}
