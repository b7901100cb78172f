mock_provider "aws" {
  source = "./tests/terraform/mocks"
}

variables {
  region            = "eu-west-1"
  package_directory = "tests/terraform/packages"
}

# test_dashboard.py, test_encryption.py, test_runbook.py and test_upgrade.py read these plans, too. A run of the root is
# three seconds of work: put an assertion on settings that another run has into that run.

run "defaults" {
  command = plan

  assert {
    condition     = output.alarms.topic_arn == "arn:aws:sns:eu-west-1:123456789012:event-pipelines-alarms" && length(module.alarms) == 1
    error_message = "By default alarms must exist and notify the stack's own topic."
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
    error_message = "Every pipeline must have its alarms."
  }
  assert {
    condition     = length(distinct(output.alarms.names)) == length(output.alarms.names)
    error_message = "Alarm names must be unique."
  }
  assert {
    condition = output.dashboard == "event-pipelines-eu-west-1" && [
      for widget in jsondecode(aws_cloudwatch_dashboard.regional[0].dashboard_body).widgets :
      split("\n", widget.properties.markdown)[0]
      if widget.type == "text"
    ] == ["## Image derivatives", "## Event audit", "## CSV import", "## Tenant routing", "## Item relay"]
    error_message = "One dashboard must show every pipeline."
  }
  assert {
    condition = [
      for widget in jsondecode(aws_cloudwatch_dashboard.regional[0].dashboard_body).widgets :
      widget.properties.title
      if widget.type == "metric" && widget.y == 8
    ] == ["Arrived", "Queued", "In flight", "Done", "Rejected", "Dead"]
    error_message = "The graphs of a pipeline must be from left to right."
  }
  assert {
    condition = {
      for widget in jsondecode(aws_cloudwatch_dashboard.regional[0].dashboard_body).widgets :
      widget.properties.title => widget.properties.metrics
      if widget.type == "metric" && widget.y == 8
      }["Dead"] == [
      ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "event-pipelines-image-mobile-dlq"],
      ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "event-pipelines-image-thumbnail-dlq"],
    ]
    error_message = "Every dead-letter queue of the pipeline must be in the graph of dead letters."
  }
  assert {
    condition = [
      for widget in jsondecode(aws_cloudwatch_dashboard.regional[0].dashboard_body).widgets :
      length(widget.properties.alarms)
      if widget.type == "alarm"
    ] == [length(output.alarms.names)]
    error_message = "Every alarm must be on the dashboard, in one widget of up to 100."
  }
  assert {
    condition = alltrue([
      for pipeline in [output.csv_import, output.event_audit, output.image_derivatives, output.item_relay, output.tenant_routing] :
      pipeline != null
    ])
    error_message = "By default every pipeline must be created."
  }
}

run "settings_reach_the_pipelines" {
  command = plan

  variables {
    name_prefix = "acme"
    alarms      = { email_subscribers = ["ops@example.com"], rejections = 20 }
    image_derivatives = {
      derivatives        = { banner = { max_width = 1200, max_height = 300 } }
      lifecycle_days     = { ingest = 7 }
      late_after_seconds = 60
    }
    event_audit = {
      routes             = { put = { events = ["ObjectCreated:Put"] } }
      trail              = {}
      late_after_seconds = 345599
    }
    csv_import = {
      pace                  = { table_write_capacity = 50 }
      late_after_seconds    = 600
      stalled_after_seconds = 900
      notices               = {}
    }
    item_relay = {
      function           = { memory_size_mb = 512 }
      members            = { operator = ["ada"] }
      late_after_seconds = 300
    }
    tenant_routing = {
      queue_mode = "shared_fair"
    }
    # test_locked_down.py checks these in every resource.
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
    iam_path                 = "/teams/media/"
    vpc                      = { subnet_ids = ["subnet-01234567"], security_group_ids = ["sg-01234567"] }
  }

  assert {
    condition     = join(",", keys(output.image_derivatives.derivatives)) == "banner"
    error_message = "The caller's derivatives must be used."
  }
  assert {
    condition     = join(",", keys(output.event_audit.routes)) == "other,put"
    error_message = "Routes must be the caller's and the catch-all."
  }
  assert {
    condition     = output.event_audit.trail_table == "acme-audit-trail"
    error_message = "A trail must exist when set."
  }
  assert {
    condition     = output.csv_import.pace.rows_per_second == 40
    error_message = "Four fifths of a provisioned table's capacity must be used."
  }
  assert {
    condition     = output.item_relay.groups.operator == "acme-relay-operator-eu-west-1"
    error_message = "The relay has a group for operators."
  }
  assert {
    condition     = output.tenant_routing.queue_mode == "shared_fair"
    error_message = "The caller's queue mode must be used."
  }
  assert {
    condition     = length(module.alarms) == 1
    error_message = "Addresses are subscribed to the stack's own topic."
  }
  assert {
    condition     = module.item_relay[0].key_sources == { s3 = [], sns = [] } && length(local.kms_key_policy_statements) == 4
    error_message = "The statements for the key's policy must be known without a key."
  }
}

run "what_is_not_deployed_is_not_shown" {
  command = plan

  variables {
    pipelines = ["item-relay"]
    # The European sovereign cloud, whose regions have other names.
    region = "eusc-de-east-1"
  }

  assert {
    condition = [
      for widget in jsondecode(aws_cloudwatch_dashboard.regional[0].dashboard_body).widgets :
      widget.properties.markdown
      if widget.type == "text"
    ] == ["## Item relay\nscript → updates queue → update → finished queue → service"]
    error_message = "The dashboard must have only deployed pipelines."
  }
}

run "all_but_one" {
  command = plan

  variables {
    pipelines         = ["csv-import", "event-audit", "image-derivatives", "item-relay"]
    image_derivatives = { derivatives = { for number in range(12) : "box-${number}" => { max_width = 100, max_height = 100 } } }
  }

  assert {
    condition     = length([for name in output.alarms.names : name if strcontains(name, "-tenants-")]) == 0
    error_message = "There must be no alarms for pipelines that are not deployed."
  }
  assert {
    condition = [
      for widget in jsondecode(aws_cloudwatch_dashboard.regional[0].dashboard_body).widgets :
      [widget.y, length(widget.properties.alarms)]
      if widget.type == "alarm"
    ] == [[0, 100], [6, length(output.alarms.names) - 100]] && length(output.alarms.names) < 107
    error_message = "The other alarms must be in a separate widget."
  }
}

# What is off by default, and the names that come with it.
run "every_option" {
  command = plan

  variables {
    name_prefix       = "acme"
    code_bucket       = { name = "acme-code" }
    kms_key           = { arn = "arn:aws:kms:eu-west-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab" }
    event_audit       = { trail = {}, email_subscribers = ["audit@example.com"] }
    csv_import        = { notices = { email_subscribers = ["imports@example.com"] }, pace = { one_at_a_time = true } }
    image_derivatives = { email_subscribers = ["pictures@example.com"] }
    item_relay        = { members = { operator = ["ada"] } }
  }

  assert {
    condition = length(setsubtract([
      "acme-csv-rows.fifo-oldest-message-age",
      "acme-csv-rows-dlq.fifo-has-messages",
    ], output.alarms.names)) == 0
    error_message = "A FIFO row queue must have the same alarms."
  }
  assert {
    condition     = length(local.kms_key_policy_statements) == 4
    error_message = "The key's policy must allow S3, SNS, CloudWatch alarms and CloudWatch Logs."
  }
}

run "no_pipeline" {
  command = plan

  variables {
    pipelines = []
    # 24 characters: the longest prefix.
    name_prefix = "a23456789-123456789-1234"
    kms_key     = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
  }

  assert {
    condition = alltrue([
      for pipeline in [output.csv_import, output.event_audit, output.image_derivatives, output.item_relay, output.tenant_routing] :
      pipeline == null
    ])
    error_message = "A pipeline that is not in pipelines must not be created."
  }
  assert {
    condition     = output.tenant_manager_policy == null
    error_message = "There must be no policy for managing its tenants."
  }
  assert {
    condition     = output.dashboard == null && length(output.alarms.names) == 0
    error_message = "Without pipelines there is no dashboard."
  }
  assert {
    condition     = output.kms_key_policy_statements == "[]"
    error_message = "Without pipelines the key's policy needs no statements."
  }
}

run "customer_key_of_one_pipeline" {
  command = plan

  variables {
    name_prefix = "acme"
    pipelines   = ["item-relay"]
    alarms      = null
    kms_key     = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
  }

  assert {
    condition     = [for statement in local.kms_key_policy_statements : statement.Sid] == ["Logs"]
    error_message = "A pipeline without notifications needs the key for its logs only."
  }
  assert {
    condition     = output.alarms == null && length(module.alarms) == 0
    error_message = "With null there must be no alarms and no topic."
  }
  assert {
    condition = (
      jsondecode(aws_cloudwatch_dashboard.regional[0].dashboard_body).widgets[0].type == "text"
      && jsondecode(aws_cloudwatch_dashboard.regional[0].dashboard_body).widgets[0].y == 0
    )
    error_message = "Without alarms the pipelines' widgets must begin at the top."
  }
}

run "customer_key_for_alarms_to_a_topic_that_exists" {
  command = plan

  variables {
    name_prefix = "acme"
    pipelines   = ["csv-import"]
    csv_import  = { notices = {} }
    alarms      = { topic_arn = "arn:aws:sns:eu-west-1:210987654321:on-call" }
    kms_key     = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
  }

  assert {
    condition     = [for statement in local.kms_key_policy_statements : statement.Sid] == ["NotificationsOfBuckets", "Logs"]
    error_message = "With another owner's topic and none of the pipeline's own, SNS must not be in the key's policy."
  }
  assert {
    condition     = output.alarms.topic_arn == "arn:aws:sns:eu-west-1:210987654321:on-call" && length(module.alarms) == 0
    error_message = "With topic_arn the stack must create no topic."
  }
}

# Every validation fails alone, or with those of variables that it does not read.
run "topic_of_another_region_and_key_by_alias" {
  command = plan
  module { source = "./tests/terraform/variables" }
  variables {
    alarms  = { topic_arn = "arn:aws:sns:us-east-1:123456789012:on-call" }
    kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:alias/acme" }
  }

  expect_failures = [var.alarms, var.kms_key]
}

run "addresses_for_a_topic_that_exists_and_key_by_id" {
  command = plan
  module { source = "./tests/terraform/variables" }
  variables {
    alarms  = { topic_arn = "arn:aws:sns:eu-west-1:123456789012:on-call", email_subscribers = ["ops@example.com"] }
    kms_key = { arn = "1234abcd-12ab-34cd-56ef-1234567890ab" }
  }

  expect_failures = [var.alarms, var.kms_key]
}

run "no_rejection_sets_one_off_and_key_of_another_region" {
  command = plan
  module { source = "./tests/terraform/variables" }
  variables {
    alarms  = { rejections = 0 }
    kms_key = { arn = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
  }

  expect_failures = [var.alarms, var.kms_key]
}

run "values_that_cannot_work" {
  command = plan
  module { source = "./tests/terraform/variables" }
  variables {
    region            = "Ireland"
    name_prefix       = "a23456789-123456789-12345"
    pipelines         = ["image-derivative"]
    package_directory = "tests/terraform"
  }

  expect_failures = [var.region, var.name_prefix, var.pipelines, var.package_directory]
}

run "a_prefix_like_groups_of_another_stack" {
  command = plan
  module { source = "./tests/terraform/variables" }
  variables {
    name_prefix = "acme-tg"
  }

  expect_failures = [var.name_prefix]
}

run "a_name_that_aws_keeps_for_itself" {
  command = plan
  module { source = "./tests/terraform/variables" }
  variables {
    region      = "eu-west-1"
    name_prefix = "ssm-relay"
  }

  expect_failures = [var.name_prefix]
}
