mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name_prefix = "acme"
  package = {
    path         = "../../tests/terraform/packages/function.zip" # nothing is uploaded
    handler      = "update_item.handler.handler"
    content_hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    size_bytes   = 22
    runtime      = "python3.13"
    architecture = "arm64"
  }
}

run "alarms" {
  command = plan

  variables {
    alarm              = { actions = ["arn:aws:sns:eu-west-1:123456789012:on-call"], rejections = 7 }
    late_after_seconds = 60
  }

  assert {
    condition = toset(output.alarm_names) == toset([
      "acme-relay-updates-dlq-has-messages",
      "acme-relay-updates-oldest-message-age",
      "acme-relay-finished-dlq.fifo-has-messages",
      "acme-relay-finished.fifo-oldest-message-age",
      "acme-relay-update-errors",
      "acme-relay-update-throttles",
      "acme-relay-update-recursion-stopped",
      "acme-relay-rejections",
    ])
    error_message = "There must be exactly these alarms."
  }

  assert {
    condition = (
      module.alarms[0].alarms["rejections"].metric_name == "Rejected" && module.alarms[0].alarms["rejections"].threshold == 7
      && module.alarms[0].alarms["rejections"].dimensions == tomap({ stack = "acme", pipeline = "item-relay" })
      && module.alarms[0].alarms["rejections"].alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:on-call"])
      && strcontains(module.alarms[0].alarms["rejections"].alarm_description, "event-pipelines items status --prefix acme")
    )
    error_message = "The rejection alarm must be per pipeline, have the caller's threshold and name the command to run."
  }
}

run "no_rejection_sets_one_off" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    alarm = { actions = ["arn:aws:sns:eu-west-1:123456789012:on-call"], rejections = 0 }
  }
  expect_failures = [var.alarm]
}

run "late_sooner_than_cloudwatch_looks" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    late_after_seconds = 59
  }
  expect_failures = [var.late_after_seconds]
}

run "late_when_the_queue_has_forgotten" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    late_after_seconds = 345600
  }
  expect_failures = [var.late_after_seconds]
}

run "half_a_second_late" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    late_after_seconds = 60.5
  }
  expect_failures = [var.late_after_seconds]
}
