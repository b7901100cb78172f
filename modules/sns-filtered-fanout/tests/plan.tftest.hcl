# What the module plans and, against mocks, applies.

mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name = "uploads"
}

run "a_name_is_enough" {
  command = plan

  assert {
    condition = jsondecode(aws_sns_topic.topic.policy) == {
      Version = "2012-10-17"
      Statement = [{
        Sid       = "DenyInsecureTransport"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = "arn:aws:sns:eu-west-1:123456789012:uploads"
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    }
    error_message = "a topic without publishers still has a policy, which allows nothing"
  }

  assert {
    condition = (
      output.topic_arn == "arn:aws:sns:eu-west-1:123456789012:uploads"
      && output.topic_arn_static == output.topic_arn && output.topic_name == "uploads"
    )
    error_message = "the topic's ARN is known in the first plan"
  }

  assert {
    condition = (
      aws_sns_topic.topic.kms_master_key_id == null && length(output.subscription_arns) == 0
      && length(aws_sns_topic_subscription.email) == 0
    )
    error_message = "by default nothing is encrypted or subscribed"
  }
}

run "everything_at_once" {
  command = plan

  variables {
    kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:key/mrk-1234" }
    tags    = { team = "media" }

    publishers = {
      bucket = { service = "s3", source_arn = "arn:aws:s3:::photos" }
      alarms = {
        service        = "cloudwatch"
        source_arn     = "arn:aws:cloudwatch:eu-west-1:210987654321:alarm:media-*"
        source_account = "210987654321"
      }
    }

    subscriptions = {
      everything = { queue_arn = "arn:aws:sqs:eu-west-1:123456789012:everything" }
      put = {
        queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:put"
        filter_policy = jsonencode({ Records = { eventName = ["ObjectCreated:Put"] } })
      }
      urgent = {
        queue_arn            = "arn:aws:sqs:eu-west-1:123456789012:urgent"
        filter_policy        = jsonencode({ priority = ["high"] })
        filter_policy_scope  = "MessageAttributes"
        raw_message_delivery = false
        dlq                  = { arn = "arn:aws:sqs:eu-west-1:123456789012:urgent-dlq" }
      }
    }

    email_subscribers = ["ops@example.com", "first.last+tag@mail.example.co.uk"]
  }

  assert {
    condition = (
      aws_sns_topic.topic.kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/mrk-1234"
      && aws_sns_topic.topic.tags == tomap({ team = "media" })
    )
    error_message = "the topic has key and tags"
  }

  assert {
    condition     = jsondecode(aws_sns_topic.topic.policy).Statement[*].Sid == ["DenyInsecureTransport", "Allow-alarms", "Allow-bucket"]
    error_message = "one statement for TLS and one per publisher"
  }

  assert {
    condition = jsondecode(aws_sns_topic.topic.policy).Statement[2] == {
      Sid       = "Allow-bucket"
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = "arn:aws:sns:eu-west-1:123456789012:uploads"
      Condition = {
        ArnEquals    = { "aws:SourceArn" = "arn:aws:s3:::photos" }
        StringEquals = { "aws:SourceAccount" = "123456789012" }
      }
    }
    error_message = "a publisher may only publish, from its source and from the topic's own account"
  }

  assert {
    condition     = jsondecode(aws_sns_topic.topic.policy).Statement[1].Condition.StringEquals["aws:SourceAccount"] == "210987654321"
    error_message = "source_account names a foreign owner"
  }

  assert {
    condition = {
      for name, subscription in aws_sns_topic_subscription.queue : name => subscription.endpoint
    } == { for name in ["everything", "put", "urgent"] : name => "arn:aws:sqs:eu-west-1:123456789012:${name}" }
    error_message = "every subscription delivers to its queue"
  }

  assert {
    condition     = alltrue([for subscription in aws_sns_topic_subscription.queue : subscription.protocol == "sqs"])
    error_message = "queues are subscribed with the protocol sqs"
  }

  assert {
    condition = (
      aws_sns_topic_subscription.queue["everything"].filter_policy == null
      && aws_sns_topic_subscription.queue["everything"].raw_message_delivery
    )
    error_message = "without a filter policy every message is delivered, raw"
  }

  assert {
    condition = (
      jsondecode(aws_sns_topic_subscription.queue["put"].filter_policy) == { Records = { eventName = ["ObjectCreated:Put"] } }
      && aws_sns_topic_subscription.queue["put"].filter_policy_scope == "MessageBody"
    )
    error_message = "filters compare the message body by default"
  }

  assert {
    condition = (
      aws_sns_topic_subscription.queue["urgent"].filter_policy_scope == "MessageAttributes"
      && !aws_sns_topic_subscription.queue["urgent"].raw_message_delivery
    )
    error_message = "scope and envelope can be chosen"
  }

  assert {
    condition = (
      jsondecode(aws_sns_topic_subscription.queue["urgent"].redrive_policy) == {
        deadLetterTargetArn = "arn:aws:sqs:eu-west-1:123456789012:urgent-dlq"
      }
      && aws_sns_topic_subscription.queue["put"].redrive_policy == null
    )
    error_message = "only the subscription with a dlq has a redrive policy, and it has no receive count"
  }

  assert {
    condition = {
      for address, subscription in aws_sns_topic_subscription.email : address => subscription.protocol
    } == { "ops@example.com" = "email", "first.last+tag@mail.example.co.uk" = "email" }
    error_message = "every address is subscribed by e-mail"
  }
}

run "an_applied_topic_is_the_one_the_policies_name" {
  override_resource {
    target = aws_sns_topic.topic
    values = { arn = "arn:aws:sns:eu-west-1:123456789012:uploads" }
  }

  variables {
    subscriptions     = { everything = { queue_arn = "arn:aws:sqs:eu-west-1:123456789012:everything" } }
    email_subscribers = ["ops@example.com"]
  }

  assert {
    condition = (
      aws_sns_topic_subscription.queue["everything"].topic_arn == output.topic_arn
      && aws_sns_topic_subscription.email["ops@example.com"].topic_arn == output.topic_arn
    )
    error_message = "queues and addresses are subscribed to the topic"
  }

  assert {
    condition     = keys(output.subscription_arns) == ["everything"]
    error_message = "subscription_arns has the queues' keys"
  }
}

run "publishers_of_other_accounts" {
  command = plan

  variables {
    publishers = {
      partner  = { account_id = "210987654321" }
      everyone = { organization_id = "o-a1b2c3d4e5" }
    }
    policy_statements = [
      jsonencode({ Sid = "Subscribers", Effect = "Allow", Principal = { AWS = "210987654321" }, Action = "sns:Subscribe" }),
    ]
  }

  assert {
    condition = slice(jsondecode(aws_sns_topic.topic.policy).Statement, 1, 4) == [
      {
        Sid       = "Allow-partner"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::210987654321:root" }
        Action    = "sns:Publish"
        Resource  = "arn:aws:sns:eu-west-1:123456789012:uploads"
      },
      {
        Sid       = "Allow-everyone"
        Effect    = "Allow"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = "arn:aws:sns:eu-west-1:123456789012:uploads"
        Condition = { StringEquals = { "aws:PrincipalOrgID" = "o-a1b2c3d4e5" } }
      },
      {
        Sid       = "Subscribers"
        Effect    = "Allow"
        Principal = { AWS = "210987654321" }
        Action    = "sns:Subscribe"
        Resource  = "arn:aws:sns:eu-west-1:123456789012:uploads"
      },
    ]
    error_message = "accounts, organisations and further statements are in the topic's policy"
  }
}
