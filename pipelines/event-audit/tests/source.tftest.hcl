mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name_prefix = "acme"
  package = {
    path         = "../../tests/terraform/packages/function.zip" # nothing is uploaded
    handler      = "log_object_event.handler.handler"
    content_hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    size_bytes   = 22
    runtime      = "python3.13"
    architecture = "arm64"
  }
}

run "a_bucket_of_somebody_else" {
  command = plan

  variables {
    source_bucket = { name = "documents" }
  }

  assert {
    condition = (
      length(module.watched) == 0 && length(module.notification) == 0 && output.pipeline.bucket == null
      && output.pipeline.source.notification.topics.audit.events == [for event in sort(var.events) : "s3:${event}"]
    )
    error_message = "There is no bucket to watch but the one that exists, whose owner gets the rules to add."
  }
}
