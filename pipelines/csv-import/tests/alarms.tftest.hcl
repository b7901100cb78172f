mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name_prefix = "acme"
  packages = {
    split = {
      path         = "../../tests/terraform/packages/function.zip" # nothing is uploaded
      handler      = "split_csv.handler.handler"
      content_hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
      size_bytes   = 22
      runtime      = "python3.13"
      architecture = "arm64"
    }
    load = {
      path         = "../../tests/terraform/packages/function.zip" # nothing is uploaded
      handler      = "load_csv_rows.handler.handler"
      content_hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
      size_bytes   = 22
      runtime      = "python3.13"
      architecture = "arm64"
    }
  }
}

run "alarms" {
  command = plan

  variables {
    alarm                 = { actions = ["arn:aws:sns:eu-west-1:123456789012:on-call"], rejections = 7 }
    late_after_seconds    = 60
    stalled_after_seconds = 900
  }

  assert {
    condition = toset(output.alarm_names) == toset([
      "acme-csv-imports-dlq-has-messages",
      "acme-csv-imports-oldest-message-age",
      "acme-csv-rows-dlq-has-messages",
      "acme-csv-rows-oldest-message-age",
      "acme-csv-split-errors",
      "acme-csv-split-throttles",
      "acme-csv-split-recursion-stopped",
      "acme-csv-load-errors",
      "acme-csv-load-throttles",
      "acme-csv-load-recursion-stopped",
      "acme-csv-rejections",
      "acme-csv-row-rejections",
      "acme-csv-imports-failed",
      "acme-csv-imports-empty",
      "acme-csv-import-stalled",
    ])
    error_message = "There must be exactly these alarms."
  }

  assert {
    condition = (
      module.alarms[0].alarms["rejections"].metric_name == "Rejected" && module.alarms[0].alarms["rejections"].threshold == 7
      && module.alarms[0].alarms["rejections"].dimensions == tomap({ stack = "acme", pipeline = "csv-import" })
      && module.alarms[0].alarms["rejections"].alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:on-call"])
      && strcontains(module.alarms[0].alarms["rejections"].alarm_description, "event-pipelines imports list --prefix acme")
    )
    error_message = "The rejection alarm must be per pipeline, have the caller's threshold and name the command to run."
  }

  assert {
    condition = (
      module.alarms[0].alarms["row-rejections"].metric_name == "RowsRejected" && module.alarms[0].alarms["row-rejections"].threshold == 7
      && module.alarms[0].alarms["imports-failed"].metric_name == "ImportsFailed"
      && module.alarms[0].alarms["imports-failed"].threshold == 1
      && module.alarms[0].alarms["imports-empty"].metric_name == "ImportsEmpty" && module.alarms[0].alarms["imports-empty"].threshold == 1
    )
    error_message = "Rejected rows and files, and failed imports, must have alarms."
  }
  assert {
    condition = (
      aws_cloudwatch_composite_alarm.stalled[0].alarm_rule == "ALARM(\"acme-csv-rows-waiting\") AND ALARM(\"acme-csv-no-rows-loaded\")"
      && aws_cloudwatch_composite_alarm.stalled[0].alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:on-call"])
    )
    error_message = "An import is stalled when rows wait and none is loaded."
  }
  assert {
    condition = alltrue([
      for half in [module.alarms[0].alarms["rows-waiting"], module.alarms[0].alarms["no-rows-loaded"]] :
      half.period * half.evaluation_periods == 900 && half.dimensions == tomap({ QueueName = "acme-csv-rows" })
      && half.alarm_actions == null
    ])
    error_message = "Both alarms must be on the row queue, with the caller's period and without notifications."
  }
  assert {
    condition = (
      module.alarms[0].alarms["rows-waiting"].treat_missing_data == "notBreaching"
      && module.alarms[0].alarms["no-rows-loaded"].treat_missing_data == "breaching"
      && module.alarms[0].alarms["no-rows-loaded"].comparison_operator == "LessThanThreshold"
    )
    error_message = "Without data, no rows wait and none is loaded."
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

run "stalled_within_a_batch" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    stalled_after_seconds = 600
  }
  expect_failures = [var.stalled_after_seconds]
}

run "stalled_longer_than_cloudwatch_looks_back" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    stalled_after_seconds = 86700
  }
  expect_failures = [var.stalled_after_seconds]
}

run "stalled_between_two_looks" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    stalled_after_seconds = 1000
  }
  expect_failures = [var.stalled_after_seconds]
}
