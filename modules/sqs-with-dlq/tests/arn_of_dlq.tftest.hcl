# As arn_of_queue.tftest.hcl, for the dead-letter queue.

mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name = "orders"
}

run "a_dlq_the_policies_do_not_name" {
  expect_failures = [aws_sqs_queue.dlq[0]]
}
