# Every guard fails once and is just satisfied once. A run fails at most one guard of each variable it
# lists, and terraform test requires a failure of each.

mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name = "uploads"
}

run "just_legal" {
  command = plan

  variables {
    name = format("%0256d", 0)

    publishers = {
      buckets        = { service = "s3", source_arn = "arn:aws:s3:::photos-*" }
      foreign_bucket = { service = "s3", source_arn = "arn:aws:s3:::theirs", source_account = "210987654321" }
      account        = { account_id = "210987654321" }
      organisation   = { organization_id = "o-a1b2c3d4e5" }
      "their-alarm" = {
        service        = "cloudwatch"
        source_arn     = "arn:aws:cloudwatch:eu-west-1:210987654321:alarm:a"
        source_account = "210987654321"
      }
    }

    policy_statements = [
      jsonencode({
        Sid       = "a"
        Effect    = "Allow"
        Principal = { AWS = ["210987654321", "arn:aws:iam::210987654321:role/publisher"] }
        Action    = "SNS:Publish"
      }),
      jsonencode({
        Sid       = "b"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["sns:*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }),
      jsonencode({
        Sid       = "c"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Condition = { StringEquals = { "aws:SourceAccount" = "123456789012" } }
      }),
    ]

    subscriptions = merge(
      # 200 filter policies, and one subscription without.
      { for n in range(195) : "queue-${n}" => {
        queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:queue-${n}"
        filter_policy = jsonencode({ tenant = ["tenant-${n}"] })
      } },
      {
        unfiltered = {
          queue_arn = "arn:aws:sqs:eu-west-1:123456789012:unfiltered"
          dlq       = { arn = "arn:aws:sqs:eu-west-1:123456789012:unfiltered-dlq" }
        }
        five_keys = {
          queue_arn           = "arn:aws:sqs:eu-west-1:123456789012:five_keys"
          filter_policy       = jsonencode({ a = ["1"], b = ["1"], c = ["1"], d = ["1"], e = [{ exists = true }] })
          filter_policy_scope = "MessageAttributes"
        }
        # 5 x 5 x 6 = 150
        flat = {
          queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:flat"
          filter_policy = jsonencode({ a = range(5), b = range(5), c = range(6) })
        }
        # (5 x 2) x (5 x 3) = 150
        nested = {
          queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:nested"
          filter_policy = jsonencode({ Records = { eventName = range(5), s3 = { configurationId = range(5) } } })
        }
        four_levels = {
          queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:four_levels"
          filter_policy = jsonencode({ Records = { s3 = { object = { key = [{ prefix = "ingest/" }] } } } })
        }
        other_events = {
          queue_arn = "arn:aws:sqs:eu-west-1:123456789012:other_events"
          filter_policy = jsonencode({
            Records = { eventSource = ["aws:s3"], eventName = [{ "anything-but" = ["ObjectCreated:Put", "ObjectCreated:Copy"] }] }
          })
        }
      },
    )
  }

  assert {
    condition = length([
      for subscription in aws_sns_topic_subscription.queue : subscription if subscription.filter_policy != null
    ]) == 200
    error_message = "200 filter policies are legal"
  }

  assert {
    condition = [
      local.filter_combinations.flat,
      local.filter_combinations.nested,
      local.filter_combinations.four_levels,
    ] == [150, 150, 4]
    error_message = "combinations are values times depth, multiplied over the keys"
  }
}

run "wrong_forms" {
  command = plan

  variables {
    name              = "uploads.fifo"
    publishers        = { "my bucket" = { service = "s3", source_arn = "arn:aws:s3:::photos" } }
    subscriptions     = { put = { queue_arn = "https://sqs.eu-west-1.amazonaws.com/123456789012/:sqs:eu-west-1:" } }
    email_subscribers = ["ops@example.com", "ops"]
    kms_key           = { arn = "alias/aws/sns" }
  }

  expect_failures = [var.name, var.publishers, var.subscriptions, var.email_subscribers, var.kms_key]
}

run "a_name_too_long" {
  command = plan

  variables {
    name              = format("%0257d", 0)
    publishers        = { rule = { service = "events", source_arn = "arn:aws:events:eu-west-1:123456789012:rule/nightly" } }
    subscriptions     = { put = { queue_arn = "arn:aws:sqs:us-east-1:123456789012:put" } }
    email_subscribers = ["Ops <ops@example.com>"]
    kms_key           = { arn = "arn:aws:kms:eu-west-1:123456789012:alias/mine" }
  }

  expect_failures = [var.name, var.publishers, var.subscriptions, var.email_subscribers, var.kms_key]
}

run "an_arn_of_another_service" {
  command = plan

  variables {
    publishers        = { bucket = { service = "s3", source_arn = "arn:aws:sqs:eu-west-1:123456789012:photos" } }
    subscriptions     = { put = { queue_arn = "arn:aws:sqs:eu-west-1:123456789012:put.fifo" } }
    email_subscribers = ["ops@localhost"]
    kms_key           = { arn = "arn:aws:kms:us-east-1:123456789012:key/mrk-1234" }
  }

  expect_failures = [var.publishers, var.subscriptions, var.email_subscribers, var.kms_key]
}

run "an_arn_of_another_account" {
  command = plan

  variables {
    publishers = { alarms = { service = "cloudwatch", source_arn = "arn:aws:cloudwatch:eu-west-1:210987654321:alarm:*" } }
    subscriptions = {
      put = {
        queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:one"
        filter_policy = jsonencode({ Records = { eventName = ["ObjectCreated:Put"] } })
      }
      copy = {
        queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:one"
        filter_policy = jsonencode({ Records = { eventName = ["ObjectCreated:Copy"] } })
      }
    }
  }

  expect_failures = [var.publishers, var.subscriptions]
}

run "an_account_id_of_eleven_digits" {
  command = plan

  variables {
    publishers    = { bucket = { service = "s3", source_arn = "arn:aws:s3:::photos", source_account = "12345678901" } }
    subscriptions = { put = { queue_arn = "arn:aws:sqs:eu-west-1:123456789012:put", filter_policy = "not json" } }
  }

  expect_failures = [var.publishers, var.subscriptions]
}

run "a_filter_that_is_a_list" {
  command = plan

  variables {
    subscriptions = { put = { queue_arn = "arn:aws:sqs:eu-west-1:123456789012:put", filter_policy = jsonencode(["ObjectCreated:Put"]) } }
  }

  expect_failures = [var.subscriptions]
}

run "an_empty_filter" {
  command = plan

  variables {
    subscriptions = { put = { queue_arn = "arn:aws:sqs:eu-west-1:123456789012:put", filter_policy = "{}" } }
  }

  expect_failures = [var.subscriptions]
}

run "a_scope_that_does_not_exist" {
  command = plan

  variables {
    subscriptions = { put = { queue_arn = "arn:aws:sqs:eu-west-1:123456789012:put", filter_policy_scope = "Body" } }
  }

  expect_failures = [var.subscriptions]
}

run "event_names_of_the_notification" {
  command = plan

  variables {
    subscriptions = { put = {
      queue_arn = "arn:aws:sqs:eu-west-1:123456789012:put"
      filter_policy = jsonencode({
        Records = { eventName = [{ prefix = "ObjectRemoved" }, { "anything-but" = ["s3:ObjectCreated:Put"] }] }
      })
    } }
  }

  expect_failures = [var.subscriptions]
}

run "event_names_in_a_text_of_several_lines" {
  command = plan

  variables {
    subscriptions = { put = {
      queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:put"
      filter_policy = <<-EOT
        { "Records": {
            "eventName" : [
              "s3:ObjectCreated:*"
            ] } }
      EOT
    } }
  }

  expect_failures = [var.subscriptions]
}

run "one_filter_policy_too_many" {
  command = plan

  variables {
    subscriptions = { for n in range(201) : "queue-${n}" => {
      queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:queue-${n}"
      filter_policy = jsonencode({ tenant = ["tenant-${n}"] })
    } }
  }

  expect_failures = [var.subscriptions]
}

run "a_dead_letter_queue_elsewhere" {
  command = plan

  variables {
    subscriptions = { put = {
      queue_arn = "arn:aws:sqs:eu-west-1:123456789012:put"
      dlq       = { arn = "arn:aws:sqs:us-east-1:123456789012:put-dlq" }
    } }
  }

  expect_failures = [var.subscriptions]
}

run "a_dead_letter_queue_of_the_wrong_type" {
  command = plan

  variables {
    subscriptions = { put = {
      queue_arn = "arn:aws:sqs:eu-west-1:123456789012:put"
      dlq       = { arn = "arn:aws:sqs:eu-west-1:123456789012:put-dlq.fifo" }
    } }
  }

  expect_failures = [var.subscriptions]
}

run "a_queue_as_its_own_dead_letter_queue" {
  command = plan

  variables {
    subscriptions = { put = {
      queue_arn = "arn:aws:sqs:eu-west-1:123456789012:put"
      dlq       = { arn = "arn:aws:sqs:eu-west-1:123456789012:put" }
    } }
  }

  expect_failures = [var.subscriptions]
}

# From here on one subscription per guard; terraform test requires a failure of each.
run "filters_that_sns_would_refuse" {
  command = plan

  variables {
    subscriptions = {
      deep = {
        queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:deep"
        filter_policy = jsonencode({ Records = { s3 = { object = { key = { prefix = ["ingest/"] } } } } })
      }
      scalar = {
        queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:scalar"
        filter_policy = jsonencode({ Records = { eventName = "ObjectCreated:Put" } })
      }
      no_values = {
        queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:no_values"
        filter_policy = jsonencode({ Records = { eventName = [] } })
      }
      six_keys = {
        queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:six_keys"
        filter_policy = jsonencode({ a = { a = ["1"], b = ["1"], c = ["1"] }, b = ["1"], c = ["1"], d = ["1"] })
      }
      # 151 x 1
      flat = {
        queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:flat"
        filter_policy = jsonencode({ a = range(151) })
      }
      # (6 x 2) x (13 x 1) = 156
      nested = {
        queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:nested"
        filter_policy = jsonencode({ a = { b = range(6) }, c = range(13) })
      }
      attributes = {
        queue_arn           = "arn:aws:sqs:eu-west-1:123456789012:attributes"
        filter_policy       = jsonencode({ Records = { eventName = ["ObjectCreated:Put"] } })
        filter_policy_scope = "MessageAttributes"
      }
    }
  }

  expect_failures = [
    aws_sns_topic_subscription.queue["deep"],
    aws_sns_topic_subscription.queue["scalar"],
    aws_sns_topic_subscription.queue["no_values"],
    aws_sns_topic_subscription.queue["six_keys"],
    aws_sns_topic_subscription.queue["flat"],
    aws_sns_topic_subscription.queue["nested"],
    aws_sns_topic_subscription.queue["attributes"],
  ]
}

run "refuses_a_statement_without_a_sid" {
  command = plan

  variables {
    policy_statements = [jsonencode({ Effect = "Allow", Principal = { AWS = "210987654321" }, Action = "sns:Publish" })]
  }

  expect_failures = [var.policy_statements]
}

run "refuses_a_statement_with_a_sid_of_the_module" {
  command = plan

  variables {
    policy_statements = [jsonencode({
      Sid       = "Allow-bucket"
      Effect    = "Allow"
      Principal = { AWS = "210987654321" }
      Action    = "sns:Publish"
    })]
  }

  expect_failures = [var.policy_statements]
}

run "refuses_a_statement_that_allows_a_wildcard" {
  command = plan

  variables {
    policy_statements = [jsonencode({ Sid = "x", Effect = "Allow", Principal = { AWS = "210987654321" }, Action = "sns:*" })]
  }

  expect_failures = [var.policy_statements]
}

run "refuses_a_statement_for_everybody_without_a_condition" {
  command = plan

  variables {
    policy_statements = [jsonencode({ Sid = "x", Effect = "Allow", Principal = "*", Action = "sns:Publish" })]
  }

  expect_failures = [var.policy_statements]
}

run "refuses_an_action_of_another_service" {
  command = plan

  variables {
    policy_statements = [jsonencode({
      Sid       = "x"
      Effect    = "Allow"
      Principal = { AWS = "210987654321" }
      Action    = ["sns:Publish", "sqs:SendMessage"]
    })]
  }

  expect_failures = [var.policy_statements]
}

run "refuses_an_action_that_sns_does_not_have" {
  command = plan

  variables {
    policy_statements = [jsonencode({ Sid = "x", Effect = "Allow", Principal = { AWS = "210987654321" }, Action = "sns:Send" })]
  }

  expect_failures = [var.policy_statements]
}

run "refuses_a_principal_that_is_no_account" {
  command = plan

  variables {
    policy_statements = [jsonencode({ Sid = "x", Effect = "Allow", Principal = { AWS = "21098765432" }, Action = "sns:Publish" })]
  }

  expect_failures = [var.policy_statements]
}

run "refuses_a_principal_of_no_kind" {
  command = plan

  variables {
    policy_statements = [jsonencode({
      Sid       = "x"
      Effect    = "Allow"
      Principal = { Role = "arn:aws:iam::210987654321:role/x" }
      Action    = "sns:Publish"
    })]
  }

  expect_failures = [var.policy_statements]
}

run "refuses_the_name_of_a_service_as_principal" {
  command = plan

  variables {
    policy_statements = [jsonencode({ Sid = "x", Effect = "Allow", Principal = "s3.amazonaws.com", Action = "sns:Publish" })]
  }

  expect_failures = [var.policy_statements]
}

run "refuses_a_publisher_that_is_two" {
  command = plan

  variables {
    publishers = { p = { account_id = "210987654321", organization_id = "o-a1b2c3d4e5" } }
  }

  expect_failures = [var.publishers]
}

run "refuses_a_publisher_without_identity" {
  command = plan

  variables {
    publishers = { p = {} }
  }

  expect_failures = [var.publishers]
}

run "refuses_a_service_without_a_source" {
  command = plan

  variables {
    publishers = { p = { service = "s3" } }
  }

  expect_failures = [var.publishers]
}

run "refuses_an_account_with_a_source_account" {
  command = plan

  variables {
    publishers = { p = { account_id = "210987654321", source_account = "210987654321" } }
  }

  expect_failures = [var.publishers]
}

run "refuses_an_account_of_eleven_digits" {
  command = plan

  variables {
    publishers = { p = { account_id = "21098765432" } }
  }

  expect_failures = [var.publishers]
}

run "refuses_an_organisation_that_is_a_unit" {
  command = plan

  variables {
    publishers = { p = { organization_id = "ou-a1b2-c3d4e5f6" } }
  }

  expect_failures = [var.publishers]
}

run "refuses_a_policy_that_is_longer_than_sns_takes" {
  command = plan

  variables {
    policy_statements = [
      jsonencode({
        Sid       = "x"
        Effect    = "Allow"
        Principal = { AWS = "210987654321" }
        Action    = "sns:Publish"
        Condition = { StringLike = { "aws:PrincipalArn" = [format("%030720d", 0)] } }
      }),
    ]
  }

  expect_failures = [aws_sns_topic.topic]
}

run "refuses_filters_by_attributes_of_what_s3_publishes" {
  command = plan

  variables {
    publishers = { bucket = { service = "s3", source_arn = "arn:aws:s3:::b" } }
    subscriptions = {
      q = {
        queue_arn           = "arn:aws:sqs:eu-west-1:123456789012:q"
        filter_policy       = jsonencode({ a = ["x"] })
        filter_policy_scope = "MessageAttributes"
      }
    }
  }

  expect_failures = [aws_sns_topic_subscription.queue["q"]]
}

run "refuses_an_unknown_comparison" {
  command = plan

  variables {
    subscriptions = {
      q = { queue_arn = "arn:aws:sqs:eu-west-1:123456789012:q", filter_policy = jsonencode({ a = ["x", { begins-with = "y" }] }) }
    }
  }

  expect_failures = [aws_sns_topic_subscription.queue["q"]]
}

run "refuses_a_dead_letter_queue_of_another_account" {
  command = plan

  variables {
    subscriptions = {
      q = { queue_arn = "arn:aws:sqs:eu-west-1:123456789012:q", dlq = { arn = "arn:aws:sqs:eu-west-1:210987654321:q-dlq" } }
    }
  }

  expect_failures = [var.subscriptions]
}

run "comparisons_of_every_kind" {
  command = plan

  variables {
    subscriptions = { q = { queue_arn = "arn:aws:sqs:eu-west-1:123456789012:q", filter_policy = jsonencode({
      a     = ["x,{\"b\":", { prefix = "x" }, { suffix = "y" }, { wildcard = "a*b" }, { equals-ignore-case = "z" }]
      b     = [{ numeric = [">", 1] }, { exists = false }, { cidr = "10.0.0.0/8" }, { anything-but = { prefix = "x" } }]
      "$or" = [{ c = ["1"] }, { d = ["2"] }]
    }) } }
  }
}
