mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name_prefix = "acme"
  package = {
    path         = "../../tests/terraform/packages/function.zip" # nothing is uploaded
    handler      = "update_item.handler.handler"
    content_hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    size_bytes   = 22
    runtime      = "python3.13"
    architecture = "arm64"
  }
}

run "customer_key" {
  command = plan

  variables {
    kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
  }

  assert {
    condition     = module.bucket.bucket.kms_key_arn == var.kms_key.arn
    error_message = "The key must encrypt all of the pipeline's data."
  }

  assert {
    condition = (
      one(module.items.table.server_side_encryption).enabled
      && one(module.items.table.server_side_encryption).kms_key_arn == var.kms_key.arn
    )
    error_message = "The key must encrypt all of the pipeline's data."
  }

  assert {
    condition     = output.key_sources == { s3 = [], sns = [] }
    error_message = "key_sources must have the sources for the key's policy."
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
