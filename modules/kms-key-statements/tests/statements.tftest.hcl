mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab" }
}

run "each_use_has_its_actions_through_one_service" {
  command = plan

  assert {
    condition = {
      for use, statements in output.statements : use => join(" ", concat(
        [one(statements).Condition.StringEquals["kms:ViaService"]], [for action in one(statements).Action : trimprefix(action, "kms:")],
      ))
      } == {
      read_objects     = "s3.eu-west-1.amazonaws.com Decrypt"
      write_objects    = "s3.eu-west-1.amazonaws.com Decrypt GenerateDataKey"
      receive_messages = "sqs.eu-west-1.amazonaws.com Decrypt"
      send_messages    = "sqs.eu-west-1.amazonaws.com Decrypt GenerateDataKey"
      publish          = "sns.eu-west-1.amazonaws.com Decrypt GenerateDataKey"
      read_items       = "dynamodb.eu-west-1.amazonaws.com Decrypt DescribeKey"
      write_items = join("", [
        "dynamodb.eu-west-1.amazonaws.com Decrypt DescribeKey Encrypt GenerateDataKey",
        " GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo",
      ])
    }
    error_message = "Each use allows the actions that its service requires, and no others."
  }
  assert {
    condition = alltrue([
      for statement in flatten(values(output.statements)) :
      statement.Effect == "Allow" && statement.Resource == var.kms_key.arn && join(",", keys(statement.Condition)) == "StringEquals"
    ])
    error_message = "Every statement allows this key only, through a service."
  }
  assert {
    condition     = length(distinct([for statement in flatten(values(output.statements)) : statement.Sid])) == 7
    error_message = "Statements of one policy need unique Sids."
  }
}

run "without_a_key_there_is_nothing_to_grant" {
  command = plan

  variables {
    kms_key = null
  }

  assert {
    condition     = flatten(values(output.statements)) == []
    error_message = "Keys of AWS need no permission."
  }
}

run "refuses_an_alias" {
  command = plan

  variables {
    kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:alias/acme" }
  }

  expect_failures = [var.kms_key]
}

run "refuses_a_key_of_another_region" {
  command = plan

  variables {
    kms_key = { arn = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
  }

  expect_failures = [var.kms_key]
}
