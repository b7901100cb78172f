mock_provider "aws" {
  source = "./tests/terraform/mocks"
}

variables {
  region            = "eu-west-1"
  package_directory = "tests/terraform/packages"
}

# test_runbook.py and test_dashboard.py read these plans, too.

run "defaults" {
  command = plan

  assert {
    condition     = output.alarms.topic_arn == "arn:aws:sns:eu-west-1:123456789012:event-pipelines-alarms" && length(module.alarms) == 1
    error_message = "Alarms are on, and go to one topic of the stack's own."
  }
  assert {
    condition = length(setsubtract([
      "event-pipelines-audit-other-dlq-has-messages",
      "event-pipelines-audit-rejections",
      "event-pipelines-csv-import-stalled",
      "event-pipelines-csv-imports-failed",
      "event-pipelines-csv-imports-oldest-message-age",
      "event-pipelines-csv-rejections",
      "event-pipelines-csv-row-rejections",
      "event-pipelines-csv-rows-oldest-message-age",
      "event-pipelines-csv-split-recursion-stopped",
      "event-pipelines-image-rejections",
      "event-pipelines-image-thumbnail-dlq-has-messages",
      "event-pipelines-image-thumbnail-errors",
      "event-pipelines-image-thumbnail-oldest-message-age",
      "event-pipelines-image-thumbnail-throttles",
      "event-pipelines-relay-finished.fifo-oldest-message-age",
      "event-pipelines-relay-rejections",
      "event-pipelines-relay-updates-oldest-message-age",
      "event-pipelines-tenants-failed-records",
      "event-pipelines-tenants-quarantine-has-messages",
      "event-pipelines-tenants-rejections",
    ], output.alarms.names)) == 0
    error_message = "Every pipeline has alarms on what may go wrong in it."
  }
  assert {
    condition     = length(distinct(output.alarms.names)) == length(output.alarms.names)
    error_message = "No alarm takes another's name."
  }
  assert {
    condition = output.dashboard == "event-pipelines" && [
      for widget in jsondecode(aws_cloudwatch_dashboard.stack[0].dashboard_body).widgets : split("\n", widget.properties.markdown)[0] if widget.type == "text"
    ] == ["## Image derivatives", "## Event audit", "## CSV import", "## Tenant routing", "## Item relay"]
    error_message = "One dashboard shows every pipeline."
  }
  assert {
    condition = [
      for widget in jsondecode(aws_cloudwatch_dashboard.stack[0].dashboard_body).widgets : widget.properties.title if widget.type == "metric" && widget.y == 8
    ] == ["Arrived", "Queued", "In flight", "Done", "Rejected", "Dead"]
    error_message = "A pipeline's way goes from left to right."
  }
  assert {
    condition = {
      for widget in jsondecode(aws_cloudwatch_dashboard.stack[0].dashboard_body).widgets : widget.properties.title => widget.properties.metrics if widget.type == "metric" && widget.y == 8
      }["Dead"] == [
      ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "event-pipelines-image-mobile-dlq"],
      ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "event-pipelines-image-thumbnail-dlq"],
    ]
    error_message = "Every dead-letter queue of the pipeline is in the graph of the dead."
  }
  assert {
    condition = [
      for widget in jsondecode(aws_cloudwatch_dashboard.stack[0].dashboard_body).widgets : length(widget.properties.alarms) if widget.type == "alarm"
    ] == [length(output.alarms.names)]
    error_message = "Every alarm is on it, in one widget of up to 100."
  }
}

run "settings_reach_the_pipelines" {
  command = plan

  variables {
    alarms            = { email_subscribers = ["ops@example.com"], rejections = 20 }
    image_derivatives = { late_after_seconds = 60 }
    event_audit       = { late_after_seconds = 345599 }
    csv_import        = { late_after_seconds = 600, stalled_after_seconds = 900 }
    item_relay        = { late_after_seconds = 300 }
  }

  assert {
    condition     = length(module.alarms) == 1
    error_message = "Addresses are subscribed to the stack's own topic."
  }
}

run "a_topic_that_exists" {
  command = plan

  variables {
    alarms = { topic_arn = "arn:aws:sns:eu-west-1:210987654321:on-call" }
  }

  assert {
    condition     = output.alarms.topic_arn == "arn:aws:sns:eu-west-1:210987654321:on-call" && length(module.alarms) == 0
    error_message = "With a topic of the caller's, the stack makes none."
  }
}

run "without_alarms" {
  command = plan

  variables {
    alarms = null
  }

  assert {
    condition     = output.alarms == null && length(module.alarms) == 0
    error_message = "Null leaves alarms and topic out."
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_dashboard.stack[0].dashboard_body).widgets[0].type == "text" && jsondecode(aws_cloudwatch_dashboard.stack[0].dashboard_body).widgets[0].y == 0
    error_message = "Without alarms the pipelines move up."
  }
}

run "what_is_not_deployed_is_not_shown" {
  command = plan

  variables {
    pipelines = ["item-relay"]
  }

  assert {
    condition = [
      for widget in jsondecode(aws_cloudwatch_dashboard.stack[0].dashboard_body).widgets : widget.properties.markdown if widget.type == "text"
    ] == ["## Item relay\nscript → updates queue → update → finished queue → service"]
    error_message = "The dashboard follows what is deployed."
  }
}

run "all_but_one" {
  command = plan

  variables {
    pipelines = ["csv-import", "event-audit", "image-derivatives", "item-relay"]
  }

  assert {
    condition     = length([for name in output.alarms.names : name if strcontains(name, "-tenants-")]) == 0
    error_message = "What is not deployed has no alarms."
  }
}

# What is off by default, and the names that come with it.
run "every_option" {
  command = plan

  variables {
    name_prefix = "acme"
    event_audit = { trail = {} }
    csv_import  = { notices = {}, pace = { one_at_a_time = true } }
  }

  assert {
    condition = length(setsubtract([
      "acme-csv-rows.fifo-oldest-message-age",
      "acme-csv-rows-dlq.fifo-has-messages",
    ], output.alarms.names)) == 0
    error_message = "A row queue that keeps its order has alarms like any other."
  }
}

run "nothing_to_show" {
  command = plan

  variables {
    pipelines = []
  }

  assert {
    condition     = output.dashboard == null && length(output.alarms.names) == 0
    error_message = "Without pipelines there is no dashboard."
  }
}

run "more_alarms_than_a_widget_takes" {
  command = plan

  variables {
    image_derivatives = { derivatives = { for number in range(10) : "box-${number}" => { max_width = 100, max_height = 100 } } }
  }

  assert {
    condition = [
      for widget in jsondecode(aws_cloudwatch_dashboard.stack[0].dashboard_body).widgets : [widget.y, length(widget.properties.alarms)] if widget.type == "alarm"
    ] == [[0, 100], [6, length(output.alarms.names) - 100]] && length(output.alarms.names) < 107
    error_message = "The rest of the alarms is in a widget of its own."
  }
}

run "topic_of_another_region" {
  command = plan

  variables {
    alarms = { topic_arn = "arn:aws:sns:us-east-1:123456789012:on-call" }
  }

  expect_failures = [var.alarms]
}

run "addresses_for_a_topic_that_exists" {
  command = plan

  variables {
    alarms = { topic_arn = "arn:aws:sns:eu-west-1:123456789012:on-call", email_subscribers = ["ops@example.com"] }
  }

  expect_failures = [var.alarms]
}

run "no_rejection_sets_one_off" {
  command = plan

  variables {
    alarms = { rejections = 0 }
  }

  expect_failures = [var.alarms]
}
