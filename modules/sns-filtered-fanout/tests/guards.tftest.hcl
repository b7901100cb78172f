# Every guard once tripped and once just satisfied. A run trips at most one guard of each variable it
# lists, and terraform test demands a failure from every one of them.

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
      "their-alarm"  = { service = "cloudwatch", source_arn = "arn:aws:cloudwatch:eu-west-1:210987654321:alarm:a", source_account = "210987654321" }
    }

    subscriptions = merge(
      # 200 filter policies, and one subscription without.
      { for n in range(195) : "queue-${n}" => {
        queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:queue-${n}"
        filter_policy = jsonencode({ tenant = ["tenant-${n}"] })
      } },
      {
        unfiltered = { queue_arn = "arn:aws:sqs:eu-west-1:123456789012:unfiltered", dlq = { arn = "arn:aws:sqs:eu-west-1:123456789012:unfiltered-dlq" } }
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
          queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:other_events"
          filter_policy = jsonencode({ Records = { eventSource = ["aws:s3"], eventName = [{ "anything-but" = ["ObjectCreated:Put", "ObjectCreated:Copy"] }] } })
        }
      },
    )
  }

  assert {
    condition     = length([for subscription in aws_sns_topic_subscription.queue : subscription if subscription.filter_policy != null]) == 200
    error_message = "200 filter policies are legal"
  }

  assert {
    condition     = [local.filter_combinations.flat, local.filter_combinations.nested, local.filter_combinations.four_levels] == [150, 150, 4]
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
      put  = { queue_arn = "arn:aws:sqs:eu-west-1:123456789012:one", filter_policy = jsonencode({ Records = { eventName = ["ObjectCreated:Put"] } }) }
      copy = { queue_arn = "arn:aws:sqs:eu-west-1:123456789012:one", filter_policy = jsonencode({ Records = { eventName = ["ObjectCreated:Copy"] } }) }
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
      queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:put"
      filter_policy = jsonencode({ Records = { eventName = [{ prefix = "ObjectRemoved" }, { "anything-but" = ["s3:ObjectCreated:Put"] }] } })
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

# From here on one subscription per guard; terraform test demands a failure of each.
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
