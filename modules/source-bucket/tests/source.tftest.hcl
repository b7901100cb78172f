mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name       = "acme-csv-source"
  own_bucket = "acme-csv"
  queues     = { imports = { name = "acme-csv-imports", dlq_name = "acme-csv-imports-dlq" } }
  key_prefix = "import/"
}

run "a_bucket_of_this_account_by_eventbridge" {
  command = plan

  variables {
    source_bucket = { name = "uploads" }
    key_suffixes  = [".csv", ".csv.gz"]
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.source["imports"].event_pattern) == {
      source      = ["aws.s3"]
      account     = ["123456789012"]
      detail-type = ["Object Created"]
      detail = {
        bucket = { name = ["uploads"] }
        object = { key = [{ suffix = { equals-ignore-case = ".csv" } }, { suffix = { equals-ignore-case = ".csv.gz" } }] }
      }
    }
    error_message = "The rule matches new objects of this account's bucket with these suffixes in any letter case."
  }
  assert {
    condition = (
      aws_cloudwatch_event_target.source["imports"].arn == "arn:aws:sqs:eu-west-1:123456789012:acme-csv-imports"
      && aws_cloudwatch_event_target.source["imports"].dead_letter_config[0].arn
      == "arn:aws:sqs:eu-west-1:123456789012:acme-csv-imports-dlq"
    )
    error_message = "Events that EventBridge cannot deliver go to the dead-letter queue of the same queue."
  }
  assert {
    condition = output.rule_senders.imports.rule == {
      service = "events", source_arn = "arn:aws:events:eu-west-1:123456789012:rule/acme-csv-source-imports"
    }
    error_message = "The queues' policies name the rules."
  }
  assert {
    condition = (
      length(output.senders) == 0 && length(aws_cloudwatch_event_permission.owner) == 0
      && output.owner.bucket_policy_statements == "[]" && output.owner.event_pattern == null && output.owner.event_bus_arn == null
    )
    error_message = "S3 sends no notification, and the owner only enables EventBridge."
  }
  assert {
    condition = (
      [for statement in output.read_statements : join(",", statement.Resource)] == ["arn:aws:s3:::uploads/import/*", "arn:aws:s3:::uploads"]
    )
    error_message = "Only objects with the prefix may be read."
  }
}

run "queues_by_kinds_of_events" {
  command = plan

  variables {
    source_bucket = { name = "uploads", account_id = "210987654321" }
    key_prefix    = ""
    queues = {
      removals = { name = "r", dlq_name = "d", events = ["ObjectRemoved:Delete", "ObjectTagging:Put"] }
      rest     = { name = "r", dlq_name = "d", events = ["ObjectRemoved:Delete", "ObjectTagging:Put"], catch_all = true }
    }
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.source["removals"].event_pattern) == {
      source  = ["aws.s3"]
      account = ["210987654321"]
      detail  = { bucket = { name = ["uploads"] } }
      "$or" = [
        { detail-type = ["Object Tags Added"] },
        { detail-type = ["Object Deleted"], detail = { reason = ["DeleteObject"], deletion-type = ["Permanently Deleted"] } },
      ]
    }
    error_message = "A removal and an expiry must differ by reason, a delete marker by deletion type."
  }
  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.source["rest"].event_pattern)["$or"] == [
      { detail-type = [{ anything-but = ["Object Deleted", "Object Tags Added"] }] },
      { detail-type = ["Object Deleted"], detail = { reason = [{ exists = false }, { anything-but = ["DeleteObject"] }] } },
      {
        detail-type = ["Object Deleted"]
        detail      = { reason = ["DeleteObject"], deletion-type = [{ exists = false }, { anything-but = ["Permanently Deleted"] }] }
      },
    ]
    error_message = "The catch-all must match all other events, also without a reason and of types that S3 adds later."
  }
  assert {
    condition = jsondecode(output.owner.event_pattern) == {
      source  = ["aws.s3"]
      account = ["210987654321"]
      detail  = { bucket = { name = ["uploads"] } }
    }
    error_message = "For queues that differ, the owner forwards all of the bucket's events."
  }
}

run "refuses_events_that_eventbridge_does_not_have" {
  command = plan

  variables {
    source_bucket = { name = "uploads" }
    queues        = { a = { name = "r", dlq_name = "d", events = ["ObjectCreated:Put", "Replication:OperationNotTracked"] } }
  }

  expect_failures = [var.queues]
}

run "refuses_a_queue_without_events" {
  command = plan

  variables {
    source_bucket = { name = "uploads" }
    queues        = { a = { name = "r", dlq_name = "d", events = [] } }
  }

  expect_failures = [var.queues]
}

run "buckets_of_another_account_by_eventbridge" {
  command = plan

  variables {
    source_bucket = {
      name        = "uploads"
      further     = ["archive.old"]
      account_id  = "210987654321"
      kms_key_arn = "arn:aws:kms:eu-west-1:210987654321:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    }
    role_arns = ["arn:aws:iam::123456789012:role/acme-csv-split"]
  }

  assert {
    condition = (
      jsondecode(output.owner.event_pattern).account == ["210987654321"]
      && jsondecode(output.owner.event_pattern).detail == {
        bucket = { name = ["uploads", "archive.old"] }
        object = { key = [{ prefix = "import/" }] }
      }
      && output.owner.event_bus_arn == "arn:aws:events:eu-west-1:123456789012:event-bus/default"
    )
    error_message = "The owner forwards the same events to the bus of this account."
  }
  assert {
    condition     = aws_cloudwatch_event_permission.owner[0].principal == "210987654321"
    error_message = "The bus must accept events of the owner's account."
  }
  assert {
    condition = [
      for statement in jsondecode(output.owner.bucket_policy_statements) : [statement.Principal.AWS, statement.Resource]
      ] == [
      [["arn:aws:iam::123456789012:role/acme-csv-split"], ["arn:aws:s3:::uploads/import/*", "arn:aws:s3:::archive.old/import/*"]],
      [["arn:aws:iam::123456789012:role/acme-csv-split"], ["arn:aws:s3:::uploads", "arn:aws:s3:::archive.old"]],
    ]
    error_message = "The buckets' policies must grant the readers access."
  }
  assert {
    condition     = output.read_statements[2].Resource == ["arn:aws:kms:eu-west-1:210987654321:key/1234abcd-12ab-34cd-56ef-1234567890ab"]
    error_message = "Readers must be allowed to decrypt with the key."
  }
}

run "a_bucket_of_another_account_by_its_notification" {
  command = plan

  variables {
    source_bucket = { name = "uploads", account_id = "210987654321", via = "s3" }
    queues        = {}
  }

  assert {
    condition = (
      length(aws_cloudwatch_event_rule.source) == 0 && length(aws_cloudwatch_event_permission.owner) == 0
      && length(output.key_sources.events) == 0
      && join(",", keys(output.senders)) == "uploads"
      && jsonencode(output.senders["uploads"]) == jsonencode({
        service        = "s3"
        source_arn     = "arn:aws:s3:::uploads"
        source_account = "210987654321"
      })
      && output.owner.event_pattern == null && length(jsondecode(output.owner.bucket_policy_statements)) == 2
    )
    error_message = "S3 may send for that bucket of that account, and there is no rule."
  }
}

run "without_a_source_the_own_bucket_is_it" {
  command = plan

  assert {
    condition = (
      length(aws_cloudwatch_event_rule.source) == 0 && length(output.rule_senders.imports) == 0 && output.owner == null
      && length(output.settings) == 0
      && jsonencode(output.key_sources) == jsonencode({ events = [], owners = [], s3 = ["arn:aws:s3:::acme-csv"] })
      && jsonencode(output.senders) == jsonencode({
        bucket = { service = "s3", source_account = null, source_arn = "arn:aws:s3:::acme-csv" }
      })
    )
    error_message = "Without source_bucket, own_bucket is the source and no rule is created."
  }
}

run "reading_that_changes" {
  command = plan

  variables {
    read_actions = ["s3:PutObject"]
  }

  expect_failures = [var.read_actions]
}

run "just_legal" {
  command = plan

  variables {
    name = "a23456789-123456789-123456789-123456789-123"
    source_bucket = {
      name    = "abc"
      further = ["b-1", "b-2", "b-3", "b-4", "b-5", "b-6", "b-7", "b-8", "b-9"]
    }
    queues = { a2345678901234567890 = { name = "a", dlq_name = "b" } }
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.source["a2345678901234567890"].name) == 64
    error_message = "This run must use exactly the limit of 64 characters."
  }
}

run "names_that_are_none" {
  command = plan

  variables {
    name          = "acme csv"
    source_bucket = { name = "arn:aws:s3:::uploads" }
  }

  expect_failures = [var.name, var.source_bucket]
}

run "a_queue_by_a_name_that_no_rule_has" {
  command = plan

  variables {
    source_bucket = { name = "uploads" }
    queues        = { "a b" = { name = "a", dlq_name = "b" } }
  }

  expect_failures = [var.queues]
}

run "a_rule_whose_name_is_too_long" {
  command = plan

  variables {
    name          = "a23456789-123456789-123456789-123456789-1234"
    source_bucket = { name = "uploads" }
    queues        = { a2345678901234567890 = { name = "a", dlq_name = "b" } }
  }

  expect_failures = [aws_cloudwatch_event_rule.source["a2345678901234567890"]]
}

run "a_pattern_that_is_too_long" {
  command = plan

  variables {
    source_bucket = { name = "uploads" }
    key_suffixes  = [for number in range(60) : format(".suffix-%03d", number)]
  }

  expect_failures = [aws_cloudwatch_event_rule.source["imports"]]
}

run "the_same_bucket_twice" {
  command = plan

  variables {
    source_bucket = { name = "uploads", further = ["uploads"] }
  }

  expect_failures = [var.source_bucket]
}

run "more_buckets_than_a_policy_takes" {
  command = plan

  variables {
    source_bucket = { name = "abc", further = ["b-1", "b-2", "b-3", "b-4", "b-5", "b-6", "b-7", "b-8", "b-9", "b-10"] }
  }

  expect_failures = [var.source_bucket]
}

run "an_account_that_is_none" {
  command = plan

  variables {
    source_bucket = { name = "uploads", account_id = "12345678901" }
  }

  expect_failures = [var.source_bucket]
}

run "another_way" {
  command = plan

  variables {
    source_bucket = { name = "uploads", via = "sns" }
  }

  expect_failures = [var.source_bucket]
}

run "a_key_of_a_third_account" {
  command = plan

  variables {
    source_bucket = {
      name        = "uploads"
      account_id  = "210987654321"
      kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    }
  }

  expect_failures = [var.source_bucket]
}

run "the_bucket_that_the_pipeline_writes_to" {
  command = plan

  variables {
    source_bucket = { name = "uploads", further = ["acme-csv"] }
  }

  expect_failures = [var.own_bucket]
}

run "eventbridge_where_no_queue_takes_its_events" {
  command = plan

  variables {
    source_bucket = { name = "uploads" }
    queues        = {}
  }

  expect_failures = [var.queues]
}
