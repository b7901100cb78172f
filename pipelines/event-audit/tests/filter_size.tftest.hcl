# S3's 24 names cannot exceed a filter's limit, so it is tested on the module that checks it, with
# filters of the same form.

mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

run "largest_route" {
  command = plan

  module {
    source = "../../modules/sns-filtered-fanout"
  }
  variables {
    name = "acme-audit-events"
    subscriptions = {
      large = {
        queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:acme-audit-large"
        filter_policy = jsonencode({ Records = { eventName = [for kind in range(75) : "ObjectCreated:${kind}"] } })
      }
    }
  }
}

run "route_too_large" {
  command = plan

  module {
    source = "../../modules/sns-filtered-fanout"
  }
  variables {
    name = "acme-audit-events"
    subscriptions = {
      large = {
        queue_arn     = "arn:aws:sqs:eu-west-1:123456789012:acme-audit-large"
        filter_policy = jsonencode({ Records = { eventName = [for kind in range(76) : "ObjectCreated:${kind}"] } })
      }
    }
  }
  expect_failures = [aws_sns_topic_subscription.queue]
}
