mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name_prefix = "acme"
  package = {
    path         = "../../tests/terraform/packages/function.zip" # nothing is uploaded
    handler      = "create_image_derivative.handler.handler"
    content_hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    size_bytes   = 22
    runtime      = "python3.13"
    architecture = "arm64"
  }
}

run "a_bucket_of_another_owner" {
  command = plan

  variables {
    source_bucket = { name = "uploads", further = ["scans"] }
    suffixes      = "all"
  }

  assert {
    condition = (
      length(module.notification) == 0 && length(module.source.senders) == 0
      && keys(module.source.rule_senders) == ["mobile", "thumbnail"]
      && output.pipeline.source.bucket_policy_statements == "[]"
    )
    error_message = "The notification must stay unchanged: a rule sends to each queue."
  }
  assert {
    condition = [for statement in module.source.read_statements : join(" ", statement.Resource)] == [
      "arn:aws:s3:::uploads/ingest/* arn:aws:s3:::scans/ingest/*", "arn:aws:s3:::uploads arn:aws:s3:::scans",
    ]
    error_message = "The functions may read objects below the prefix, of both buckets."
  }
  assert {
    condition     = output.path.arrived[*][3] == ["acme-image-mobile", "acme-image-thumbnail"]
    error_message = "Events must not use the topic, and are counted at the queues."
  }
  assert {
    condition = jsonencode(local.source_settings) == jsonencode({
      OUTPUT_BUCKET   = "acme-image-123456789012-eu-west-1"
      SOURCE_BUCKETS  = "uploads,scans"
      SOURCE_SUFFIXES = ""
    })
    error_message = "Derivatives must be written to the pipeline's own bucket."
  }
}

run "a_bucket_of_another_account_that_notifies" {
  command = plan

  variables {
    source_bucket = { name = "uploads", account_id = "210987654321", via = "s3" }
  }

  assert {
    condition = (
      length(module.notification) == 0 && length(module.source.key_sources.events) == 0
      && output.pipeline.source.notification.topics.uploads.filter_prefix == "ingest/"
      && contains(output.pipeline.source.notification.topics.uploads.filter_suffixes, ".JPG")
      && jsonencode(output.key_sources.owners) == "[\"210987654321\"]"
    )
    error_message = "The output must have the rules for the owner, and S3 may publish for the bucket."
  }
}

run "addresses_that_would_get_nothing" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    source_bucket     = { name = "uploads" }
    email_subscribers = ["pictures@example.com"]
  }

  expect_failures = [var.email_subscribers]
}
