mock_provider "aws" {
  source = "./tests/terraform/mocks"
}

variables {
  region            = "eu-west-1"
  package_directory = "tests/terraform/packages"
  name_prefix       = "acme"
  event_audit       = { trail = {} }
  csv_import        = { notices = {} }
}

# test_encryption.py reads these plans, too.

run "keys_of_aws" {
  command = plan

  assert {
    condition     = module.item_relay[0].key_sources == { s3 = [], sns = [] } && length(local.kms_key_policy_statements) == 4
    error_message = "What a key's policy must say is known before there is a key."
  }
}

run "customer_key" {
  command = plan

  variables {
    kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab" }
  }

  assert {
    condition     = length(local.kms_key_policy_statements) == 4
    error_message = "S3, SNS, CloudWatch's alarms and its logs use the key."
  }
}

run "customer_key_of_one_pipeline" {
  command = plan

  variables {
    pipelines = ["item-relay"]
    alarms    = null
    kms_key   = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
  }

  assert {
    condition     = [for statement in local.kms_key_policy_statements : statement.Sid] == ["Logs"]
    error_message = "A pipeline that nothing notifies needs the key for its logs only."
  }
}

run "customer_key_for_alarms_to_a_topic_that_exists" {
  command = plan

  variables {
    pipelines = ["csv-import"]
    alarms    = { topic_arn = "arn:aws:sns:eu-west-1:210987654321:on-call" }
    kms_key   = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
  }

  assert {
    condition     = [for statement in local.kms_key_policy_statements : statement.Sid] == ["NotificationsOfBuckets", "Logs"]
    error_message = "Another's topic is encrypted by another's key, and without a topic of the pipeline's own SNS needs none."
  }
}

run "customer_key_for_nothing" {
  command = plan

  variables {
    pipelines = []
    kms_key   = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
  }

  assert {
    condition     = output.kms_key_policy_statements == "[]"
    error_message = "Without pipelines nobody uses the key."
  }
}

run "key_by_alias" {
  command = plan

  variables {
    kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:alias/acme" }
  }

  expect_failures = [var.kms_key]
}

run "key_by_id" {
  command = plan

  variables {
    kms_key = { arn = "1234abcd-12ab-34cd-56ef-1234567890ab" }
  }

  expect_failures = [var.kms_key]
}

run "key_of_another_region" {
  command = plan

  variables {
    kms_key = { arn = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
  }

  expect_failures = [var.kms_key]
}
