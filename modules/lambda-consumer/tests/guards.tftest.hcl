mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name    = "resize-images"
  handler = "resize_images.handler.handler"
  # Any zip can be the package: nothing is uploaded.
  package = { path = "../../tests/terraform/packages/function.zip" }
}

# --- Valid values closest to what the runs below refuse

run "least_of_everything" {
  command = plan

  variables {
    name = "f"
    package = {
      path         = "../../tests/terraform/packages/function.zip"
      size_bytes   = 52428800
      runtime      = "python3.12"
      architecture = "x86_64"
    }
    handler                   = "h"
    runtime                   = "python3.12"
    architecture              = "x86_64"
    timeout_seconds           = 1
    memory_size_mb            = 128
    ephemeral_storage_mb      = 512
    environment               = { TZ = "Europe/Berlin", a_ = "" }
    reserved_concurrency      = 0
    log_retention_days        = 0
    log_level                 = "TRACE"
    maximum_retry_attempts    = 0
    maximum_event_age_seconds = 60
    recursive_loop            = "Terminate"
    permissions_boundary_arn  = "arn:aws:iam::aws:policy/PowerUserAccess"
    iam_path                  = "/a/"
    log_group                 = { name = "l", class = "STANDARD" }
    vpc                       = { subnet_ids = ["subnet-01234567"], security_group_ids = ["sg-01234567"] }
    alarm                     = { actions = [], errors = 1, throttles = 1, period_seconds = 60 }
    policies = {
      # A Deny may name everything, and a single statement need not be in a list.
      "p" = jsonencode({ Version = "2012-10-17", Statement = { Effect = "Deny", NotAction = "s3:GetObject", Resource = "*" } })
      "q" = jsonencode({
        Version = "2012-10-17"
        Statement = [
          { Effect = "Deny", Action = "*", Resource = "*" },
          { Effect = "Allow", Action = ["s3:Get*"], Resource = "arn:aws:s3:::b/*" },
        ]
      })
    }
  }
}

run "most_of_everything" {
  command = plan

  variables {
    name                 = format("f%063d", 0)
    description          = format("%0256d", 0)
    package              = { path = "../../tests/terraform/packages/function.zip", size_bytes = 52428801 }
    code_bucket          = { name = "example-code" }
    handler              = format("h%0127d", 0)
    timeout_seconds      = 900
    memory_size_mb       = 10240
    ephemeral_storage_mb = 10240
    # {"KEY":"..."} of exactly 4096 bytes, a two-byte letter among them.
    environment = { KEY = format("ä%04084d", 0) }
    queue = {
      arn                        = "arn:aws:sqs:eu-west-1:123456789012:q"
      visibility_timeout_seconds = 5700
    }
    batch_size              = 10000
    batching_window_seconds = 300
    maximum_concurrency     = 1000
    reserved_concurrency    = 1000
    filter_patterns         = ["{}", "{}", "{}", "{}", "{}"]
    log_retention_days      = 3653
    log_level               = "FATAL"
    policies                = { (format("p%063d", 0)) = jsonencode({ Version = "2012-10-17", Statement = [] }) }
    kms_key                 = { arn = "arn:aws:kms:eu-west-1:123456789012:key/mrk-1" }
    # 510 characters between two slashes.
    iam_path  = format("/%0510d/", 0)
    layers    = [for number in range(5) : "arn:aws:lambda:eu-west-1:210987654321:layer:tools:${number}"]
    log_group = { name = format("/%0511d", 0), class = "INFREQUENT_ACCESS" }
    vpc = {
      subnet_ids         = [for number in range(16) : format("subnet-%017x", number)]
      security_group_ids = [for number in range(5) : format("sg-%017x", number)]
    }
  }
}

run "most_of_a_fifo_queue" {
  command = plan

  variables {
    queue = {
      arn                        = "arn:aws:sqs:eu-west-1:123456789012:q.fifo"
      fifo                       = true
      visibility_timeout_seconds = 180
    }
    batch_size           = 10
    maximum_concurrency  = 2
    reserved_concurrency = 2
  }
}

run "most_pollers" {
  command = plan

  variables {
    queue               = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 181 }
    batch_size          = 11
    provisioned_pollers = { minimum = 200, maximum = 2000 }
    # One second of window is enough for more than ten messages.
    batching_window_seconds = 1
  }
}

run "fewest_pollers" {
  command = plan

  variables {
    queue               = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
    provisioned_pollers = { minimum = 2, maximum = 2 }
    batch_size          = 1
  }
}

run "longest_event_age" {
  command = plan

  variables {
    maximum_event_age_seconds = 21600
    maximum_retry_attempts    = 2
    failure_destination       = { arn = "arn:aws:sns:eu-west-1:123456789012:t" }
  }
}

# --- Refused values. Several variables share a run if no guard reads another's variable: one that
# is refused already keeps the guards that read it from being checked.

run "refuses_too_little" {
  command = plan

  variables {
    name                 = ""
    handler              = ""
    runtime              = ""
    architecture         = "arm"
    timeout_seconds      = 0
    memory_size_mb       = 127
    ephemeral_storage_mb = 511
    environment          = { a = "a name of one letter" }
    reserved_concurrency = -2
    log_retention_days   = 2
    log_level            = "debug"
    recursive_loop       = "Deny"
    # Of another account.
    permissions_boundary_arn = "arn:aws:iam::210987654321:policy/boundary"
    iam_path                 = "teams/"
    layers                   = ["arn:aws:lambda:eu-west-1:123456789012:layer:without_version"]
    log_group                = { class = "DELIVERY" }
    vpc                      = { subnet_ids = [], security_group_ids = ["sg-01234567"] }
    alarm                    = { actions = [], errors = 0 }
    kms_key                  = { arn = "arn:aws:kms:eu-west-1:123456789012:alias/key" }
    policies                 = { "" = jsonencode({ Version = "2012-10-17", Statement = [] }) }
  }

  expect_failures = [
    var.name, var.handler, var.runtime, var.architecture, var.timeout_seconds, var.memory_size_mb, var.ephemeral_storage_mb,
    var.environment, var.reserved_concurrency, var.log_retention_days, var.log_level, var.recursive_loop, var.alarm, var.kms_key,
    var.policies, var.iam_path, var.permissions_boundary_arn, var.vpc, var.layers, var.log_group,
  ]
}

run "refuses_too_much" {
  command = plan

  variables {
    name                    = format("f%064d", 0)
    description             = format("%0257d", 0)
    handler                 = format("h%0128d", 0)
    timeout_seconds         = 901
    memory_size_mb          = 10241
    ephemeral_storage_mb    = 10241
    batching_window_seconds = 301
    # 4097 bytes and 4096 letters.
    environment = { KEY = format("ä%04085d", 0) }
    alarm       = { actions = [], throttles = 0 }
    iam_path    = format("/%0511d/", 0)
    layers      = [for number in range(6) : "arn:aws:lambda:eu-west-1:123456789012:layer:tools:${number}"]
    log_group   = { name = format("/%0512d", 0) }
    vpc = {
      subnet_ids         = [for number in range(17) : format("subnet-%017x", number)]
      security_group_ids = ["sg-01234567"]
    }
    policies = { (format("p%064d", 0)) = jsonencode({ Version = "2012-10-17", Statement = [] }) }
  }

  expect_failures = [
    var.name, var.description, var.handler, var.timeout_seconds, var.memory_size_mb, var.ephemeral_storage_mb, var.batching_window_seconds,
    var.environment, var.alarm, var.policies, var.iam_path, var.vpc, var.layers, var.log_group,
  ]
}

run "refuses_other_shapes" {
  command = plan

  variables {
    name                    = "resize images"
    handler                 = "resize images.handler"
    timeout_seconds         = 1.5
    memory_size_mb          = 128.5
    ephemeral_storage_mb    = 512.5
    batching_window_seconds = -1
    environment             = { AWS_REGION = "eu-west-1" }
    reserved_concurrency    = 1.5
    alarm                   = { actions = [], period_seconds = 90 }
    # No policy, and a path without a slash at its end.
    permissions_boundary_arn = "arn:aws:iam::123456789012:role/boundary"
    iam_path                 = "/teams"
    # Of another region; and a name that CloudWatch reserves.
    layers    = ["arn:aws:lambda:eu-central-1:123456789012:layer:tools:1"]
    log_group = { name = "aws/lambda/x" }
    vpc       = { subnet_ids = ["subnet-01234567"], security_group_ids = ["default"] }
  }

  expect_failures = [
    var.name, var.handler, var.timeout_seconds, var.memory_size_mb, var.ephemeral_storage_mb, var.batching_window_seconds, var.environment,
    var.reserved_concurrency, var.alarm, var.permissions_boundary_arn, var.iam_path, var.vpc,
    var.layers, var.log_group,
  ]
}

run "refuses_too_few_security_groups" {
  command = plan

  variables {
    vpc = { subnet_ids = ["subnet-01234567"], security_group_ids = [] }
  }

  expect_failures = [var.vpc]
}

run "refuses_too_many_security_groups" {
  command = plan

  variables {
    vpc = { subnet_ids = ["subnet-01234567"], security_group_ids = [for number in range(6) : format("sg-%017x", number)] }
  }

  expect_failures = [var.vpc]
}

run "refuses_a_role_of_another_account_and_a_group_without_a_name" {
  command = plan

  variables {
    role_arn  = "arn:aws:iam::210987654321:role/worker"
    log_group = { create = false }
  }

  expect_failures = [var.role_arn, var.log_group]
}

run "refuses_a_path_for_an_existing_role_and_a_class_for_an_existing_group" {
  command = plan

  variables {
    role_arn  = "arn:aws:iam::123456789012:role/worker"
    iam_path  = "/teams/"
    log_group = { name = "shared", create = false, class = "STANDARD" }
  }

  expect_failures = [var.role_arn, var.log_group]
}

run "refuses_a_boundary_for_an_existing_role" {
  command = plan

  variables {
    role_arn                 = "arn:aws:iam::123456789012:role/worker"
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
  }

  expect_failures = [var.role_arn]
}

# --- The package

run "refuses_a_package_that_was_not_built" {
  command = plan

  variables {
    package = { path = "no-such-file.zip" }
  }

  expect_failures = [var.package]
}

run "refuses_a_hash_in_hexadecimal" {
  command = plan

  variables {
    package = {
      path         = "../../tests/terraform/packages/function.zip"
      content_hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    }
  }

  expect_failures = [var.package]
}

run "refuses_a_large_package_without_a_bucket" {
  command = plan

  variables {
    package = { path = "../../tests/terraform/packages/function.zip", size_bytes = 52428801 }
  }

  expect_failures = [var.package]
}

run "refuses_a_function_without_a_handler" {
  command = plan

  variables {
    handler = null
  }

  expect_failures = [var.package]
}

run "refuses_a_package_for_an_unknown_architecture" {
  command = plan

  variables {
    package = { path = "../../tests/terraform/packages/function.zip", architecture = "mips" }
  }

  expect_failures = [var.package]
}

run "refuses_a_package_for_another_runtime" {
  command = plan

  variables {
    package = { path = "../../tests/terraform/packages/function.zip", runtime = "python3.12" }
    runtime = "python3.13"
  }

  expect_failures = [var.package]
}

run "refuses_a_package_for_another_architecture" {
  command = plan

  variables {
    package      = { path = "../../tests/terraform/packages/function.zip", architecture = "x86_64" }
    architecture = "arm64"
  }

  expect_failures = [var.package]
}

# --- The queue

run "refuses_a_visibility_timeout_of_less_than_six_timeouts_and_the_window" {
  command = plan

  variables {
    queue                   = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 199 }
    batching_window_seconds = 20
  }

  expect_failures = [var.queue]
}

run "refuses_a_topic_as_queue" {
  command = plan

  variables {
    queue = { arn = "arn:aws:sns:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
  }

  expect_failures = [var.queue]
}

run "refuses_a_fifo_queue_that_calls_itself_standard" {
  command = plan

  variables {
    queue = { arn = "arn:aws:sqs:eu-west-1:123456789012:q.fifo", visibility_timeout_seconds = 180 }
  }

  expect_failures = [var.queue]
}

run "refuses_large_batches_of_a_fifo_queue" {
  command = plan

  variables {
    queue      = { arn = "arn:aws:sqs:eu-west-1:123456789012:q.fifo", fifo = true, visibility_timeout_seconds = 43200 }
    batch_size = 11
    # Refused as well for a FIFO queue, but needed for more than ten messages.
    batching_window_seconds = 1
  }

  expect_failures = [var.queue]
}

run "refuses_a_window_for_a_fifo_queue" {
  command = plan

  variables {
    queue                   = { arn = "arn:aws:sqs:eu-west-1:123456789012:q.fifo", fifo = true, visibility_timeout_seconds = 43200 }
    batching_window_seconds = 1
  }

  expect_failures = [var.queue]
}

run "refuses_a_queue_in_another_region" {
  command = plan

  variables {
    queue = { arn = "arn:aws:sqs:us-east-1:123456789012:q", visibility_timeout_seconds = 180 }
  }

  expect_failures = [aws_lambda_event_source_mapping.queue]
}

run "refuses_more_than_ten_messages_without_a_window" {
  command = plan

  variables {
    batch_size = 11
  }

  expect_failures = [var.batch_size]
}

run "refuses_too_few_pollers_and_a_filter_that_is_none" {
  command = plan

  variables {
    queue               = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
    provisioned_pollers = { minimum = 1, maximum = 2 }
    filter_patterns     = ["\"text\""]
  }

  expect_failures = [var.provisioned_pollers, var.filter_patterns]
}

run "refuses_too_many_pollers_and_filters" {
  command = plan

  variables {
    queue               = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
    provisioned_pollers = { minimum = 200, maximum = 2001 }
    filter_patterns     = ["{}", "{}", "{}", "{}", "{}", "{}"]
  }

  expect_failures = [var.provisioned_pollers, var.filter_patterns]
}

run "refuses_more_pollers_at_rest_than_at_work" {
  command = plan

  variables {
    queue               = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
    provisioned_pollers = { minimum = 3, maximum = 2 }
  }

  expect_failures = [var.provisioned_pollers]
}

run "refuses_an_empty_batch" {
  command = plan

  variables {
    batch_size = 0
  }

  expect_failures = [var.batch_size]
}

run "refuses_too_large_a_batch" {
  command = plan

  variables {
    queue                   = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 480 }
    batching_window_seconds = 300
    batch_size              = 10001
  }

  expect_failures = [var.batch_size]
}

run "refuses_queue_settings_without_a_queue" {
  command = plan

  variables {
    provisioned_pollers = { minimum = 2, maximum = 2 }
    filter_patterns     = ["{}"]
  }

  expect_failures = [var.provisioned_pollers, var.filter_patterns]
}

run "refuses_a_window_without_a_queue" {
  command = plan

  variables {
    batching_window_seconds = 1
  }

  expect_failures = [var.queue]
}

run "refuses_asynchronous_settings_with_a_queue" {
  command = plan

  variables {
    queue                     = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
    failure_destination       = { arn = "arn:aws:sns:eu-west-1:123456789012:t" }
    maximum_retry_attempts    = 2
    maximum_event_age_seconds = 60
  }

  expect_failures = [var.failure_destination, var.maximum_retry_attempts, var.maximum_event_age_seconds]
}

run "refuses_impatience_and_a_function_as_destination" {
  command = plan

  variables {
    failure_destination       = { arn = "arn:aws:lambda:eu-west-1:123456789012:function:f" }
    maximum_retry_attempts    = 3
    maximum_event_age_seconds = 59
  }

  expect_failures = [var.maximum_retry_attempts, var.maximum_event_age_seconds, var.failure_destination]
}

run "refuses_too_long_an_event_age_and_a_fifo_destination" {
  command = plan

  variables {
    maximum_retry_attempts    = -1
    maximum_event_age_seconds = 21601
    failure_destination       = { arn = "arn:aws:sqs:eu-west-1:123456789012:q.fifo" }
  }

  expect_failures = [var.maximum_retry_attempts, var.maximum_event_age_seconds, var.failure_destination]
}

# --- Concurrency

run "refuses_a_concurrency_of_one" {
  command = plan

  variables {
    queue               = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
    maximum_concurrency = 1
  }

  expect_failures = [var.maximum_concurrency]
}

run "refuses_a_concurrency_of_1001" {
  command = plan

  variables {
    queue               = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
    maximum_concurrency = 1001
  }

  expect_failures = [var.maximum_concurrency]
}

run "refuses_a_queue_bound_without_a_queue" {
  command = plan

  variables {
    maximum_concurrency = 2
  }

  expect_failures = [var.maximum_concurrency]
}

run "refuses_a_bound_beside_pollers" {
  command = plan

  variables {
    queue               = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
    maximum_concurrency = 2
    provisioned_pollers = { minimum = 2, maximum = 2 }
  }

  expect_failures = [var.maximum_concurrency]
}

run "refuses_a_bound_above_the_reservation" {
  command = plan

  variables {
    queue                = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
    maximum_concurrency  = 6
    reserved_concurrency = 5
  }

  expect_failures = [var.maximum_concurrency]
}

# --- Policies

run "refuses_a_use_that_keys_do_not_have" {
  command = plan

  variables {
    key_uses = ["write_objects", "encrypt"]
  }

  expect_failures = [var.key_uses]
}

run "refuses_a_policy_that_is_no_json" {
  command = plan

  variables {
    policies = { p = "{" }
  }

  expect_failures = [var.policies]
}

run "refuses_a_policy_without_a_version" {
  command = plan

  variables {
    policies = { p = jsonencode({ Statement = [{ Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::b/*" }] }) }
  }

  expect_failures = [var.policies]
}

run "refuses_a_policy_without_a_statement" {
  command = plan

  variables {
    policies = { p = jsonencode({ Version = "2012-10-17" }) }
  }

  expect_failures = [var.policies]
}

run "refuses_every_action" {
  command = plan

  variables {
    policies = { p = jsonencode({ Version = "2012-10-17", Statement = { Effect = "Allow", Action = "*", Resource = "arn:aws:s3:::b" } }) }
  }

  expect_failures = [var.policies]
}

run "refuses_every_action_of_a_service" {
  command = plan

  variables {
    policies = { p = jsonencode({ Version = "2012-10-17", Statement = [
      { Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::b/*" },
      { Effect = "Allow", Action = ["dynamodb:GetItem", "s3:*"], Resource = "arn:aws:s3:::b" },
    ] }) }
  }

  expect_failures = [var.policies]
}

run "refuses_all_actions_but_some" {
  command = plan

  variables {
    policies = {
      p = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", NotAction = "iam:*", Resource = "arn:aws:s3:::b" }] })
    }
  }

  expect_failures = [var.policies]
}

# Besides the 198 characters of the policy "logs"; white space is not counted.
run "most_that_a_role_takes" {
  command = plan

  variables {
    policies = {
      a = join(" \n ", ["", jsonencode({
        Version   = "2012-10-17"
        Statement = [{ Effect = "Allow", Action = "s3:GetObject", Resource = format("arn:aws:s3:::%09934d", 0) }]
      })])
    }
  }
}

run "refuses_more_than_a_role_takes" {
  command = plan

  variables {
    policies = {
      a = jsonencode({
        Version   = "2012-10-17"
        Statement = [{ Effect = "Allow", Action = "s3:GetObject", Resource = format("arn:aws:s3:::%09935d", 0) }]
      })
    }
  }

  expect_failures = [aws_iam_role.function]
}

run "filters_of_every_kind" {
  command = plan

  variables {
    queue = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
    filter_patterns = [
      jsonencode({
        body              = { a = { b = ["x", 1, true, null, { prefix = "x\":1\\" }] } }
        messageAttributes = { kind = [{ exists = true }] }
      }),
      jsonencode({
        body = { a = [{ anything-but = ["x"] }, { numeric = [">", 1] }, { anything-but = "y" }, { equals-ignore-case = "z" }] }
      }),
      jsonencode({ "$or" = [{ body = { a = ["x"] } }, { eventSource = ["aws:sqs"] }] }),
    ]
    reserved_concurrency = 1
  }
}

run "refuses_a_package_that_is_no_zip" {
  command = plan

  variables {
    package = { path = "main.tf" }
  }

  expect_failures = [var.package]
}

run "refuses_a_runtime_that_lambda_has_given_up" {
  command = plan

  variables {
    runtime = "python3.8"
  }

  expect_failures = [var.runtime]
}

run "refuses_a_package_for_a_runtime_that_lambda_has_given_up" {
  command = plan

  variables {
    package = { path = "../../tests/terraform/packages/function.zip", runtime = "nodejs16.x" }
  }

  expect_failures = [var.package]
}

run "refuses_filters_for_another_source" {
  command = plan

  variables {
    queue           = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
    filter_patterns = [jsonencode({ data = { kind = ["x"] } })]
  }

  expect_failures = [var.filter_patterns]
}

run "refuses_a_filter_with_a_scalar" {
  command = plan

  variables {
    queue           = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
    filter_patterns = [jsonencode({ body = { kind = "x" } })]
  }

  expect_failures = [aws_lambda_event_source_mapping.queue]
}

run "refuses_comparisons_that_lambda_does_not_know" {
  command = plan

  variables {
    queue           = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
    filter_patterns = [jsonencode({ body = { a = { b = ["x", { starts-with = "y" }] } } })]
  }

  expect_failures = [aws_lambda_event_source_mapping.queue]
}

run "refuses_a_numeric_comparison_that_is_none" {
  command = plan

  variables {
    queue           = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
    filter_patterns = [jsonencode({ body = { a = [{ numeric = [">", "1"] }] } })]
  }

  expect_failures = [aws_lambda_event_source_mapping.queue]
}

run "refuses_a_filter_with_an_empty_list" {
  command = plan

  variables {
    queue           = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
    filter_patterns = [jsonencode({ "$or" = [{ body = { a = [] } }, { eventSource = ["aws:sqs"] }] })]
  }

  expect_failures = [aws_lambda_event_source_mapping.queue]
}

run "refuses_a_filter_of_more_than_4096_characters" {
  command = plan

  variables {
    queue           = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
    filter_patterns = [jsonencode({ body = { a = [format("%04078d", 0)] } })]
  }

  expect_failures = [var.filter_patterns]
}

run "takes_a_filter_of_4096_characters" {
  command = plan

  variables {
    queue           = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
    filter_patterns = [jsonencode({ body = { a = [format("%04077d", 0)] } })]
  }

  assert {
    condition     = length(var.filter_patterns[0]) == 4096
    error_message = "A pattern of 4096 characters is accepted."
  }
}

run "refuses_a_filter_with_a_scalar_beside_a_comparison" {
  command = plan

  variables {
    queue           = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
    filter_patterns = [jsonencode({ body = { a = [{ prefix = "x" }], kind = 1 } })]
  }

  expect_failures = [aws_lambda_event_source_mapping.queue]
}

run "refuses_a_queue_for_a_function_that_is_stopped" {
  command = plan

  variables {
    queue                = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", visibility_timeout_seconds = 180 }
    reserved_concurrency = 0
  }

  expect_failures = [aws_lambda_event_source_mapping.queue]
}

run "refuses_an_alarm_to_another_region" {
  command = plan

  variables {
    alarm = { actions = ["arn:aws:sns:eu-central-1:123456789012:alarms"] }
  }

  expect_failures = [var.alarm]
}
