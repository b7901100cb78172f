mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name    = "resize-images"
  handler = "resize_images.handler.handler"
  # Any zip can be the package: nothing is uploaded.
  package = { path = "../../tests/terraform/packages/function.zip" }
}

run "a_queue_fed_function" {
  command = plan

  variables {
    description = "Resizes images"
    package = {
      path         = "../../tests/terraform/packages/function.zip"
      content_hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
      size_bytes   = 52428800
      runtime      = "python3.13"
      architecture = "arm64"
    }
    # The whole object, as sqs-with-dlq outputs it.
    queue = {
      arn                        = "arn:aws:sqs:eu-west-1:123456789012:images"
      url                        = "https://sqs.eu-west-1.amazonaws.com/123456789012/images"
      name                       = "images"
      fifo                       = false
      visibility_timeout_seconds = 200
      kms_key_arn                = null
    }
    batch_size              = 100
    batching_window_seconds = 20
    maximum_concurrency     = 5
    filter_patterns         = [jsonencode({ body = { kind = ["jpg"] } }), jsonencode({ body = { kind = ["png"] } })]
    policies = {
      images = jsonencode({
        Version   = "2012-10-17"
        Statement = [{ Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::images/*" }]
      })
    }
    environment          = { WIDTH = "128" }
    reserved_concurrency = 5
    alarm                = { actions = ["arn:aws:sns:eu-west-1:123456789012:alarms"], errors = 3 }
    tags                 = { team = "pictures" }

    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/teams/boundary"
    iam_path                 = "/teams/pictures/"

    vpc = { subnet_ids = ["subnet-0aaaaaaa", "subnet-0bbbbbbb"], security_group_ids = ["sg-0ccccccc"], ipv6 = true }
  }

  assert {
    condition = jsondecode(aws_iam_role.function[0].assume_role_policy) == {
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Principal = { Service = "lambda.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = { StringEquals = { "aws:SourceAccount" = "123456789012" } }
      }]
    }
    error_message = "Only Lambda, and only for this account, may assume the role."
  }
  assert {
    condition = (
      aws_iam_role.function[0].permissions_boundary == "arn:aws:iam::123456789012:policy/teams/boundary"
      && aws_iam_role.function[0].path == "/teams/pictures/"
    )
    error_message = "The role must have the path and the boundary."
  }
  assert {
    condition = (
      aws_lambda_function.function.vpc_config[0].subnet_ids == toset(["subnet-0aaaaaaa", "subnet-0bbbbbbb"])
      && aws_lambda_function.function.vpc_config[0].security_group_ids == toset(["sg-0ccccccc"])
      && aws_lambda_function.function.vpc_config[0].ipv6_allowed_for_dual_stack
    )
    error_message = "The function must be in the VPC."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.vpc[0].policy).Statement == [
      {
        Effect = "Allow"
        Action = "ec2:CreateNetworkInterface"
        Resource = [
          "arn:aws:ec2:eu-west-1:123456789012:network-interface/*",
          "arn:aws:ec2:eu-west-1:*:subnet/subnet-0aaaaaaa",
          "arn:aws:ec2:eu-west-1:*:subnet/subnet-0bbbbbbb",
          "arn:aws:ec2:eu-west-1:*:security-group/sg-0ccccccc",
        ]
      },
      {
        Effect   = "Allow"
        Action   = ["ec2:AssignPrivateIpAddresses", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses"]
        Resource = "arn:aws:ec2:eu-west-1:123456789012:network-interface/*"
      },
      { Effect = "Allow", Action = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"], Resource = "*" },
      {
        Effect = "Deny"
        Action = [
          "ec2:AssignPrivateIpAddresses",
          "ec2:CreateNetworkInterface",
          "ec2:DeleteNetworkInterface",
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeSubnets",
          "ec2:UnassignPrivateIpAddresses",
        ]
        Resource  = "*"
        Condition = { ArnEquals = { "lambda:SourceFunctionArn" = "arn:aws:lambda:eu-west-1:123456789012:function:resize-images" } }
      },
    ]
    error_message = "Lambda may make interfaces in these subnets and groups only, and the code may make none."
  }
  assert {
    condition     = aws_iam_role.function[0].name == "resize-images-eu-west-1"
    error_message = "The role's name must hold the region: roles are global."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.logs[0].policy) == {
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/resize-images:*"
      }]
    }
    error_message = "The function may write streams into its own group and nothing else; it may not create groups."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.queue[0].policy) == {
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        Resource = "arn:aws:sqs:eu-west-1:123456789012:images"
      }]
    }
    error_message = "The role may read this queue, and no key without a customer key."
  }
  assert {
    condition = (
      aws_iam_role_policy.code["images"].policy == var.policies.images
      && aws_iam_role_policy.code["images"].name == "code-images"
    )
    error_message = "The caller's policy must be attached unchanged, with a name that is none of the module's."
  }
  assert {
    condition = (
      length(aws_iam_role_policy.environment) + length(aws_iam_role_policy.failure_destination) + length(aws_iam_role_policy.tracing)
      == 0
    )
    error_message = "Permissions of unset options must not be granted."
  }
  assert {
    condition = (
      aws_cloudwatch_log_group.function[0].name == "/aws/lambda/resize-images"
      && aws_cloudwatch_log_group.function[0].retention_in_days == 14
      && aws_lambda_function.function.logging_config[0].log_group == "/aws/lambda/resize-images"
      && aws_lambda_function.function.logging_config[0].log_format == "JSON"
      && aws_lambda_function.function.logging_config[0].application_log_level == "INFO"
    )
    error_message = "The function must log JSON into the group that the module made."
  }
  assert {
    condition = (
      aws_lambda_function.function.function_name == "resize-images"
      && aws_lambda_function.function.description == "Resizes images"
      && aws_lambda_function.function.filename == "../../tests/terraform/packages/function.zip"
      && aws_lambda_function.function.s3_bucket == null
      && aws_lambda_function.function.source_code_hash == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
      && aws_lambda_function.function.handler == "resize_images.handler.handler"
      && aws_lambda_function.function.runtime == "python3.13"
      && aws_lambda_function.function.architectures == tolist(["arm64"])
      && aws_lambda_function.function.timeout == 30
      && aws_lambda_function.function.memory_size == 256
      && aws_lambda_function.function.ephemeral_storage[0].size == 512
      && aws_lambda_function.function.environment[0].variables == tomap({ WIDTH = "128" })
      && aws_lambda_function.function.reserved_concurrent_executions == 5
      && aws_lambda_function.function.kms_key_arn == null
      && aws_lambda_function.function.tracing_config[0].mode == "PassThrough"
      && aws_lambda_function.function.tags == tomap({ team = "pictures" })
    )
    error_message = "The function must have the variables' settings, and only the content hash may cause a new deployment."
  }
  assert {
    condition = (
      aws_lambda_event_source_mapping.queue[0].event_source_arn == "arn:aws:sqs:eu-west-1:123456789012:images"
      && aws_lambda_event_source_mapping.queue[0].enabled
      && aws_lambda_event_source_mapping.queue[0].batch_size == 100
      && aws_lambda_event_source_mapping.queue[0].maximum_batching_window_in_seconds == 20
      && aws_lambda_event_source_mapping.queue[0].function_response_types == toset(["ReportBatchItemFailures"])
      && aws_lambda_event_source_mapping.queue[0].scaling_config[0].maximum_concurrency == 5
      && length(aws_lambda_event_source_mapping.queue[0].provisioned_poller_config) == 0
      && [for filter in aws_lambda_event_source_mapping.queue[0].filter_criteria[0].filter : filter.pattern] == [
        "{\"body\":{\"kind\":[\"jpg\"]}}", "{\"body\":{\"kind\":[\"png\"]}}"
      ]
    )
    error_message = "The mapping must have batch, window, concurrency limit, filters and always partial batch responses."
  }
  assert {
    condition = (
      length(aws_lambda_function_event_invoke_config.function) == 0
      && length(aws_lambda_function_recursion_config.function) == 0 && length(aws_s3_object.package) == 0
    )
    error_message = join(" ", [
      "A queue-fed function has no asynchronous calls to configure,",
      "recursion stays as Lambda has it, and no bucket is written.",
    ])
  }
  assert {
    condition = jsonencode([
      for alarm in concat(
        aws_cloudwatch_metric_alarm.errors, aws_cloudwatch_metric_alarm.throttles, aws_cloudwatch_metric_alarm.recursion,
        ) : [
        alarm.alarm_name, alarm.metric_name, alarm.dimensions, alarm.statistic, alarm.comparison_operator, alarm.threshold, alarm.period,
        alarm.treat_missing_data, alarm.alarm_actions, alarm.ok_actions,
      ]
      ]) == jsonencode([
      [
        "resize-images-errors", "Errors", { FunctionName = "resize-images" }, "Sum", "GreaterThanOrEqualToThreshold", 3, 300,
        "notBreaching", ["arn:aws:sns:eu-west-1:123456789012:alarms"], ["arn:aws:sns:eu-west-1:123456789012:alarms"],
      ],
      [
        "resize-images-throttles", "Throttles", { FunctionName = "resize-images" }, "Sum", "GreaterThanOrEqualToThreshold", 1, 300,
        "notBreaching", ["arn:aws:sns:eu-west-1:123456789012:alarms"], ["arn:aws:sns:eu-west-1:123456789012:alarms"],
      ],
      [
        "resize-images-recursion-stopped", "RecursiveInvocationsDropped", { FunctionName = "resize-images" }, "Sum",
        "GreaterThanOrEqualToThreshold", 1, 300, "notBreaching", ["arn:aws:sns:eu-west-1:123456789012:alarms"],
        ["arn:aws:sns:eu-west-1:123456789012:alarms"],
      ],
    ])
    error_message = "All alarms must be on this function, with the given actions and thresholds."
  }
  assert {
    condition = (
      strcontains(aws_cloudwatch_metric_alarm.errors[0].alarm_description, "dead-letter queue")
      && strcontains(aws_cloudwatch_metric_alarm.throttles[0].alarm_description, "dead-letter queue")
    )
    error_message = "The alarms of a queue-fed function must say where its messages go."
  }
  assert {
    condition = (
      !strcontains(aws_cloudwatch_metric_alarm.errors[0].alarm_description, "event-pipelines")
      && strcontains(aws_cloudwatch_metric_alarm.recursion[0].alarm_description, "remove that trigger")
    )
    error_message = "Without a prefix the descriptions name no command of this project, and say that a loop needs a person."
  }
  assert {
    condition = (
      output.alarm_names == ["resize-images-errors", "resize-images-throttles", "resize-images-recursion-stopped"]
      && output.function_arn_static == "arn:aws:lambda:eu-west-1:123456789012:function:resize-images"
      && output.log_group_name == "/aws/lambda/resize-images"
    )
    error_message = "The outputs must be known in the first plan."
  }
}

run "what_is_left_out_follows_the_package" {
  command = plan

  variables {
    handler = null
    package = {
      path         = "../../tests/terraform/packages/function.zip"
      handler      = "split_csv.handler.handler"
      runtime      = "python3.12"
      architecture = "x86_64"
    }
  }

  assert {
    condition = (
      aws_lambda_function.function.handler == "split_csv.handler.handler"
      && aws_lambda_function.function.runtime == "python3.12" && aws_lambda_function.function.architectures == tolist(["x86_64"])
    )
    error_message = "The package must supply handler, runtime and architecture."
  }
}

run "a_directly_called_function" {
  command = plan

  variables {
    # 64 characters, the longest name.
    name = format("split-csv-%054d", 0)
    failure_destination = {
      arn         = "arn:aws:sqs:eu-west-1:123456789012:failed-calls"
      kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/queue"
    }
    maximum_retry_attempts    = 1
    maximum_event_age_seconds = 3600
    tracing                   = true
    recursive_loop            = "Allow"
    trust_source_account      = false
    kms_key                   = { arn = "arn:aws:kms:eu-west-1:123456789012:key/function" }
    alarm                     = { actions = [], name_prefix = "split" }
  }

  assert {
    condition = jsondecode(aws_iam_role.function[0].assume_role_policy).Statement == [
      { Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }
    ]
    error_message = "Without the condition on the account, only Lambda may assume the role."
  }
  assert {
    condition     = aws_iam_role.function[0].name == format("split-csv-%045d-%s", 0, substr(md5("${var.name}-eu-west-1"), 0, 8))
    error_message = "A role name over 64 characters must be cut and made unique by a hash."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.failure_destination[0].policy) == {
      Version = "2012-10-17"
      Statement = [
        { Effect = "Allow", Action = "sqs:SendMessage", Resource = "arn:aws:sqs:eu-west-1:123456789012:failed-calls" },
        {
          Effect    = "Allow"
          Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
          Resource  = "arn:aws:kms:eu-west-1:123456789012:key/queue"
          Condition = { StringEquals = { "kms:ViaService" = "sqs.eu-west-1.amazonaws.com" } }
        },
      ]
    }
    error_message = "The role may send to the failure destination, and use its key only through its service."
  }
  assert {
    condition = (
      aws_lambda_function_event_invoke_config.function[0].function_name == var.name
      && aws_lambda_function_event_invoke_config.function[0].maximum_retry_attempts == 1
      && aws_lambda_function_event_invoke_config.function[0].maximum_event_age_in_seconds == 3600
      && aws_lambda_function_event_invoke_config.function[0].destination_config[0].on_failure[0].destination
      == "arn:aws:sqs:eu-west-1:123456789012:failed-calls"
    )
    error_message = "Asynchronous calls must be retried and reported as the variables say."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.environment[0].policy) == {
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = "arn:aws:kms:eu-west-1:123456789012:key/function"
        Condition = {
          StringEquals = { "kms:EncryptionContext:aws:lambda:FunctionArn" = "arn:aws:lambda:eu-west-1:123456789012:function:${var.name}" }
        }
      }]
    }
    error_message = "The key must decrypt only this function's environment."
  }
  assert {
    condition = (
      aws_lambda_function.function.kms_key_arn == var.kms_key.arn
      && aws_cloudwatch_log_group.function[0].kms_key_id == var.kms_key.arn
    )
    error_message = "The key must encrypt the environment and the logs."
  }
  assert {
    condition = (
      aws_lambda_function.function.tracing_config[0].mode == "Active" && jsondecode(aws_iam_role_policy.tracing[0].policy).Statement == [
        { Effect = "Allow", Action = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], Resource = "*" }
      ]
    )
    error_message = "Tracing must be on and allowed."
  }
  assert {
    condition = (
      aws_lambda_function_recursion_config.function[0].recursive_loop == "Allow"
      && aws_lambda_function_recursion_config.function[0].function_name == var.name
    )
    error_message = "Recursion must be allowed when asked for."
  }
  assert {
    condition = (
      length(aws_lambda_event_source_mapping.queue) == 0 && length(aws_iam_role_policy.queue) == 0
      && length(aws_lambda_function.function.environment) == 0 && output.event_source_mapping_uuid == null
    )
    error_message = "Without a queue there must be no mapping and no permission on any queue."
  }
  assert {
    condition = (
      aws_lambda_function.function.source_code_hash == filebase64sha256("../../tests/terraform/packages/function.zip")
      && aws_lambda_function.function.reserved_concurrent_executions == -1
    )
    error_message = "Without a content hash the zip's hash must be used."
  }
  assert {
    condition = (
      !strcontains(aws_cloudwatch_metric_alarm.errors[0].alarm_description, "dead-letter queue")
      && strcontains(aws_cloudwatch_metric_alarm.errors[0].alarm_description, "failure destination")
    )
    error_message = "The alarm of a directly invoked function must not mention a queue."
  }
  assert {
    condition = alltrue([
      for alarm in [
        aws_cloudwatch_metric_alarm.errors[0],
        aws_cloudwatch_metric_alarm.throttles[0],
        aws_cloudwatch_metric_alarm.recursion[0],
      ] :
      strcontains(alarm.alarm_description, "`event-pipelines queues list --prefix split`")
    ])
    error_message = "With a prefix, every alarm names the command to run."
  }
  assert {
    condition     = strcontains(aws_cloudwatch_metric_alarm.recursion[0].alarm_description, "apply again")
    error_message = "A function with recursive_loop = Allow is stopped only when it has lost that setting."
  }
}

run "through_a_code_bucket_with_customer_keys_pollers_and_fifo" {
  command = plan

  variables {
    tags = { for number in range(11) : format("tag%02d", number) => "x" }
    # Slashes and plus signs of base64 would be folders and spaces in the key.
    package = {
      path         = "../../tests/terraform/packages/function.zip"
      content_hash = "ab+/ab+/ab+/ab+/ab+/ab+/ab+/ab+/ab+/ab+/abc="
      size_bytes   = 52428801
    }
    code_bucket = { name = "example-code", prefix = "lambda/" }
    queue = {
      arn                        = "arn:aws:sqs:eu-west-1:123456789012:images.fifo"
      fifo                       = true
      visibility_timeout_seconds = 180
      kms_key_arn                = "arn:aws:kms:eu-west-1:123456789012:key/queue"
    }
    provisioned_pollers = { minimum = 2, maximum = 10 }
    kms_key             = { arn = "arn:aws:kms:eu-west-1:123456789012:key/function" }
    filter_patterns     = [jsonencode({ body = {} })]
    key_uses            = ["write_objects", "send_messages"]
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.key[0].policy).Statement :
      "${statement.Condition.StringEquals["kms:ViaService"]} ${statement.Resource}"
      ] == [
      for service in ["sqs", "s3"] : "${service}.eu-west-1.amazonaws.com arn:aws:kms:eu-west-1:123456789012:key/function"
    ]
    error_message = "The code may use the key only for key_uses, through their services."
  }
  assert {
    condition     = length(aws_s3_object.package[0].tags) == 10 && length(aws_lambda_function.function.tags) == 11
    error_message = "The object must have no more than S3's ten tags; the function has all."
  }
  assert {
    condition = (
      aws_s3_object.package[0].bucket == "example-code"
      && aws_s3_object.package[0].key == "lambda/resize-images/ab-_ab-_ab-_ab-_ab-_ab-_ab-_ab-_ab-_ab-_abc.zip"
      && aws_s3_object.package[0].source == "../../tests/terraform/packages/function.zip"
    )
    error_message = "The zip's key must contain the content hash."
  }
  assert {
    condition = (
      aws_lambda_function.function.filename == null
      && aws_lambda_function.function.s3_bucket == "example-code"
      && aws_lambda_function.function.s3_key == aws_s3_object.package[0].key
      && aws_lambda_function.function.source_code_hash == "ab+/ab+/ab+/ab+/ab+/ab+/ab+/ab+/ab+/ab+/abc="
    )
    error_message = "The function must have its code from the bucket, and the content hash."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.queue[0].policy).Statement[1] == {
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = "arn:aws:kms:eu-west-1:123456789012:key/queue"
      Condition = { StringEquals = { "kms:ViaService" = "sqs.eu-west-1.amazonaws.com" } }
    }
    error_message = "The role may decrypt with the queue's key, through SQS only."
  }
  assert {
    condition = (
      aws_lambda_event_source_mapping.queue[0].provisioned_poller_config[0].minimum_pollers == 2
      && aws_lambda_event_source_mapping.queue[0].provisioned_poller_config[0].maximum_pollers == 10
      && length(aws_lambda_event_source_mapping.queue[0].scaling_config) == 0
      && aws_lambda_event_source_mapping.queue[0].kms_key_arn == "arn:aws:kms:eu-west-1:123456789012:key/function"
      && aws_lambda_event_source_mapping.queue[0].batch_size == 10
    )
    error_message = "The mapping must have the pollers, and the key for its filters."
  }
}

run "reports_failures_to_a_topic" {
  command = plan

  variables {
    failure_destination = { arn = "arn:aws:sns:eu-west-1:123456789012:failed-calls" }
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.failure_destination[0].policy).Statement == [
      { Effect = "Allow", Action = "sns:Publish", Resource = "arn:aws:sns:eu-west-1:123456789012:failed-calls" }
    ]
    error_message = "A topic needs sns:Publish, not sqs:SendMessage."
  }
  assert {
    condition = (
      aws_lambda_function_event_invoke_config.function[0].maximum_retry_attempts == 2
      && aws_lambda_function_event_invoke_config.function[0].maximum_event_age_in_seconds == 21600
    )
    error_message = "Unset options must be set to Lambda's defaults, or the second plan would not be empty."
  }
}

run "never_retries" {
  command = plan

  variables {
    maximum_retry_attempts = 0
  }

  assert {
    condition = (
      aws_lambda_function_event_invoke_config.function[0].maximum_retry_attempts == 0
      && length(aws_lambda_function_event_invoke_config.function[0].destination_config) == 0
    )
    error_message = "Zero retries must not count as unset."
  }
}

run "works_in_a_role_and_a_log_group_that_exist" {
  command = plan

  variables {
    role_arn  = "arn:aws:iam::123456789012:role/teams/worker"
    log_group = { name = "/teams/pictures", create = false }
    layers    = ["arn:aws:lambda:eu-west-1:210987654321:layer:tools:7", "arn:aws:lambda:eu-west-1:123456789012:layer:fonts:1"]
    queue     = { arn = "arn:aws:sqs:eu-west-1:123456789012:images", visibility_timeout_seconds = 180 }
    policies = {
      one = jsonencode({
        Version   = "2012-10-17"
        Statement = { Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::images/*" }
      })
      more = jsonencode({
        Version   = "2012-10-17"
        Statement = [{ Effect = "Allow", Action = "s3:PutObject", Resource = "arn:aws:s3:::images/*" }]
      })
    }
  }

  assert {
    condition = (
      aws_lambda_function.function.role == "arn:aws:iam::123456789012:role/teams/worker"
      && output.role == { name = "worker", arn = "arn:aws:iam::123456789012:role/teams/worker" }
      && length(aws_iam_role.function) == 0 && length(aws_iam_role_policy.logs) == 0 && length(aws_iam_role_policy.queue) == 0
      && length(aws_iam_role_policy.code) == 0
    )
    error_message = "The function must use the role, and no policy may be attached to it."
  }
  assert {
    condition = jsondecode(output.role_policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "arn:aws:logs:eu-west-1:123456789012:log-group:/teams/pictures:*"
        },
        {
          Effect   = "Allow"
          Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
          Resource = "arn:aws:sqs:eu-west-1:123456789012:images"
        },
        { Effect = "Allow", Action = "s3:PutObject", Resource = "arn:aws:s3:::images/*" },
        { Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::images/*" },
      ]
    }
    error_message = "The output must have all permissions that the role needs."
  }
  assert {
    condition = (
      length(aws_cloudwatch_log_group.function) == 0
      && aws_lambda_function.function.logging_config[0].log_group == "/teams/pictures"
      && output.log_group_name == "/teams/pictures"
    )
    error_message = "The function must log to the existing group."
  }
  assert {
    condition = aws_lambda_function.function.layers == tolist([
      "arn:aws:lambda:eu-west-1:210987654321:layer:tools:7", "arn:aws:lambda:eu-west-1:123456789012:layer:fonts:1",
    ])
    error_message = "Layers are unpacked in the caller's order."
  }
}
