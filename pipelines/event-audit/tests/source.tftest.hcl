mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name_prefix = "acme"
  package = {
    path         = "../../tests/terraform/packages/function.zip" # nothing is uploaded
    handler      = "log_object_event.handler.handler"
    content_hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    size_bytes   = 22
    runtime      = "python3.13"
    architecture = "arm64"
  }
}

run "a_bucket_of_another_owner" {
  command = plan

  variables {
    source_bucket = { name = "documents" }
  }

  assert {
    condition = (
      length(module.watched) == 0 && length(module.notification) == 0 && output.pipeline.bucket == null
      && output.pipeline.source.notification.topics.audit.events == [for event in sort(var.events) : "s3:${event}"]
    )
    error_message = "The existing bucket must be the only source, and the output must have the rules for its owner."
  }
}

run "a_bucket_of_another_account_by_eventbridge" {
  command = plan

  variables {
    source_bucket = { name = "documents", account_id = "210987654321", via = "eventbridge" }
    routes        = { upload = { events = ["ObjectCreated:Put"] } }
  }

  assert {
    condition = (
      [for key, senders in module.source.rule_senders : "${key} ${join(",", keys(senders))}"] == ["other rule", "upload rule"]
      && length(module.source.senders) == 0 && length(module.topic.subscription_arns) == 0
    )
    error_message = "A rule must send to each route's queue, without the topic."
  }
  assert {
    condition = (
      jsondecode(output.pipeline.source.event_pattern).account == ["210987654321"]
      && output.pipeline.source.event_bus_arn == "arn:aws:events:eu-west-1:123456789012:event-bus/default"
    )
    error_message = "The owner forwards the bucket's events to this account."
  }
  assert {
    condition     = output.path.arrived[*][3] == ["acme-audit-other", "acme-audit-upload"]
    error_message = "Arrivals must be counted at the queues."
  }
}

run "addresses_that_would_get_nothing" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    source_bucket     = { name = "documents", via = "eventbridge" }
    email_subscribers = ["audit@example.com"]
  }

  expect_failures = [var.email_subscribers]
}
