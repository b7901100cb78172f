# The mocked ARN of the topic is another one than the policies name, as it would be if the provider
# worked in another account than its data sources report. A separate file, because an override is
# ignored for what an earlier run of the same file has created.

mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name = "uploads"
}

run "a_topic_the_policies_do_not_name" {
  expect_failures = [aws_sns_topic.topic]
}
