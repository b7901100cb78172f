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

run "alarms" {
  command = plan

  variables {
    alarm = { actions = ["arn:aws:sns:eu-west-1:123456789012:on-call"], rejections = 7 }
  }

  assert {
    condition = toset(output.alarm_names) == toset([
      "acme-tenants-route-errors",
      "acme-tenants-route-throttles",
      "acme-tenants-route-recursion-stopped",
      "acme-tenants-process-errors",
      "acme-tenants-process-throttles",
      "acme-tenants-process-recursion-stopped",
      "acme-tenants-quarantine-dlq-has-messages",
      "acme-tenants-quarantine-has-messages",
      "acme-tenants-failed-records",
      "acme-tenants-rejections",
    ])
    error_message = "There must be exactly these alarms."
  }

  assert {
    condition = (
      module.alarms[0].alarms["rejections"].metric_name == "Rejected" && module.alarms[0].alarms["rejections"].threshold == 7
      && module.alarms[0].alarms["rejections"].dimensions == tomap({ stack = "acme", pipeline = "tenant-routing" })
      && module.alarms[0].alarms["rejections"].alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:on-call"])
      && strcontains(module.alarms[0].alarms["rejections"].alarm_description, "event-pipelines tenants show TENANT --prefix acme")
    )
    error_message = "The rejection alarm must be per pipeline, have the caller's threshold and name the command to run."
  }
}

run "no_rejection_sets_one_off" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    alarm = { actions = ["arn:aws:sns:eu-west-1:123456789012:on-call"], rejections = 0 }
  }
  expect_failures = [var.alarm]
}
