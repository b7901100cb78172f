mock_provider "aws" {
  source = "./tests/terraform/mocks"
}

variables {
  region            = "eu-west-1"
  package_directory = "tests/terraform/packages"
}

run "region_is_enough" {
  command = plan

  assert {
    condition     = alltrue([for pipeline in [output.csv_import, output.event_audit, output.image_derivatives, output.item_relay, output.tenant_routing] : pipeline != null])
    error_message = "Every pipeline runs unless the caller says otherwise."
  }
}

run "a_pipeline_left_out" {
  command = plan

  variables {
    pipelines = []
    # 24 characters: as long as a prefix may be.
    name_prefix = "a23456789-123456789-1234"
  }

  assert {
    condition     = alltrue([for pipeline in [output.csv_import, output.event_audit, output.image_derivatives, output.item_relay, output.tenant_routing] : pipeline == null])
    error_message = "A pipeline that is not named is not created."
  }
  assert {
    condition     = output.tenant_manager_policy == null
    error_message = "Nor is there a policy for managing its tenants."
  }
}

run "settings_reach_the_pipeline" {
  command = plan

  variables {
    image_derivatives = {
      derivatives    = { banner = { max_width = 1200, max_height = 300 } }
      lifecycle_days = { ingest = 7 }
    }
    event_audit = {
      routes = { put = { events = ["ObjectCreated:Put"] } }
      trail  = {}
    }
    csv_import = {
      pace = { table_write_capacity = 50 }
    }
    item_relay = {
      function = { memory_size_mb = 512 }
      members  = { operator = ["ada"] }
    }
    tenant_routing = {
      queue_mode = "shared_fair"
    }
  }

  assert {
    condition     = join(",", keys(output.image_derivatives.derivatives)) == "banner"
    error_message = "Derivatives are the caller's."
  }
  assert {
    condition     = join(",", keys(output.event_audit.routes)) == "other,put"
    error_message = "Routes are the caller's, and the catch-all."
  }
  assert {
    condition     = output.event_audit.trail_table == "event-pipelines-audit-trail"
    error_message = "A trail is kept on request."
  }
  assert {
    condition     = output.csv_import.pace.rows_per_second == 40
    error_message = "Four fifths of a provisioned table's capacity are used."
  }
  assert {
    condition     = output.item_relay.groups.operator == "event-pipelines-relay-operator-eu-west-1"
    error_message = "The relay has a group for operators."
  }
  assert {
    condition     = output.tenant_routing.queue_mode == "shared_fair"
    error_message = "The queue mode is the caller's."
  }
}

run "values_that_cannot_work" {
  command = plan

  variables {
    region      = "Ireland"
    name_prefix = "a23456789-123456789-12345"
    pipelines   = ["image-derivative"]
  }

  expect_failures = [var.region, var.name_prefix, var.pipelines]
}
