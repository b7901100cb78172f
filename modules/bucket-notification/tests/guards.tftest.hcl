mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  bucket = "example-uploads"
}

# Valid values closest to what the runs below refuse.

run "just_legal" {
  command = plan

  variables {
    bucket = "abc"
    queues = {
      # Every event that exists, each in a rule with another prefix.
      "creations" = {
        arn           = "arn:aws:sqs:eu-west-1:123456789012:q"
        filter_prefix = "a/"
        events = [
          "s3:ObjectCreated:Put", "s3:ObjectCreated:Post", "s3:ObjectCreated:Copy", "s3:ObjectCreated:CompleteMultipartUpload",
        ]
      }
      "creation" = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", filter_prefix = "b/", events = ["s3:ObjectCreated:*"] }
      "removals" = {
        arn           = "arn:aws:sqs:eu-west-1:123456789012:q"
        filter_prefix = "a/"
        events        = ["s3:ObjectRemoved:*", "s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated"]
      }
      "upkeep" = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", filter_prefix = "a/", events = [
        "s3:LifecycleExpiration:*", "s3:LifecycleExpiration:Delete", "s3:LifecycleExpiration:DeleteMarkerCreated", "s3:LifecycleTransition",
        "s3:IntelligentTiering", "s3:ReducedRedundancyLostObject",
        "s3:ObjectRestore:*", "s3:ObjectRestore:Post", "s3:ObjectRestore:Completed", "s3:ObjectRestore:Delete",
        "s3:Replication:*", "s3:Replication:OperationFailedReplication", "s3:Replication:OperationMissedThreshold",
        "s3:Replication:OperationNotTracked", "s3:Replication:OperationReplicatedAfterThreshold",
      ] }
      "labels" = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", filter_prefix = "a/", events = [
        "s3:ObjectTagging:*", "s3:ObjectTagging:Put", "s3:ObjectTagging:Delete", "s3:ObjectAcl:Put", "s3:ObjectRetention:Put",
        "s3:ObjectAnnotation:*", "s3:ObjectAnnotation:Put", "s3:ObjectAnnotation:Delete",
      ] }
    }
    topics = {
      "a" = { arn = "arn:aws:sns:eu-west-1:123456789012:t", filter_prefix = "c/a" }
      "b" = { arn = "arn:aws:sns:eu-west-1:123456789012:t", filter_prefix = "c/b", filter_suffixes = [".csv", ".Csv", ".tsv"] }
      "c" = { arn = "arn:aws:sns:eu-west-1:123456789012:t", filter_prefix = "c/b", filter_suffixes = [".txt"] }
      # 1024 characters of prefix, 255 of id.
      "long" = {
        arn             = "arn:aws:sns:eu-west-1:123456789012:t"
        filter_prefix   = format("%01024d", 0)
        filter_suffixes = [format(".%0243d", 0)]
      }
    }
    functions = {
      # The output has the input's prefix and another suffix.
      "f234567890123456789012345678901234567890123456789012345678901234" = {
        arn             = "arn:aws:lambda:eu-west-1:123456789012:function:f"
        name            = "f"
        filter_prefix   = "d/"
        filter_suffixes = [".in"]
      }
    }
    writes_back = [{ prefix = "d/", suffix = ".out" }, { prefix = "e/" }, { prefix = "c/c" }]
  }

  assert {
    condition     = length(output.rules) == 12
    error_message = "Every rule must have been planned."
  }
}

run "a_hundred_rules_are_legal" {
  command = plan

  variables {
    topics = { all = { arn = "arn:aws:sns:eu-west-1:123456789012:t", filter_suffixes = [for i in range(100) : format(".%03d", i)] } }
  }

  assert {
    condition     = length(aws_s3_bucket_notification.bucket.topic) == 100
    error_message = "Each suffix must make a rule."
  }
}

run "refuses_an_arn_as_bucket_and_targets_in_the_wrong_map" {
  command = plan

  variables {
    bucket    = "arn:aws:s3:::example-uploads"
    queues    = { a = { arn = "arn:aws:sns:eu-west-1:123456789012:t" } }
    topics    = { a = { arn = "arn:aws:sqs:eu-west-1:123456789012:q" } }
    functions = { a = { arn = "arn:aws:lambda:eu-west-1:123456789012:layer:f", name = "f" } }
  }

  expect_failures = [var.bucket, var.queues, var.topics, var.functions]
}

run "refuses_fifo_targets_and_a_function_called_otherwise" {
  command = plan

  variables {
    queues    = { a = { arn = "arn:aws:sqs:eu-west-1:123456789012:q.fifo" } }
    topics    = { a = { arn = "arn:aws:sns:eu-west-1:123456789012:t.fifo" } }
    functions = { a = { arn = "arn:aws:lambda:eu-west-1:123456789012:function:f:live", name = "live" } }
  }

  expect_failures = [var.queues, var.topics, var.functions]
}

run "refuses_keys_that_make_no_ids" {
  command = plan

  variables {
    queues = { "a:b" = { arn = "arn:aws:sqs:eu-west-1:123456789012:q" } }
    topics = { "a b" = { arn = "arn:aws:sns:eu-west-1:123456789012:t" } }
    functions = {
      "f2345678901234567890123456789012345678901234567890123456789012345" = {
        arn  = "arn:aws:lambda:eu-west-1:123456789012:function:f"
        name = "f"
      }
    }
  }

  expect_failures = [var.queues, var.topics, var.functions]
}

run "refuses_no_notification_target" {
  command = plan

  expect_failures = [aws_s3_bucket_notification.bucket]
}

run "refuses_an_event_without_its_prefix" {
  command = plan

  variables {
    queues = { a = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", events = ["s3:ObjectRemoved:*", "ObjectCreated:Put"] } }
  }

  expect_failures = [aws_s3_bucket_notification.bucket]
}

run "refuses_a_target_without_events" {
  command = plan

  variables {
    queues = { a = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", events = [] } }
  }

  expect_failures = [aws_s3_bucket_notification.bucket]
}

run "refuses_a_target_without_suffixes" {
  command = plan

  variables {
    queues = { a = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", filter_suffixes = [] } }
  }

  expect_failures = [aws_s3_bucket_notification.bucket]
}

run "refuses_wildcards_in_filters" {
  command = plan

  variables {
    queues = { a = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", filter_suffixes = ["*.csv"] } }
  }

  expect_failures = [aws_s3_bucket_notification.bucket]
}

run "refuses_a_prefix_beyond_s3" {
  command = plan

  variables {
    queues = { a = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", filter_prefix = format("%01025d", 0) } }
  }

  expect_failures = [aws_s3_bucket_notification.bucket]
}

run "refuses_an_id_beyond_s3" {
  command = plan

  variables {
    queues = { a = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", filter_suffixes = [format(".%0247d", 0)] } }
  }

  expect_failures = [aws_s3_bucket_notification.bucket]
}

run "refuses_rule_101" {
  command = plan

  variables {
    topics = { all = { arn = "arn:aws:sns:eu-west-1:123456789012:t", filter_suffixes = [for i in range(101) : format(".%03d", i)] } }
  }

  expect_failures = [aws_s3_bucket_notification.bucket]
}

run "refuses_overlap_of_prefixes_across_kinds" {
  command = plan

  variables {
    queues    = { a = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", filter_prefix = "ingest/" } }
    functions = { b = { arn = "arn:aws:lambda:eu-west-1:123456789012:function:f", name = "f", filter_prefix = "ingest/csv/" } }
  }

  expect_failures = [aws_s3_bucket_notification.bucket]
}

# Rules are compared in the order of their ids: each test of one text within another needs both orders.
run "refuses_overlap_of_prefixes_the_other_way_round" {
  command = plan

  variables {
    queues = { a = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", filter_prefix = "ingest/" } }
    topics = { b = { arn = "arn:aws:sns:eu-west-1:123456789012:t", filter_prefix = "ingest/csv/" } }
  }

  expect_failures = [aws_s3_bucket_notification.bucket]
}

run "refuses_overlap_of_suffixes_the_other_way_round" {
  command = plan

  variables {
    topics = { a = { arn = "arn:aws:sns:eu-west-1:123456789012:t", filter_suffixes = [".csv.gz", ".gz"] } }
  }

  expect_failures = [aws_s3_bucket_notification.bucket]
}

run "refuses_overlap_of_suffixes_in_one_target" {
  command = plan

  variables {
    topics = { a = { arn = "arn:aws:sns:eu-west-1:123456789012:t", filter_suffixes = [".gz", ".tar.gz"] } }
  }

  expect_failures = [aws_s3_bucket_notification.bucket]
}

run "refuses_the_same_event_twice" {
  command = plan

  variables {
    queues = { a = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", events = ["s3:ObjectCreated:Put", "s3:LifecycleTransition"] } }
    topics = { b = { arn = "arn:aws:sns:eu-west-1:123456789012:t", events = ["s3:LifecycleTransition"] } }
  }

  expect_failures = [aws_s3_bucket_notification.bucket]
}

run "refuses_overlap_of_a_wildcard_with_its_event" {
  command = plan

  variables {
    queues = { a = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", events = ["s3:ObjectCreated:Put"] } }
    topics = { b = { arn = "arn:aws:sns:eu-west-1:123456789012:t", events = ["s3:ObjectRemoved:*", "s3:ObjectCreated:*"] } }
  }

  expect_failures = [aws_s3_bucket_notification.bucket]
}

run "refuses_overlap_of_an_event_with_its_wildcard" {
  command = plan

  variables {
    queues = { a = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", events = ["s3:ObjectTagging:*"] } }
    topics = { b = { arn = "arn:aws:sns:eu-west-1:123456789012:t", events = ["s3:ObjectTagging:Delete"] } }
  }

  expect_failures = [aws_s3_bucket_notification.bucket]
}

run "refuses_writing_back_below_a_trigger" {
  command = plan

  variables {
    queues      = { a = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", filter_prefix = "ingest/", events = ["s3:ObjectCreated:Copy"] } }
    writes_back = [{ prefix = "derived/" }, { prefix = "ingest/done/" }]
  }

  expect_failures = [aws_s3_bucket_notification.bucket]
}

run "refuses_writing_back_above_a_trigger_with_its_ending" {
  command = plan

  variables {
    queues = {
      a = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", filter_prefix = "ingest/csv/", filter_suffixes = [".txt", ".csv"] }
    }
    writes_back = [{ prefix = "ingest/", suffix = ".rejected.csv" }]
  }

  expect_failures = [aws_s3_bucket_notification.bucket]
}

run "refuses_writing_back_with_an_ending_that_takes_in_the_trigger_s" {
  command = plan

  variables {
    queues      = { a = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", filter_prefix = "ingest/", filter_suffixes = [".tar.gz"] } }
    writes_back = [{ prefix = "ingest/", suffix = ".gz" }]
  }

  expect_failures = [aws_s3_bucket_notification.bucket]
}

run "refuses_a_target_in_another_region" {
  command = plan

  variables {
    queues = { a = { arn = "arn:aws:sqs:eu-west-1:123456789012:q", filter_suffixes = [".csv"] } }
    topics = { b = { arn = "arn:aws:sns:us-east-1:123456789012:t", filter_suffixes = [".txt"] } }
  }

  expect_failures = [aws_s3_bucket_notification.bucket]
}
