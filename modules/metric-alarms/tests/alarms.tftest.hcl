mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name    = "acme-orders"
  actions = ["arn:aws:sns:eu-west-1:123456789012:on-call"]
  alarms  = {}
}

run "settings_reach_each_alarm" {
  command = plan

  variables {
    tags       = { team = "orders" }
    dimensions = { pipeline = "orders" }
    rejections = { threshold = 7, what = "orders were empty.", remedy = "Read the log." }
    alarms = {
      refusals = { description = "Orders were refused.", metric_name = "Refused", dimensions = { shop = "north" }, threshold = 8 }
      idle = {
        description = "Half of another.", namespace = "AWS/SQS", metric_name = "NumberOfMessagesDeleted", dimensions = {
          QueueName = "orders"
        }
        statistic           = "Maximum", period_seconds = 60, evaluation_periods = 3, threshold = 2
        comparison_operator = "LessThanThreshold", treat_missing_data = "breaching", notifies = false
      }
    }
  }

  assert {
    condition = jsonencode([
      for alarm in values(aws_cloudwatch_metric_alarm.alarm) : [
        alarm.alarm_name, alarm.alarm_description, alarm.namespace, alarm.metric_name, alarm.dimensions, alarm.statistic, alarm.period,
        alarm.comparison_operator, alarm.threshold, alarm.evaluation_periods, alarm.treat_missing_data,
        alarm.alarm_actions, alarm.ok_actions, alarm.tags,
      ]
      ]) == jsonencode([
      [
        "acme-orders-idle", "Half of another.", "AWS/SQS", "NumberOfMessagesDeleted", { QueueName = "orders" }, "Maximum", 60,
        "LessThanThreshold", 2, 3, "breaching", null, null, var.tags,
      ],
      [
        "acme-orders-refusals", "Orders were refused.", "EventPipelines", "Refused", { shop = "north" }, "Sum", 300,
        "GreaterThanOrEqualToThreshold", 8, 1, "notBreaching", var.actions, var.actions, var.tags,
      ],
      [
        "acme-orders-rejections",
        "7 or more orders were empty. They are not retried: a retry would end the same. A record of each has the reason. Read the log.",
        "EventPipelines", "Rejected", { pipeline = "orders" }, "Sum", 300,
        "GreaterThanOrEqualToThreshold", 7, 1, "notBreaching", var.actions, var.actions, var.tags,
      ],
    ])
    error_message = "Every alarm must have its settings, and the described defaults for others."
  }
  assert {
    condition = (
      output.alarms["idle"].alarm_name == "acme-orders-idle"
      && jsonencode(output.notifying_names) == jsonencode(["acme-orders-refusals", "acme-orders-rejections"])
    )
    error_message = "The outputs must have the alarms, and the names of those that send notifications."
  }
}

run "just_legal" {
  command = plan

  variables {
    actions = [for number in range(5) : "arn:aws:sns:eu-west-1:123456789012:on-call-${number}"]
    alarms = {
      (format("%0243d", 0)) = {
        description        = format("%01024d", 0)
        metric_name        = "A"
        dimensions         = {}
        period_seconds     = 60
        evaluation_periods = 1440
      }
      "b" = {
        description        = ""
        metric_name        = "A"
        dimensions         = {}
        period_seconds     = 3600
        evaluation_periods = 168
        statistic          = "SampleCount"
      }
      "c" = {
        description         = ""
        metric_name         = "A"
        dimensions          = {}
        comparison_operator = "GreaterThanThreshold"
        treat_missing_data  = "missing"
      }
      "d" = { description = "", metric_name = "A", dimensions = {}, comparison_operator = "LessThanOrEqualToThreshold" }
      "e" = { description = "", metric_name = "A", dimensions = {}, treat_missing_data = "ignore", statistic = "Minimum" }
      "f" = { description = "", metric_name = "A", dimensions = {}, statistic = "Average" }
    }
  }

  assert {
    condition     = length(output.notifying_names) == 6 && length(output.notifying_names[0]) == 255
    error_message = "Every alarm must have been planned."
  }
}

run "refuses_names_and_actions_that_cloudwatch_does_not_take" {
  command = plan

  variables {
    name    = "acme orders"
    actions = [for number in range(6) : "arn:aws:sns:eu-west-1:123456789012:on-call-${number}"]
  }

  expect_failures = [var.name, var.actions]
}

run "refuses_a_name_too_long" {
  command = plan

  variables {
    alarms = { (format("%0244d", 0)) = { description = "", metric_name = "A", dimensions = {} } }
  }

  expect_failures = [var.alarms]
}

run "refuses_a_key_with_a_space" {
  command = plan

  variables {
    alarms = { "a b" = { description = "", metric_name = "A", dimensions = {} } }
  }

  expect_failures = [var.alarms]
}

run "refuses_a_description_too_long" {
  command = plan

  variables {
    alarms = { a = { description = format("%01025d", 0), metric_name = "A", dimensions = {} } }
  }

  expect_failures = [var.alarms]
}

run "refuses_an_unknown_statistic" {
  command = plan

  variables {
    alarms = { a = { description = "", metric_name = "A", dimensions = {}, statistic = "Median" } }
  }

  expect_failures = [var.alarms]
}

run "refuses_an_unknown_comparison" {
  command = plan

  variables {
    alarms = { a = { description = "", metric_name = "A", dimensions = {}, comparison_operator = "EqualToThreshold" } }
  }

  expect_failures = [var.alarms]
}

run "refuses_an_unknown_treatment_of_missing_data" {
  command = plan

  variables {
    alarms = { a = { description = "", metric_name = "A", dimensions = {}, treat_missing_data = "good" } }
  }

  expect_failures = [var.alarms]
}

run "refuses_a_period_below_a_minute" {
  command = plan

  variables {
    alarms = { a = { description = "", metric_name = "A", dimensions = {}, period_seconds = 30 } }
  }

  expect_failures = [var.alarms]
}

run "refuses_a_period_between_minutes" {
  command = plan

  variables {
    alarms = { a = { description = "", metric_name = "A", dimensions = {}, period_seconds = 90 } }
  }

  expect_failures = [var.alarms]
}

run "refuses_no_period" {
  command = plan

  variables {
    alarms = { a = { description = "", metric_name = "A", dimensions = {}, evaluation_periods = 0 } }
  }

  expect_failures = [var.alarms]
}

run "refuses_half_a_period" {
  command = plan

  variables {
    alarms = { a = { description = "", metric_name = "A", dimensions = {}, evaluation_periods = 1.5 } }
  }

  expect_failures = [var.alarms]
}

run "refuses_more_than_a_day" {
  command = plan

  variables {
    alarms = { a = { description = "", metric_name = "A", dimensions = {}, evaluation_periods = 289 } }
  }

  expect_failures = [var.alarms]
}

run "refuses_more_than_a_week" {
  command = plan

  variables {
    alarms = { a = { description = "", metric_name = "A", dimensions = {}, period_seconds = 3600, evaluation_periods = 169 } }
  }

  expect_failures = [var.alarms]
}

run "refuses_two_alarms_of_one_name" {
  command = plan

  variables {
    rejections = { threshold = 1, what = "orders were empty.", remedy = "Read the log." }
    alarms     = { rejections = { description = "Orders were refused.", metric_name = "Refused" } }
  }

  expect_failures = [var.rejections]
}

run "refuses_actions_in_another_region" {
  command = plan

  variables {
    actions = ["arn:aws:sns:us-east-1:123456789012:on-call"]
  }

  expect_failures = [var.actions]
}
