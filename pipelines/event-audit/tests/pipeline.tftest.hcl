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

run "defaults" {
  command = plan

  assert {
    condition = (
      module.watched[0].bucket.name == "acme-audit-123456789012-eu-west-1"
      && module.rejections.bucket.name == "acme-audit-rejections-123456789012-eu-west-1"
    )
    error_message = "Buckets are named by prefix, account and region."
  }
  assert {
    condition = (
      local.routes["upload"].filter_policy
      == "{\"Records\":{\"eventName\":[\"ObjectCreated:CompleteMultipartUpload\",\"ObjectCreated:Post\",\"ObjectCreated:Put\"]}}"
    )
    error_message = "Uploads in one part, by form and in many parts are one route."
  }
  assert {
    condition     = local.routes["copy"].filter_policy == "{\"Records\":{\"eventName\":[\"ObjectCreated:Copy\"]}}"
    error_message = "Copies have a separate route."
  }
  assert {
    condition = (
      local.routes["removal"].filter_policy
      == "{\"Records\":{\"eventName\":[\"ObjectRemoved:Delete\",\"ObjectRemoved:DeleteMarkerCreated\"]}}"
    )
    error_message = "ObjectRemoved:* must be expanded to its event names."
  }
  assert {
    condition = (
      local.routes["other"].filter_policy == jsonencode({ Records = { eventName = [{ anything-but = [
        "ObjectCreated:CompleteMultipartUpload", "ObjectCreated:Copy", "ObjectCreated:Post", "ObjectCreated:Put",
        "ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated",
      ] }] } })
    )
    error_message = "The catch-all must match exactly what no route matches."
  }
  assert {
    condition     = [for route, settings in output.pipeline.routes : route if settings.catch_all] == ["other"]
    error_message = "Only other is a catch-all."
  }
  assert {
    condition = (
      output.pipeline.routes["copy"].function_name == "acme-audit-copy"
      && output.pipeline.routes["other"].log_group == "/aws/lambda/acme-audit-other"
    )
    error_message = "Every route, the catch-all too, has a function named after it."
  }
  assert {
    condition = sort(var.events) == tolist([
      "IntelligentTiering", "LifecycleExpiration:*", "LifecycleTransition", "ObjectAcl:Put", "ObjectCreated:*",
      "ObjectRemoved:*", "ObjectRestore:*", "ObjectTagging:*", "ReducedRedundancyLostObject", "Replication:*",
    ]) && length(local.watched_events) == 21
    error_message = "By default every long-established family must be in events."
  }
  assert {
    condition     = output.pipeline.trail_table == null && length(module.trail) + length(module.records) == 0
    error_message = "Without trail there must be no table."
  }
  assert {
    condition = (
      join(",", keys(module.rejections.lifecycle_rules)) == "expire-rejection-records,remove-leftovers"
      && join(",", keys(module.watched[0].lifecycle_rules)) == "remove-leftovers"
    )
    error_message = "Rejection records expire, objects in the source bucket do not."
  }
  assert {
    condition = (
      module.rejections.lifecycle_rules["expire-rejection-records"].expire_days == 90
      && module.watched[0].lifecycle_rules["remove-leftovers"].noncurrent_days == 30
      && module.watched[0].lifecycle_rules["remove-leftovers"].incomplete_upload_days == 7
    )
    error_message = "Records expire after 90 days, older versions after 30, unfinished uploads after 7."
  }
  assert {
    condition     = length(output.alarm_names) == 0
    error_message = "Without alarm there must be no alarms."
  }
}

# Values that just satisfy every guard below.
run "just_legal" {
  command = plan

  variables {
    # The longer bucket name has 63 characters.
    name_prefix = "a23456789-123456789-123"
    routes = {
      twenty-characters-ab = { events = ["ObjectCreated:*", "ObjectCreated:Put"] }
      dlq                  = { events = ["ObjectRemoved:Delete"] }
      others = {
        events = [
          "IntelligentTiering", "LifecycleExpiration:*", "LifecycleTransition", "ObjectAcl:Put", "ObjectAnnotation:*",
          "ObjectRemoved:DeleteMarkerCreated", "ObjectRestore:*", "ObjectRetention:Put", "ObjectTagging:*",
          "ReducedRedundancyLostObject", "Replication:*",
        ]
      }
    }
    events = [
      "IntelligentTiering", "LifecycleExpiration:*", "LifecycleTransition", "ObjectAcl:Put", "ObjectAnnotation:*",
      "ObjectCreated:*", "ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated", "ObjectRestore:*",
      "ObjectRetention:Put", "ObjectTagging:*", "ReducedRedundancyLostObject", "Replication:*",
    ]
    trail          = { retention_days = 3650 }
    lifecycle_days = { noncurrent = 1, incomplete_upload = 1, rejections = 1 }
    function       = { batch_size = 100, batching_window_seconds = 5 }
    alarm          = { actions = [], rejections = 1 }

    late_after_seconds = 345599
  }

  assert {
    condition     = length(module.rejections.bucket.name) == 63
    error_message = "This run must use exactly the limit of 63 characters."
  }
  assert {
    condition     = length(local.routes["other"].events) == 24 && length(local.watched_events) == 24
    error_message = "All 24 event names of S3 must be in routes and in events, each once."
  }
  assert {
    condition     = length(local.routes["twenty-characters-ab"].events) == 4
    error_message = "An event listed alone and by its family, in one route, must be there once."
  }
  assert {
    condition     = contains(output.alarm_names, "a23456789-123456789-123-audit-others-oldest-message-age")
    error_message = "late_after_seconds may be as long as the queue keeps a message."
  }
}

run "put_alone_with_a_trail" {
  command = plan

  variables {
    routes = { put = { events = ["ObjectCreated:Put"] } }
    events = ["ObjectCreated:*"]
    trail  = { retention_days = 1, deletion_protection = true, object_lock_days = 36500 }
  }

  assert {
    condition = (
      module.records[0].object_lock_days == 36500 && module.records[0].bucket.name == "acme-audit-records-123456789012-eu-west-1"
      && output.pipeline.records_bucket == module.records[0].bucket.name
      && module.records[0].lifecycle_rules["expire-records"].expire_days == 36500
    )
    error_message = "Records must be in a separate bucket with object lock, and expire after lock and trail retention."
  }
  assert {
    condition = alltrue([
      for route, policies in local.policies : jsondecode(policies.records).Statement == [{
        Sid      = "KeepRecords", Effect = "Allow", Action = "s3:PutObject"
        Resource = "arn:aws:s3:::acme-audit-records-123456789012-eu-west-1/${route}/*"
      }]
    ])
    error_message = "A route's function writes records below its own prefix and can neither read nor delete one."
  }

  assert {
    condition     = local.routes["other"].filter_policy == "{\"Records\":{\"eventName\":[{\"anything-but\":[\"ObjectCreated:Put\"]}]}}"
    error_message = "The route other must have all events that the one route does not."
  }
  assert {
    condition     = output.pipeline.trail_table == "acme-audit-trail" && module.trail[0].table.deletion_protection_enabled
    error_message = "The trail has the pipeline's name, and deletion protection when set."
  }
  assert {
    condition = (
      module.trail[0].table.hash_key == "object" && module.trail[0].table.range_key == "event"
      && [
        for index in module.trail[0].table.global_secondary_index :
        "${index.name} ${index.hash_key} ${index.range_key} ${index.projection_type}"
      ] == ["by_hour hour event_time ALL"]
      && module.trail[0].table.ttl[0].attribute_name == "expires_at" && module.trail[0].table.ttl[0].enabled
      && module.trail[0].table.point_in_time_recovery[0].enabled
    )
    error_message = "The trail is keyed by object and event, indexed by hour, and has TTL and point-in-time recovery."
  }
}

run "name_too_long" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    name_prefix = "a23456789-123456789-1234"
  }
  expect_failures = [var.name_prefix]
}

run "event_in_two_routes" {
  command = plan
  variables {
    routes = {
      created = { events = ["ObjectCreated:*"] }
      put     = { events = ["ObjectCreated:Put"] }
    }
  }
  expect_failures = [output.pipeline]
}

run "routed_but_not_watched" {
  command = plan
  variables {
    events = ["ObjectCreated:*", "ObjectRemoved:Delete"]
  }
  expect_failures = [output.pipeline]
}

run "prefix_of_the_notification" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    routes         = { put = { events = ["s3:ObjectCreated:Put"] } }
    events         = ["s3:ObjectCreated:Put"]
    trail          = { retention_days = 0 }
    lifecycle_days = { rejections = 0 }
  }
  expect_failures = [var.routes, var.events, var.trail, var.lifecycle_days]
}

run "events_that_do_not_exist" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    # S3 has no such family: only ObjectAcl:Put.
    routes         = { acl = { events = ["ObjectAcl:*"] } }
    events         = ["ObjectAcl:*"]
    trail          = { retention_days = 3651 }
    lifecycle_days = { noncurrent = 1.5 }
  }
  expect_failures = [var.routes, var.events, var.trail, var.lifecycle_days]
}

run "event_watched_twice" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    routes         = { Put = { events = ["ObjectCreated:Put"] } }
    events         = ["ObjectCreated:*", "ObjectCreated:Put"]
    trail          = { retention_days = 1.5 }
    lifecycle_days = { incomplete_upload = 0 }
  }
  expect_failures = [var.routes, var.events, var.trail, var.lifecycle_days]
}

run "route_name_too_long" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    routes = { twenty-one-characters = { events = ["ObjectCreated:Put"] } }
    trail  = { object_lock_days = 36501 }
  }
  expect_failures = [var.routes, var.trail]
}

run "route_named_other" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    routes = { other = { events = ["ObjectCreated:Put"] } }
  }
  expect_failures = [var.routes]
}

run "route_named_like_a_dead_letter_queue" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    routes = { copy-dlq = { events = ["ObjectCreated:Put"] } }
  }
  expect_failures = [var.routes]
}

run "route_without_events" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    routes = { put = { events = [] } }
  }
  expect_failures = [var.routes]
}

run "no_routes" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    routes = {}
  }
  expect_failures = [var.routes]
}

run "a_name_that_aws_keeps_for_itself" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    name_prefix = "awsome"
  }

  expect_failures = [var.name_prefix]
}
