mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name_prefix = "acme"
  packages = {
    route = {
      path         = "../../tests/terraform/packages/function.zip" # nothing is uploaded
      handler      = "route_tenant_event.handler.handler"
      content_hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
      size_bytes   = 22
      runtime      = "python3.13"
      architecture = "arm64"
    }
    process = {
      path         = "../../tests/terraform/packages/function.zip" # nothing is uploaded
      handler      = "process_tenant_file.handler.handler"
      content_hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
      size_bytes   = 22
      runtime      = "python3.13"
      architecture = "arm64"
    }
  }
}

run "lower_bounds_just_legal" {
  command = plan

  variables {
    name_prefix  = "ac"
    queue_mode   = "shared_fair"
    cache        = { seconds = 1, negative_seconds = 1, stale_seconds = 2 }
    router       = { timeout_seconds = 1, batch_size = 1, maximum_concurrency = 2 }
    consumer     = { timeout_seconds = 4, batch_size = 1, maximum_concurrency = 2, max_file_mb = 1, memory_size_mb = 1024 }
    queues       = { max_receive_count = 2, message_retention_seconds = 60, dlq_retention_seconds = 60 }
    group_bucket = { noncurrent_version_days = 15, incomplete_upload_days = 1 }
    group_access = { administrators = ["arn:aws:iam::123456789012:root"] }
    registry     = { deletion_protection = true }
    alarm        = { actions = ["arn:aws:sns:eu-west-1:123456789012:on-call"] }
  }

  assert {
    condition     = local.max_group_name_length == 34 && local.longest_tries_seconds == 48
    error_message = "Two receives of a function of four seconds take 48 seconds, less than the 60 of the queues."
  }
  assert {
    condition     = module.groups.table.deletion_protection_enabled && module.tenants.table.deletion_protection_enabled
    error_message = "The registry has deletion protection when set."
  }
  assert {
    condition = (
      toset([
        module.alarms[0].alarms["quarantine-has-messages"].alarm_name,
        module.alarms[0].alarms["failed-records"].alarm_name,
      ]) == toset(["ac-tenants-quarantine-has-messages", "ac-tenants-failed-records"])
    )
    error_message = "Quarantine and failures must have alarms, besides those of the modules."
  }
}

run "upper_bounds_just_legal" {
  command = plan

  variables {
    # 24 characters: the longest prefix.
    name_prefix = "a23456789-123456789-1234"
    kms_key     = { arn = "arn:aws:kms:eu-west-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab" }
    cache       = { seconds = 3600, negative_seconds = 3600, stale_seconds = 86400 }
    router      = { batch_size = 10, maximum_concurrency = 1000 }
    consumer = {
      timeout_seconds      = 900
      batch_size           = 10
      maximum_concurrency  = 1000
      max_file_mb          = 450
      memory_size_mb       = 10240
      ephemeral_storage_mb = 4500
    }
    queues       = { max_receive_count = 223, message_retention_seconds = 1209600, dlq_retention_seconds = 1209600 }
    group_bucket = { noncurrent_version_days = 56 }
    tags         = { for number in range(8) : "tag-${number}" => format("%0244d", number) }
  }

  assert {
    condition     = length(output.manager_policy) < 6144
    error_message = "The manager's policy must be within the limit with the longest prefix and a key."
  }

  assert {
    condition     = local.max_group_name_length == 12 && local.file_seconds == 450 && local.longest_tries_seconds == 1204200
    error_message = "The longest prefix leaves 12 characters for groups in eu-west-1."
  }
}

run "old_answers_are_never_used" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    cache = { stale_seconds = 0 }
  }

  assert {
    condition     = var.cache.stale_seconds == 0
    error_message = "stale_seconds may be 0."
  }
}

run "more_tries_than_time" {
  command = plan
  variables {
    queues   = { max_receive_count = 2, message_retention_seconds = 60, dlq_retention_seconds = 60 }
    router   = { timeout_seconds = 5 }
    consumer = { timeout_seconds = 1, max_file_mb = 1, memory_size_mb = 10240 }
  }
  # Two receives of 6 x 5 seconds take all of the 60.
  expect_failures = [aws_ssm_parameter.platform]
}

run "larger_files_than_time" {
  command = plan
  variables {
    consumer = { timeout_seconds = 900, max_file_mb = 451, memory_size_mb = 1769, ephemeral_storage_mb = 4510 }
  }
  expect_failures = [aws_ssm_parameter.platform]
}

run "more_tags_than_the_document_takes" {
  command = plan
  variables {
    tags = { for number in range(8) : "tag-${number}" => format("%0245d", number) }
  }
  expect_failures = [aws_ssm_parameter.platform]
}

run "arns_longer_than_the_policy_takes" {
  command = plan
  # An invented long partition: with the longest prefix a real one is always within the limit.
  override_data {
    target = data.aws_partition.current
    # A text of two lines, since functions are not allowed here.
    values = {
      partition = <<-EOT
        aws-and-then-some-and-then-some-and-then-some-and-then-some-and-then-some-and-then-some-and-then-some-and-then-some
        and-then-some-and-then-some-and-then-some-and-then-some-and-then-some-and-then-some-and-then-some-and-then-some
      EOT
    }
  }
  expect_failures = [aws_iam_policy.manager, output.manager_boundary]
}

# Every validation fails alone. Where one reads another variable, Terraform skips it
# once that variable is refused: queues and what depends on them are in separate runs.

run "refused_1" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    name_prefix  = "a23456789-123456789-12345"
    queue_mode   = "shared"
    cache        = { seconds = 3601 }
    router       = { batch_size = 0 }
    consumer     = { batch_size = 0 }
    group_bucket = { noncurrent_version_days = 25 }
  }
  expect_failures = [var.name_prefix, var.queue_mode, var.cache, var.router, var.consumer, var.group_bucket]
}

run "refused_2" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    name_prefix = "aws-tenants"
    cache       = { negative_seconds = 0 }
    router      = { batch_size = 11 }
    consumer    = { batch_size = 11 }
    queues      = { max_receive_count = 0 }
  }
  expect_failures = [var.name_prefix, var.cache, var.router, var.consumer, var.queues]
}

run "refused_3" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    name_prefix = "ssm"
    cache       = { seconds = 4 }
    router      = { maximum_concurrency = 1 }
    consumer    = { maximum_concurrency = 1 }
    queues      = { max_receive_count = 1001 }
  }
  expect_failures = [var.name_prefix, var.cache, var.router, var.consumer, var.queues]
}

run "refused_4" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    name_prefix  = "acme-"
    cache        = { stale_seconds = 71 }
    router       = { maximum_concurrency = 1001 }
    consumer     = { maximum_concurrency = 1001 }
    group_bucket = { incomplete_upload_days = 0 }
  }
  expect_failures = [var.name_prefix, var.cache, var.router, var.consumer, var.group_bucket]
}

run "refused_5" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    name_prefix  = "acme-tg"
    cache        = { stale_seconds = 86401 }
    router       = { batch_size = 1.5 }
    consumer     = { max_file_mb = 0 }
    queues       = { dlq_retention_seconds = 1209601 }
    group_access = { readers = ["arn:aws:sts::123456789012:assumed-role/reports/session"] }
  }
  expect_failures = [var.name_prefix, var.cache, var.router, var.consumer, var.queues, var.group_access]
}

run "refused_6" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    name_prefix  = "acme-tenant-eu"
    cache        = { stale_seconds = -1 }
    consumer     = { max_file_mb = 52 }
    queues       = { message_retention_seconds = 59 }
    group_access = { administrators = [for number in range(9) : "arn:aws:iam::123456789012:role/administrator-${number}-of-all"] }
  }
  expect_failures = [var.name_prefix, var.cache, var.consumer, var.queues, var.group_access]
}

run "refused_7" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    cache    = { seconds = 1.5 }
    consumer = { max_file_mb = 1.5 }
    queues   = { message_retention_seconds = 345600, dlq_retention_seconds = 345599 }
  }
  expect_failures = [var.cache, var.consumer, var.queues]
}

run "refused_8" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    cache        = { negative_seconds = 1.5 }
    router       = { maximum_concurrency = 2.5 }
    consumer     = { maximum_concurrency = 2.5 }
    group_bucket = { noncurrent_version_days = 30.5 }
  }
  expect_failures = [var.cache, var.router, var.consumer, var.group_bucket]
}

run "refused_9" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    cache    = { stale_seconds = 600.5 }
    consumer = { batch_size = 1.5 }
    queues   = { max_receive_count = 1.5 }
  }
  expect_failures = [var.cache, var.consumer, var.queues]
}

run "refused_10" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    cache  = { seconds = 0, negative_seconds = 1 }
    queues = { dlq_retention_seconds = 1209599.5 }
  }
  expect_failures = [var.cache, var.queues]
}

run "refused_11" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    cache  = { seconds = 3600, negative_seconds = 3601 }
    queues = { message_retention_seconds = 345600.5 }
  }
  expect_failures = [var.cache, var.queues]
}

# Last, because later runs would have what is applied.

run "defaults" {
  command = apply

  # Mocks of one type share an ARN; what is compared here must differ.
  override_resource {
    target = module.consumer.aws_iam_role.function[0]
    values = { arn = "arn:aws:iam::123456789012:role/acme-tenants-process-eu-west-1", id = "acme-tenants-process-eu-west-1" }
  }
  override_resource {
    target = module.quarantine.aws_sqs_queue.queue
    values = {
      arn = "arn:aws:sqs:eu-west-1:123456789012:acme-tenants-quarantine"
      url = "https://sqs.eu-west-1.amazonaws.com/123456789012/acme-tenants-quarantine"
    }
  }
  override_resource {
    target = module.quarantine.aws_sqs_queue.dlq[0]
    values = {
      arn = "arn:aws:sqs:eu-west-1:123456789012:acme-tenants-quarantine-dlq"
      url = "https://sqs.eu-west-1.amazonaws.com/123456789012/acme-tenants-quarantine-dlq"
    }
  }
  override_data {
    target = data.aws_default_tags.current
    values = { tags = { "event-pipelines" = "acme" } }
  }

  assert {
    condition = output.pipeline == {
      groups_table         = "acme-TenantGroups"
      tenants_table        = "acme-Tenants"
      quarantine_queue_url = "https://sqs.eu-west-1.amazonaws.com/123456789012/acme-tenants-quarantine"
      quarantine_dlq_url   = "https://sqs.eu-west-1.amazonaws.com/123456789012/acme-tenants-quarantine-dlq"
      platform_parameter   = "/acme/tenants/platform"
      router_function      = "acme-tenants-route"
      router_role          = "acme-tenants-route-eu-west-1"
      router_log_group     = "/aws/lambda/acme-tenants-route"
      consumer_function    = "acme-tenants-process"
      consumer_role        = "acme-tenants-process-eu-west-1"
      consumer_log_group   = "/aws/lambda/acme-tenants-process"
      tenant_role          = "acme-tenants-files-eu-west-1"
      manager_policy_arn   = "arn:aws:iam::123456789012:policy/mock-policy"
      queue_mode           = "per_tenant"
    }
    error_message = "Names must consist of prefix and part."
  }
  assert {
    condition = jsondecode(aws_ssm_parameter.platform.insecure_value) == {
      schema_version       = 1
      name_prefix          = "acme"
      account_id           = "123456789012"
      region               = "eu-west-1"
      partition            = "aws"
      groups_table         = "acme-TenantGroups"
      tenants_table        = "acme-Tenants"
      quarantine_queue_url = "https://sqs.eu-west-1.amazonaws.com/123456789012/acme-tenants-quarantine"
      quarantine_queue_arn = "arn:aws:sqs:eu-west-1:123456789012:acme-tenants-quarantine"
      router = {
        function_name       = "acme-tenants-route"
        function_arn        = "arn:aws:lambda:eu-west-1:123456789012:function:acme-tenants-route"
        batch_size          = 10
        maximum_concurrency = 10
        timeout_seconds     = 30
      }
      consumer = {
        function_name       = "acme-tenants-process"
        function_arn        = "arn:aws:lambda:eu-west-1:123456789012:function:acme-tenants-process"
        batch_size          = 5
        maximum_concurrency = 10
        timeout_seconds     = 300
      }
      queues                = { max_receive_count = 5, message_retention_seconds = 345600, dlq_retention_seconds = 1209600 }
      bucket                = { noncurrent_version_days = 30, incomplete_upload_days = 7, rejected_days = 90 }
      access                = { administrators = [], readers = [] }
      queue_mode            = "per_tenant"
      cache                 = { seconds = 60, negative_seconds = 5, stale_seconds = 600 }
      max_group_name_length = 32
      tags                  = { "event-pipelines" = "acme" }
    }
    error_message = "The platform document must have all settings for groups and tenants."
  }
  assert {
    condition = (
      module.groups.table.hash_key == "GroupName" && module.tenants.table.hash_key == "Name"
      && one(module.tenants.table.global_secondary_index).name == "by_group"
      && one(module.tenants.table.global_secondary_index).hash_key == "GroupName"
      && one(module.tenants.table.global_secondary_index).range_key == "Name"
      && one(module.tenants.table.global_secondary_index).projection_type == "ALL"
      && module.groups.table.point_in_time_recovery[0].enabled && module.tenants.table.point_in_time_recovery[0].enabled
      && !module.groups.table.deletion_protection_enabled
    )
    error_message = "The keys must be names, with an index of tenants by group, and both tables have point-in-time recovery."
  }
  assert {
    condition = (
      module.quarantine.queue.arn == "arn:aws:sqs:eu-west-1:123456789012:acme-tenants-quarantine"
      && length(module.quarantine.alarm_names) == 0
    )
    error_message = "The quarantine must be a queue of the platform."
  }
  assert {
    condition = (
      local.poll_statements[1].Effect == "Deny" && local.poll_statements[1].Action == local.poll_statements[0].Action
      && local.poll_statements[1].Condition.ArnLike["lambda:SourceFunctionArn"] == "arn:aws:lambda:*:*:function:*"
    )
    error_message = "The pollers' actions must be denied to the code."
  }
  assert {
    condition = jsondecode(aws_iam_role.files.assume_role_policy).Statement == [{
      Sid       = "OnlyAsOneTenant"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::123456789012:role/acme-tenants-process-eu-west-1" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = {
        Null                        = { "aws:RequestTag/tenant" = "false", "aws:RequestTag/group" = "false" }
        "ForAllValues:StringEquals" = { "aws:TagKeys" = ["tenant", "group"] }
      }
    }]
    error_message = "Only the consumer may assume the tenants' role, and only with tenant and group tags."
  }
  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.files.policy).Statement : statement.Resource => statement.Action } == {
      "arn:aws:s3:::acme-tg-$${aws:PrincipalTag/group}-123456789012-eu-west-1/$${aws:PrincipalTag/tenant}/raw/*" = [
        "s3:GetObject",
        "s3:GetObjectVersion",
      ]
      "arn:aws:s3:::acme-tg-$${aws:PrincipalTag/group}-123456789012-eu-west-1/$${aws:PrincipalTag/tenant}/silver/*" = [
        "s3:GetObject",
        "s3:PutObject",
      ]
      "arn:aws:s3:::acme-tg-$${aws:PrincipalTag/group}-123456789012-eu-west-1/$${aws:PrincipalTag/tenant}/rejected/*" = [
        "s3:PutObject",
        "s3:PutObjectTagging",
      ]
    }
    error_message = "A session must be limited to its tags' prefix in its group's bucket."
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(output.manager_policy).Statement :
      alltrue([for action in flatten([statement.Action]) : !strcontains(action, "*")])
      && (!contains(flatten([statement.Resource]), "*") || contains(["KeepMappings", "FindWhatThereIs"], statement.Sid))
    ])
    error_message = "The manager's policy has no wildcard actions, and a wildcard resource only where AWS has no resource type."
  }
  assert {
    condition = [
      for statement in jsondecode(output.manager_policy).Statement :
      statement.Condition.ArnEquals["lambda:FunctionArn"]
      if statement.Sid == "KeepMappings"
      ] == [[
        "arn:aws:lambda:eu-west-1:123456789012:function:acme-tenants-route",
        "arn:aws:lambda:eu-west-1:123456789012:function:acme-tenants-process",
    ]]
    error_message = "The manager may map queues to the two functions only."
  }
  assert {
    condition = output.manager_policy == aws_iam_policy.manager.policy && alltrue([
      for statement in jsondecode(output.manager_policy).Statement :
      alltrue([for resource in flatten([statement.Resource]) : endswith(resource, "/*/raw/*") || endswith(resource, "/*/silver/")])
      if length(setintersection(flatten([statement.Action]), ["s3:GetObject", "s3:PutObject"])) > 0
    ])
    error_message = "The policy is the output, and the manager may neither read nor write tenants' results."
  }
  assert {
    condition = [
      for statement in jsondecode(output.manager_boundary).Statement : statement if statement.Effect == "Allow"
    ] == jsondecode(output.manager_policy).Statement
    error_message = "The boundary must allow the manager exactly what its policy allows."
  }
  assert {
    condition = length(setsubtract(
      ["s3:GetObject*", "sqs:ReceiveMessage", "sqs:SendMessage", "sts:AssumeRole*"],
      [for statement in jsondecode(output.manager_boundary).Statement : statement.Action if statement.Effect == "Deny"],
    )) == 0
    error_message = "The boundary must deny what policies of buckets, queues or roles could grant to the manager."
  }
  assert {
    condition     = length(module.alarms) + length(output.alarm_names) == 0
    error_message = "Without alarm there must be no alarms."
  }
}
