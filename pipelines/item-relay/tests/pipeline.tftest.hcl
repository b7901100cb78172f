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

run "defaults" {
  command = plan

  assert {
    condition = (
      module.bucket.bucket.name == "acme-relay-123456789012-eu-west-1" && output.pipeline.table == "acme-relay-items"
      && output.pipeline.function == "acme-relay-update" && output.pipeline.log_group == "/aws/lambda/acme-relay-update"
      && module.updates_queue.queue.name == "acme-relay-updates" && module.updates_queue.dlq.name == "acme-relay-updates-dlq"
      && module.finished_queue.queue.name == "acme-relay-finished.fifo" && module.finished_queue.dlq.name == "acme-relay-finished-dlq.fifo"
    )
    error_message = "Names must consist of prefix and part: the script and the service find resources by them."
  }
  assert {
    condition     = module.updates_queue.queue.visibility_timeout_seconds == 180 && !module.updates_queue.queue.fifo
    error_message = "A message for the function is hidden for six tries of 30 seconds."
  }
  assert {
    condition     = module.finished_queue.queue.visibility_timeout_seconds == 120 && module.finished_queue.queue.fifo
    error_message = "A message for the service is hidden for two minutes, in a FIFO queue."
  }
  assert {
    condition = (
      module.items.table.billing_mode == "PAY_PER_REQUEST" && module.items.table.hash_key == "id"
      && module.items.table.point_in_time_recovery[0].enabled && !module.items.table.deletion_protection_enabled
    )
    error_message = "The table is on-demand, keyed by id, and can be restored."
  }
  assert {
    condition     = join(" ", keys(module.bucket.lifecycle_rules)) == "expire-rejection-records remove-leftovers"
    error_message = "By default original files never expire."
  }
  assert {
    condition = { for statement in jsondecode(aws_iam_policy.script.policy).Statement : statement.Resource => statement.Action } == {
      "arn:aws:s3:::acme-relay-123456789012-eu-west-1/files/*"         = ["s3:GetObject", "s3:PutObject"]
      "arn:aws:dynamodb:eu-west-1:123456789012:table/acme-relay-items" = ["dynamodb:GetItem", "dynamodb:PutItem"]
      "arn:aws:sqs:eu-west-1:123456789012:acme-relay-updates"          = ["sqs:GetQueueUrl", "sqs:SendMessage"]
    }
    error_message = "The script may only store files and items and send messages."
  }
  assert {
    condition = {
      for statement in jsondecode(aws_iam_policy.service.policy).Statement :
      statement.Resource => join(" ", flatten([statement.Action]))
      } == {
      "arn:aws:sqs:eu-west-1:123456789012:acme-relay-finished.fifo" = join(" ", [
        "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage",
      ])
      "arn:aws:dynamodb:eu-west-1:123456789012:table/acme-relay-items" = "dynamodb:GetItem"
      "arn:aws:s3:::acme-relay-123456789012-eu-west-1/files/*"         = "s3:GetObject"
    }
    error_message = "The service may only receive and read."
  }
  assert {
    condition = output.pipeline.groups == {
      script   = "acme-relay-script-eu-west-1"
      service  = "acme-relay-service-eu-west-1"
      operator = "acme-relay-operator-eu-west-1"
    }
    error_message = "Groups are global: without the region in their names, only one region could have the stack."
  }
  assert {
    condition = (
      aws_iam_group_policy_attachment.script.group == output.pipeline.groups.script
      && aws_iam_group_policy_attachment.service.group == output.pipeline.groups.service
      && aws_iam_group_policy_attachment.operator_script.group == output.pipeline.groups.operator
      && aws_iam_group_policy_attachment.operator_service.group == output.pipeline.groups.operator
    )
    error_message = "Each group has its own policy, and operators have both."
  }
  assert {
    condition     = length(aws_iam_user_group_membership.members) == 0
    error_message = "By default the groups have no members."
  }
  assert {
    condition     = length(output.alarm_names) == 0
    error_message = "Without alarm there must be no alarms."
  }
}

run "lower_bounds_just_legal" {
  command = plan

  variables {
    # 63 characters: the longest bucket name.
    name_prefix    = "a23456789-123456789-123456789-1234"
    function       = { timeout_seconds = 1, batch_size = 1, maximum_concurrency = 2 }
    service        = { visibility_timeout_seconds = 30, late_after_seconds = 60 }
    table          = { point_in_time_recovery = false, deletion_protection = true }
    lifecycle_days = { files = 30, noncurrent = 1, incomplete_upload = 1, rejections = 1 }
    alarm          = { actions = ["arn:aws:sns:eu-west-1:123456789012:on-call"] }
    members = {
      script   = ["a", "uploads+1=x,@acme.example_-"]
      service  = ["a", "relay-host"]
      operator = ["a234567890123456789012345678901234567890123456789012345678901234"]
    }
  }

  assert {
    condition     = length(module.bucket.bucket.name) == 63
    error_message = "This run must use exactly the limit of 63 characters."
  }
  assert {
    condition = (
      module.bucket.lifecycle_rules["expire-files"].expire_days == 30
      && module.bucket.lifecycle_rules["expire-files"].prefix == "files/"
    )
    error_message = "Original files must expire when set."
  }
  assert {
    condition     = !module.items.table.point_in_time_recovery[0].enabled && module.items.table.deletion_protection_enabled
    error_message = "The caller's settings for backup and protection must be used."
  }
  assert {
    condition     = contains(module.finished_queue.alarm_names, "a23456789-123456789-123456789-1234-relay-finished.fifo-oldest-message-age")
    error_message = "There must be an alarm on a service that receives nothing."
  }
  assert {
    condition = (
      aws_iam_user_group_membership.members["a"].groups == toset([output.pipeline.groups.script, output.pipeline.groups.service])
      && aws_iam_user_group_membership.members["relay-host"].groups == toset([output.pipeline.groups.service])
      && length(aws_iam_user_group_membership.members) == 4
    )
    error_message = "Every user must be in the groups that list the user, once in each."
  }
}

run "upper_bounds_just_legal" {
  command = plan

  variables {
    function = { timeout_seconds = 42, batch_size = 10 }
    service  = { visibility_timeout_seconds = 43200, late_after_seconds = 1209599 }
    alarm    = { actions = [], rejections = 1 }

    late_after_seconds = 345599
  }

  assert {
    condition     = module.updates_queue.queue.visibility_timeout_seconds + var.function.timeout_seconds < 300
    error_message = "The next delivery must be within the deduplication interval of a failed one."
  }
  assert {
    condition     = contains(output.alarm_names, "acme-relay-updates-oldest-message-age")
    error_message = "late_after_seconds may be as long as the queue keeps a message."
  }
}

run "name_too_long" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    name_prefix = "a23456789-123456789-123456789-12345"
  }
  expect_failures = [var.name_prefix]
}

# Every validation fails alone.

run "refused_1" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    function       = { timeout_seconds = 43 }
    service        = { visibility_timeout_seconds = 29 }
    lifecycle_days = { files = 29 }
    members        = { script = ["arn:aws:iam::123456789012:user/a"] }
  }
  expect_failures = [var.function, var.service, var.lifecycle_days, var.members]
}

run "refused_2" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    function       = { batch_size = 11 }
    service        = { late_after_seconds = 59 }
    lifecycle_days = { noncurrent = 0 }
    members        = { service = [""] }
  }
  expect_failures = [var.function, var.service, var.lifecycle_days, var.members]
}

run "refused_3" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    lifecycle_days = { rejections = 1.5 }
    members        = { operator = ["a2345678901234567890123456789012345678901234567890123456789012345"] }
  }
  expect_failures = [var.lifecycle_days, var.members]
}

run "a_name_that_aws_keeps_for_itself" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    name_prefix = "amzn-s3-demo-a"
  }

  expect_failures = [var.name_prefix]
}
