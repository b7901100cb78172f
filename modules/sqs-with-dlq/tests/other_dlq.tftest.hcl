# An existing dead-letter queue, or none. Without the state of other runs: the provider
# keeps a redrive policy that is no longer set, and only an apply shows that there is none.

mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name = "orders"
}

run "uses_a_dead_letter_queue_that_exists" {
  command = plan

  variables {
    dlq                       = { existing_arn = "arn:aws:sqs:eu-west-1:123456789012:shared-dlq" }
    max_receive_count         = 7
    delay_seconds             = 10
    receive_wait_time_seconds = 20
    max_message_size          = 2048
    alarm                     = { actions = ["arn:aws:sns:eu-west-1:123456789012:alarms"] }
  }

  assert {
    condition = (
      length(aws_sqs_queue.dlq) == 0 && length(output.alarm_names) == 0
      && jsondecode(aws_sqs_queue.queue.redrive_policy) == {
        deadLetterTargetArn = "arn:aws:sqs:eu-west-1:123456789012:shared-dlq"
        maxReceiveCount     = 7
      }
      && output.dlq == { arn = "arn:aws:sqs:eu-west-1:123456789012:shared-dlq", url = null, name = "shared-dlq" }
    )
    error_message = "dead letters go to the existing queue, whose owner creates its alarms"
  }

  assert {
    condition = (
      aws_sqs_queue.queue.delay_seconds == 10 && aws_sqs_queue.queue.receive_wait_time_seconds == 20
      && aws_sqs_queue.queue.max_message_size == 2048
    )
    error_message = "the caller's settings are used"
  }
}

run "works_without_a_dead_letter_queue" {
  command = plan

  variables {
    dlq = null
  }

  assert {
    condition     = length(aws_sqs_queue.dlq) == 0 && output.dlq == null
    error_message = "there is no redrive policy"
  }
}
