# The mocked ARN of the queue is another one than the policies name, as it would be if the provider
# worked in another account than its data sources report. Separate files, because an override is
# ignored for what an earlier run of the same file has created.

mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name = "orders"
}

run "a_queue_the_policies_do_not_name" {
  override_resource {
    target = aws_sqs_queue.dlq[0]
    values = { arn = "arn:aws:sqs:eu-west-1:123456789012:orders-dlq" }
  }

  expect_failures = [aws_sqs_queue.queue]
}
