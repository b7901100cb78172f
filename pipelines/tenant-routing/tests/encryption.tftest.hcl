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

run "key_by_alias" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:alias/acme" }
  }
  expect_failures = [var.kms_key]
}

run "key_of_another_region" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    kms_key = { arn = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
  }
  expect_failures = [var.kms_key]
}

# Last, because later runs would have what is applied.

run "the_key_of_what_is_made_at_run_time" {
  command = apply

  variables {
    kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
  }

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
    values = { arn = "arn:aws:sqs:eu-west-1:123456789012:acme-tenants-quarantine-dlq" }
  }

  assert {
    condition     = jsondecode(aws_ssm_parameter.platform.insecure_value).kms_key_arn == var.kms_key.arn
    error_message = "Groups and tenants must be created with the key, too."
  }
  assert {
    condition     = length(aws_ssm_parameter.platform.insecure_value) < 2048 && aws_ssm_parameter.platform.type == "String"
    error_message = "The document has no secret, and leaves half of a parameter's size for tags."
  }
  assert {
    condition = (
      one(module.groups.table.server_side_encryption).enabled
      && one(module.groups.table.server_side_encryption).kms_key_arn == var.kms_key.arn
    )
    error_message = "The key must encrypt all of the pipeline's data."
  }
  assert {
    condition = (
      one(module.tenants.table.server_side_encryption).enabled
      && one(module.tenants.table.server_side_encryption).kms_key_arn == var.kms_key.arn
    )
    error_message = "The key must encrypt all of the pipeline's data."
  }
  assert {
    condition     = output.key_sources == { s3 = ["arn:aws:s3:::acme-tg-*-123456789012-eu-west-1"], sns = [] }
    error_message = "key_sources must have the sources for the key's policy."
  }
}
