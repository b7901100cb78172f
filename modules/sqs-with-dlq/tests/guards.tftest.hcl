# Every guard fails once and is just satisfied once. A run fails at most one guard of each variable it
# lists, and terraform test requires a failure of each. Terraform skips the guards of a
# variable that read another one which already failed, so those two never share a run.

mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name = "orders"
}

run "just_legal_standard" {
  command = plan

  variables {
    # 76 characters
    name                       = "orders-234567890123456789012345678901234567890123456789012345678901234567890"
    consumer                   = { timeout_seconds = 900, batching_window_seconds = 300 }
    visibility_timeout_seconds = 5700
    message_retention_seconds  = 1209600
    dlq_retention_seconds      = 1209600
    max_receive_count          = 1000
    alarm = {
      actions      = [for n in range(5) : "arn:aws:sns:eu-west-1:123456789012:alarms-${n}"]
      dlq_messages = 1
      age_seconds  = 1209599
    }

    senders = merge(
      { for n in range(15) : "bucket-${n}" => { service = "s3", source_arn = "arn:aws:s3:::photos-${n}-*" } },
      { foreign = { service = "sns", source_arn = "arn:aws:sns:us-east-1:210987654321:uploads", source_account = "210987654321" } },
      { foreign_bucket = { service = "s3", source_arn = "arn:aws:s3:::theirs", source_account = "210987654321" } },
    )
    dlq_senders = { for n in range(19) : "topic-${n}" => { service = "sns", source_arn = "arn:aws:sns:eu-west-1:123456789012:topic-${n}" } }

    policy_statements = [
      jsonencode({
        Sid       = "organisation"
        Effect    = "Allow"
        Principal = { AWS = "*" }
        Action = [
          "sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes",
          "sqs:GetQueueUrl", "sqs:PurgeQueue",
        ]
        Condition = { StringEquals = { "aws:PrincipalOrgID" = "o-1234567890" } }
      }),
      jsonencode({
        Sid       = "no-purge"
        Effect    = "Deny"
        Principal = { AWS = "arn:aws:iam::123456789012:role/intern" }
        Action    = "sqs:*"
      }),
    ]
  }

  assert {
    condition     = length(aws_sqs_queue.dlq[0].name) == 80
    error_message = "76 characters and -dlq are the 80 of SQS"
  }

  assert {
    condition = (
      length(jsondecode(aws_sqs_queue.queue.policy).Statement) == 20
      && length(jsondecode(aws_sqs_queue.dlq[0].policy).Statement) == 20
    )
    error_message = "20 statements are the limit of SQS, on both queues"
  }
}

run "just_legal_fifo" {
  command = plan

  variables {
    # 71 characters
    name                       = "orders-2345678901234567890123456789012345678901234567890123456789012345"
    fifo                       = {}
    consumer                   = { timeout_seconds = 1, batching_window_seconds = 0 }
    visibility_timeout_seconds = 6
    message_retention_seconds  = 60
    dlq_retention_seconds      = 60
    max_receive_count          = 2
    alarm                      = { actions = [], age_seconds = 1 }

    senders     = { topic = { service = "sns", source_arn = "arn:aws:sns:eu-west-1:123456789012:uploads.fifo" } }
    dlq_senders = { topic = { service = "sns", source_arn = "arn:aws:sns:eu-west-1:123456789012:uploads.fifo" } }
  }

  assert {
    condition     = length(aws_sqs_queue.dlq[0].name) == 80
    error_message = "71 characters and -dlq.fifo are the 80 of SQS"
  }
}

run "just_legal_visibility" {
  command = plan

  variables {
    visibility_timeout_seconds = 43200
  }

  assert {
    condition     = aws_sqs_queue.queue.visibility_timeout_seconds == 43200
    error_message = "12 hours are legal"
  }
}

run "too_much" {
  command = plan

  variables {
    # 77 characters
    name                      = "orders-2345678901234567890123456789012345678901234567890123456789012345678901"
    consumer                  = { timeout_seconds = 901 }
    message_retention_seconds = 1209601
    max_receive_count         = 1001

    dlq_senders = { for n in range(20) : "topic-${n}" => { service = "sns", source_arn = "arn:aws:sns:eu-west-1:123456789012:topic-${n}" } }
    policy_statements = [jsonencode({
      Sid       = "many"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::123456789012:root" }
      Action    = [for n in range(8) : "sqs:Action${n}"]
    })]
  }

  expect_failures = [
    var.name, var.consumer, var.message_retention_seconds, var.max_receive_count, var.dlq_senders, var.policy_statements,
  ]
}

run "too_much_of_the_rest" {
  command = plan

  variables {
    visibility_timeout_seconds = 43201
    dlq_retention_seconds      = 1209601
    alarm                      = { actions = [for n in range(6) : "arn:aws:sns:eu-west-1:123456789012:alarms-${n}"] }

    senders = { for n in range(19) : "bucket-${n}" => { service = "s3", source_arn = "arn:aws:s3:::photos-${n}" } }
    policy_statements = [jsonencode({
      Sid       = "one-more"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::123456789012:root" }
      Action    = "sqs:SendMessage"
    })]
  }

  expect_failures = [var.visibility_timeout_seconds, var.dlq_retention_seconds, var.alarm, var.senders]
}

run "too_little" {
  command = plan

  variables {
    name                      = ""
    consumer                  = { timeout_seconds = 0 }
    message_retention_seconds = 59
    max_receive_count         = 0
  }

  expect_failures = [var.name, var.consumer, var.message_retention_seconds, var.max_receive_count]
}

run "too_little_of_the_rest" {
  command = plan

  variables {
    visibility_timeout_seconds = -1
    # The queue's retention must be the shorter one, or the comparison would fail first.
    message_retention_seconds = 60
    dlq_retention_seconds     = 60.5
    alarm                     = { actions = [], dlq_messages = 0 }
  }

  expect_failures = [var.visibility_timeout_seconds, var.dlq_retention_seconds, var.alarm]
}

run "fractions" {
  command = plan

  variables {
    consumer                  = { timeout_seconds = 1.5 }
    message_retention_seconds = 60.5
    max_receive_count         = 1.5
  }

  expect_failures = [var.consumer, var.message_retention_seconds, var.max_receive_count]
}

run "one_second_short" {
  command = plan

  variables {
    consumer                   = { timeout_seconds = 60, batching_window_seconds = 5 }
    visibility_timeout_seconds = 364
    message_retention_seconds  = 345600
    dlq_retention_seconds      = 345599
    alarm                      = { actions = [], age_seconds = 345600 }
  }

  expect_failures = [var.visibility_timeout_seconds, var.dlq_retention_seconds, var.alarm]
}

run "fractions_of_the_rest" {
  command = plan

  variables {
    consumer                   = { timeout_seconds = 60, batching_window_seconds = 0.5 }
    dlq_retention_seconds      = 1209600
    alarm                      = { actions = [], age_seconds = 0 }
    visibility_timeout_seconds = null
  }

  expect_failures = [var.consumer, var.alarm]
}

run "half_a_second_of_visibility" {
  command = plan

  variables {
    visibility_timeout_seconds = 30.5
  }

  expect_failures = [var.visibility_timeout_seconds]
}

run "wrong_forms" {
  command = plan

  variables {
    name        = "orders.fifo"
    consumer    = { timeout_seconds = 60, batching_window_seconds = 301 }
    kms_key     = { arn = "alias/aws/sqs" }
    senders     = { "my bucket" = { service = "s3", source_arn = "arn:aws:s3:::photos" } }
    dlq_senders = { "my topic" = { service = "sns", source_arn = "arn:aws:sns:eu-west-1:123456789012:uploads" } }
  }

  expect_failures = [var.name, var.consumer, var.kms_key, var.senders, var.dlq_senders]
}

run "alarms_sent_to_a_name" {
  command = plan

  variables {
    alarm = { actions = ["alarms"] }
  }

  expect_failures = [var.alarm]
}

run "services_that_cannot_send" {
  command = plan

  variables {
    kms_key     = { arn = "arn:aws:kms:us-east-1:123456789012:key/mrk-1234" }
    senders     = { function = { service = "lambda", source_arn = "arn:aws:lambda:eu-west-1:123456789012:function:f" } }
    dlq_senders = { bucket = { service = "s3", source_arn = "arn:aws:s3::123456789012:photos" } }
  }

  expect_failures = [var.kms_key, var.senders, var.dlq_senders]
}

run "arns_of_another_service" {
  command = plan

  variables {
    kms_key     = { arn = "arn:aws:kms:eu-west-1:123456789012:alias/mine" }
    senders     = { bucket = { service = "s3", source_arn = "arn:aws:sns:eu-west-1:123456789012:uploads" } }
    dlq_senders = { topic = { service = "sns", source_arn = "arn:aws:sqs:eu-west-1:123456789012:uploads" } }
  }

  expect_failures = [var.kms_key, var.senders, var.dlq_senders]
}

run "arns_of_another_account" {
  command = plan

  variables {
    senders     = { topic = { service = "sns", source_arn = "arn:aws:sns:eu-west-1:210987654321:uploads" } }
    dlq_senders = { rule = { service = "events", source_arn = "arn:aws:events:eu-west-1:210987654321:rule/nightly" } }
  }

  expect_failures = [var.senders, var.dlq_senders]
}

run "an_account_id_of_eleven_digits" {
  command = plan

  variables {
    senders = { bucket = { service = "s3", source_arn = "arn:aws:s3:::photos", source_account = "12345678901" } }
  }

  expect_failures = [var.senders]
}

run "s3_cannot_send_to_fifo" {
  command = plan

  variables {
    # 72 characters
    name        = "orders-23456789012345678901234567890123456789012345678901234567890123456"
    fifo        = {}
    senders     = { bucket = { service = "s3", source_arn = "arn:aws:s3:::photos.fifo" } }
    dlq_senders = { topic = { service = "sns", source_arn = "arn:aws:sns:eu-west-1:123456789012:uploads" } }
  }

  expect_failures = [var.name, var.senders, var.dlq_senders]
}

run "a_standard_topic_cannot_send_to_fifo" {
  command = plan

  variables {
    fifo    = {}
    senders = { topic = { service = "sns", source_arn = "arn:aws:sns:eu-west-1:123456789012:uploads" } }
  }

  expect_failures = [var.senders]
}

run "a_statement_that_is_no_json" {
  command = plan

  variables {
    policy_statements = ["not json"]
  }

  expect_failures = [var.policy_statements]
}

run "a_list_of_statements" {
  command = plan

  variables {
    policy_statements = [jsonencode([{
      Sid       = "list"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::123456789012:root" }
      Action    = "sqs:SendMessage"
    }])]
  }

  expect_failures = [var.policy_statements]
}

run "a_statement_without_principal" {
  command = plan

  variables {
    policy_statements = [jsonencode({
      Sid    = "nobody"
      Effect = "Allow"
      Action = "sqs:SendMessage"
    })]
  }

  expect_failures = [var.policy_statements]
}

run "a_statement_without_effect" {
  command = plan

  variables {
    policy_statements = [jsonencode({
      Sid       = "idle"
      Effect    = "Permit"
      Principal = { AWS = "arn:aws:iam::123456789012:root" }
      Action    = "sqs:SendMessage"
    })]
  }

  expect_failures = [var.policy_statements]
}

run "a_wildcard_action" {
  command = plan

  variables {
    policy_statements = [jsonencode({
      Sid       = "wild"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::123456789012:root" }
      Action    = ["sqs:SendMessage", "sqs:Receive*"]
    })]
  }

  expect_failures = [var.policy_statements]
}

run "everybody" {
  command = plan

  variables {
    policy_statements = [jsonencode({
      Sid       = "everybody"
      Effect    = "Allow"
      Principal = { AWS = ["*"] }
      Action    = "sqs:SendMessage"
      Condition = {}
    })]
  }

  expect_failures = [var.policy_statements]
}

run "a_service_without_condition" {
  command = plan

  variables {
    policy_statements = [jsonencode({
      Sid       = "service"
      Effect    = "Allow"
      Principal = { Service = "ses.amazonaws.com" }
      Action    = "sqs:SendMessage"
    })]
  }

  expect_failures = [var.policy_statements]
}

run "a_sid_twice" {
  command = plan

  variables {
    policy_statements = [for n in range(2) : jsonencode({
      Sid       = "twin"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::123456789012:root" }
      Action    = "sqs:SendMessage"
    })]
  }

  expect_failures = [var.policy_statements]
}

run "a_sid_of_the_module" {
  command = plan

  variables {
    policy_statements = [jsonencode({
      Sid       = "DenyInsecureTransport"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::123456789012:root" }
      Action    = "sqs:SendMessage"
    })]
  }

  expect_failures = [var.policy_statements]
}

run "a_policy_that_just_fits" {
  command = plan

  variables {
    policy_statements = [jsonencode({
      Sid       = "long"
      Effect    = "Deny"
      Principal = { AWS = "arn:aws:iam::123456789012:root" }
      Action    = "sqs:PurgeQueue"
      Condition = { StringEquals = { "aws:PrincipalTag/team" = format("%07742d", 0) } }
    })]
  }

  assert {
    condition     = length(aws_sqs_queue.queue.policy) == 8192
    error_message = "the policy is ${length(aws_sqs_queue.queue.policy)} bytes; the boundary is 8192"
  }
}

run "a_policy_of_one_byte_too_many" {
  command = plan

  variables {
    policy_statements = [jsonencode({
      Sid       = "long"
      Effect    = "Deny"
      Principal = { AWS = "arn:aws:iam::123456789012:root" }
      Action    = "sqs:PurgeQueue"
      Condition = { StringEquals = { "aws:PrincipalTag/team" = format("%07743d", 0) } }
    })]
  }

  expect_failures = [aws_sqs_queue.queue]
}

run "a_dlq_policy_too_large" {
  command = plan

  variables {
    dlq_senders = { for n in range(19) : "topic-${n}" => {
      service    = "sns"
      source_arn = "arn:aws:sns:eu-west-1:123456789012:${join("-", [for m in range(40) : "topic"])}-${n}"
    } }
  }

  expect_failures = [aws_sqs_queue.dlq[0]]
}

run "prefix_of_another_stack" {
  command = plan

  variables {
    name  = "orders"
    alarm = { actions = [], name_prefix = "orders" }
  }

  expect_failures = [var.alarm]
}

run "least_of_the_knobs" {
  command = plan

  variables {
    delay_seconds             = 0
    receive_wait_time_seconds = 0
    max_message_size          = 1024
    max_receive_count         = 1
    dlq                       = { redrive_allow_policy = false }
  }
}

run "most_of_the_knobs" {
  command = plan

  variables {
    delay_seconds             = 900
    receive_wait_time_seconds = 20
    max_message_size          = 262144
    dlq                       = { existing_arn = "arn:aws:sqs:eu-west-1:123456789012:shared-dlq" }
    policy_statements = [
      jsonencode({ Sid = "x", Effect = "Allow", Principal = { AWS = "210987654321" }, Action = ["SQS:SendMessage", "sqs:GetQueueUrl"] }),
      jsonencode({
        Sid       = "y"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }),
      jsonencode({
        Sid       = "z"
        Effect    = "Allow"
        Principal = { Service = ["s3.amazonaws.com", "events.amazonaws.com"], AWS = "arn:aws:iam::210987654321:root" }
        Action    = "sqs:SendMessage"
        Condition = { StringEquals = { "aws:SourceAccount" = "123456789012" } }
      }),
    ]
  }
}

run "one_receive_without_a_dead_letter_queue" {
  command = plan

  variables {
    consumer          = { timeout_seconds = 30 }
    max_receive_count = 1
    dlq               = null
  }
}

run "s3_sends_as_much_as_it_may" {
  command = plan

  variables {
    senders          = { bucket = { service = "s3", source_arn = "arn:aws:s3:::b" } }
    max_message_size = 65536
  }
}

run "refuses_knobs_beyond_their_ends" {
  command = plan

  variables {
    delay_seconds             = 901
    receive_wait_time_seconds = 21
    max_message_size          = 1048577
  }

  expect_failures = [var.delay_seconds, var.receive_wait_time_seconds, var.max_message_size]
}

run "refuses_knobs_below_their_ends" {
  command = plan

  variables {
    delay_seconds             = -1
    receive_wait_time_seconds = -1
    max_message_size          = 1023
  }

  expect_failures = [var.delay_seconds, var.receive_wait_time_seconds, var.max_message_size]
}

run "refuses_knobs_between_whole_numbers" {
  command = plan

  variables {
    delay_seconds             = 0.5
    receive_wait_time_seconds = 0.5
    max_message_size          = 1024.5
  }

  expect_failures = [var.delay_seconds, var.receive_wait_time_seconds, var.max_message_size]
}

run "refuses_a_delay_beyond_the_retention" {
  command = plan

  variables {
    delay_seconds             = 60
    message_retention_seconds = 60
  }

  expect_failures = [var.delay_seconds]
}

run "refuses_to_cut_what_s3_sends" {
  command = plan

  variables {
    senders          = { bucket = { service = "s3", source_arn = "arn:aws:s3:::b" } }
    max_message_size = 65535
  }

  expect_failures = [var.max_message_size]
}

run "refuses_a_dead_letter_queue_of_another_account" {
  command = plan

  variables {
    dlq = { existing_arn = "arn:aws:sqs:eu-west-1:210987654321:dlq" }
  }

  expect_failures = [var.dlq]
}

run "refuses_a_dead_letter_queue_of_another_region" {
  command = plan

  variables {
    dlq = { existing_arn = "arn:aws:sqs:eu-central-1:123456789012:dlq" }
  }

  expect_failures = [var.dlq]
}

run "refuses_a_dead_letter_queue_of_another_kind" {
  command = plan

  variables {
    dlq = { existing_arn = "arn:aws:sqs:eu-west-1:123456789012:dlq.fifo" }
  }

  expect_failures = [var.dlq]
}

run "refuses_a_queue_as_its_own_dead_letter_queue" {
  command = plan

  variables {
    name = "own"
    dlq  = { existing_arn = "arn:aws:sqs:eu-west-1:123456789012:own" }
  }

  expect_failures = [var.dlq]
}

run "refuses_senders_to_a_dead_letter_queue_that_is_not_made" {
  command = plan

  variables {
    dlq         = null
    dlq_senders = { topic = { service = "sns", source_arn = "arn:aws:sns:eu-west-1:123456789012:t" } }
  }

  expect_failures = [aws_sqs_queue.queue]
}

run "refuses_one_receive_with_a_function" {
  command = plan

  variables {
    consumer          = { timeout_seconds = 30 }
    max_receive_count = 1
  }

  expect_failures = [aws_sqs_queue.queue]
}

run "refuses_an_alarm_to_another_region" {
  command = plan

  variables {
    alarm = { actions = ["arn:aws:sns:eu-central-1:123456789012:alarms"] }
  }

  expect_failures = [var.alarm]
}

run "refuses_an_action_of_another_service" {
  command = plan

  variables {
    policy_statements = [jsonencode({
      Sid       = "x"
      Effect    = "Allow"
      Principal = { AWS = "210987654321" }
      Action    = ["sqs:SendMessage", "sns:Publish"]
    })]
  }

  expect_failures = [var.policy_statements]
}

run "refuses_an_action_that_sqs_does_not_have" {
  command = plan

  variables {
    policy_statements = [jsonencode({ Sid = "x", Effect = "Allow", Principal = { AWS = "210987654321" }, Action = "sqs:Publish" })]
  }

  expect_failures = [var.policy_statements]
}

run "refuses_a_principal_that_is_no_account" {
  command = plan

  variables {
    policy_statements = [jsonencode({ Sid = "x", Effect = "Allow", Principal = { AWS = "21098765432" }, Action = "sqs:SendMessage" })]
  }

  expect_failures = [var.policy_statements]
}

run "refuses_a_principal_of_no_kind" {
  command = plan

  variables {
    policy_statements = [jsonencode({
      Sid       = "x"
      Effect    = "Allow"
      Principal = { Role = "arn:aws:iam::210987654321:role/x" }
      Action    = "sqs:SendMessage"
    })]
  }

  expect_failures = [var.policy_statements]
}

run "refuses_the_name_of_a_service_as_principal" {
  command = plan

  variables {
    policy_statements = [jsonencode({ Sid = "x", Effect = "Allow", Principal = "s3.amazonaws.com", Action = "sqs:SendMessage" })]
  }

  expect_failures = [var.policy_statements]
}
