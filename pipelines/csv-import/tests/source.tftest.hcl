mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name_prefix = "acme"
  packages = {
    split = {
      path         = "../../tests/terraform/packages/function.zip" # nothing is uploaded
      handler      = "split_csv.handler.handler"
      content_hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
      size_bytes   = 22
      runtime      = "python3.13"
      architecture = "arm64"
    }
    load = {
      path         = "../../tests/terraform/packages/function.zip" # nothing is uploaded
      handler      = "load_csv_rows.handler.handler"
      content_hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
      size_bytes   = 22
      runtime      = "python3.13"
      architecture = "arm64"
    }
  }
}

run "a_bucket_of_another_owner" {
  command = plan

  variables {
    source_bucket = { name = "exports", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
  }

  assert {
    condition = (
      length(module.notification) == 0 && length(module.source.senders) == 0
      && join(",", keys(module.source.rule_senders.imports)) == "rule"
      && [for statement in module.source.read_statements : join(",", statement.Resource)] == [
        "arn:aws:s3:::exports/import/*", "arn:aws:s3:::exports",
        "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
      ]
    )
    error_message = "The notification must stay unchanged: a rule sends to the queue, and the splitter may read."
  }
}

run "a_bucket_of_another_account_that_notifies" {
  command = plan

  variables {
    source_bucket = { name = "exports", account_id = "210987654321", via = "s3" }
  }

  assert {
    condition = (
      join(",", keys(module.source.senders)) == "exports"
      && module.source.senders["exports"].source_account == "210987654321"
      && module.source.senders["exports"].source_arn == "arn:aws:s3:::exports"
      && length(output.pipeline.source.notification.queues.imports.filter_suffixes) == 40
    )
    error_message = "The output must have the rules for the owner, and S3 may send for the bucket."
  }
}
