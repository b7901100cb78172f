mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  bucket = "example-uploads"
}

run "every_kind_of_target_gets_its_rules_and_functions_their_permission" {
  command = plan

  variables {
    eventbridge = true
    queues = {
      audit = {
        arn           = "arn:aws:sqs:eu-west-1:123456789012:audit"
        events        = ["s3:ObjectRemoved:*", "s3:ObjectTagging:Put"]
        filter_prefix = "ingest/"
      }
    }
    topics = {
      images = {
        arn             = "arn:aws:sns:eu-west-1:123456789012:images"
        filter_prefix   = "ingest/"
        filter_suffixes = [".jpg", ".JPG", ".jpg"]
      }
    }
    functions = {
      csv = {
        arn             = "arn:aws:lambda:eu-west-1:123456789012:function:split-csv"
        name            = "split-csv"
        filter_prefix   = "ingest/"
        filter_suffixes = [".csv"]
      }
      orders = {
        arn           = "arn:aws:lambda:eu-west-1:123456789012:function:split-orders:live"
        name          = "split-orders"
        filter_prefix = "orders/"
        events        = ["s3:ObjectRestore:Completed"]
      }
    }
    writes_back = [{ prefix = "derived/" }, { prefix = "ingest/", suffix = ".log" }]
  }

  assert {
    condition = output.rules == {
      "queue:audit" = {
        kind          = "queue"
        target_arn    = "arn:aws:sqs:eu-west-1:123456789012:audit"
        events        = tolist(["s3:ObjectRemoved:*", "s3:ObjectTagging:Put"])
        filter_prefix = "ingest/"
        filter_suffix = ""
      }
      "topic:images:.jpg" = {
        kind          = "topic"
        target_arn    = "arn:aws:sns:eu-west-1:123456789012:images"
        events        = tolist(["s3:ObjectCreated:*"])
        filter_prefix = "ingest/"
        filter_suffix = ".jpg"
      }
      "topic:images:.JPG" = {
        kind          = "topic"
        target_arn    = "arn:aws:sns:eu-west-1:123456789012:images"
        events        = tolist(["s3:ObjectCreated:*"])
        filter_prefix = "ingest/"
        filter_suffix = ".JPG"
      }
      "function:csv:.csv" = {
        kind          = "function"
        target_arn    = "arn:aws:lambda:eu-west-1:123456789012:function:split-csv"
        events        = tolist(["s3:ObjectCreated:*"])
        filter_prefix = "ingest/"
        filter_suffix = ".csv"
      }
      "function:orders" = {
        kind          = "function"
        target_arn    = "arn:aws:lambda:eu-west-1:123456789012:function:split-orders:live"
        events        = tolist(["s3:ObjectRestore:Completed"])
        filter_prefix = "orders/"
        filter_suffix = ""
      }
    }
    error_message = "Each suffix must make one rule, once, with an id made of kind, key and suffix."
  }
  assert {
    condition = [
      for rule in aws_s3_bucket_notification.bucket.queue : [rule.id, rule.queue_arn, rule.events, rule.filter_prefix, rule.filter_suffix]
      ] == [
      ["queue:audit", "arn:aws:sqs:eu-west-1:123456789012:audit", toset(["s3:ObjectRemoved:*", "s3:ObjectTagging:Put"]), "ingest/", ""],
    ]
    error_message = "The queue's rule must have all settings."
  }
  assert {
    condition = [
      for rule in aws_s3_bucket_notification.bucket.topic : [rule.id, rule.topic_arn, rule.events, rule.filter_prefix, rule.filter_suffix]
      ] == [
      ["topic:images:.JPG", "arn:aws:sns:eu-west-1:123456789012:images", toset(["s3:ObjectCreated:*"]), "ingest/", ".JPG"],
      ["topic:images:.jpg", "arn:aws:sns:eu-west-1:123456789012:images", toset(["s3:ObjectCreated:*"]), "ingest/", ".jpg"],
    ]
    error_message = "The topic's rules must have all settings, in the order of their ids."
  }
  assert {
    condition = [
      for rule in aws_s3_bucket_notification.bucket.lambda_function :
      [rule.id, rule.lambda_function_arn, rule.events, rule.filter_prefix, rule.filter_suffix]
      ] == [
      ["function:csv:.csv", "arn:aws:lambda:eu-west-1:123456789012:function:split-csv", toset(["s3:ObjectCreated:*"]), "ingest/", ".csv"],
      [
        "function:orders", "arn:aws:lambda:eu-west-1:123456789012:function:split-orders:live",
        toset(["s3:ObjectRestore:Completed"]), "orders/", "",
      ],
    ]
    error_message = "The functions' rules must have all settings."
  }
  assert {
    condition     = aws_s3_bucket_notification.bucket.bucket == "example-uploads" && aws_s3_bucket_notification.bucket.eventbridge
    error_message = "The notification must be the bucket's, and switch EventBridge on."
  }
  assert {
    condition = jsonencode([for key, permission in aws_lambda_permission.bucket : [
      permission.function_name, permission.qualifier, permission.action, permission.principal, permission.source_arn,
      permission.source_account,
      ]]) == jsonencode([
      ["split-csv", null, "lambda:InvokeFunction", "s3.amazonaws.com", "arn:aws:s3:::example-uploads", "123456789012"],
      ["split-orders", "live", "lambda:InvokeFunction", "s3.amazonaws.com", "arn:aws:s3:::example-uploads", "123456789012"],
    ])
    error_message = "Each function must permit exactly this bucket of this account, on the alias that is called."
  }
  assert {
    condition     = output.bucket == "example-uploads"
    error_message = "The output must be the bucket's name."
  }
}

run "eventbridge_alone_is_enough" {
  command = plan

  variables {
    eventbridge = true
  }

  assert {
    condition     = length(output.rules) == 0 && aws_s3_bucket_notification.bucket.eventbridge && length(aws_lambda_permission.bucket) == 0
    error_message = "Without targets there must be neither rules nor permissions."
  }
}

run "one_function_can_serve_two_buckets" {
  command = plan

  variables {
    bucket    = "example-archive"
    functions = { csv = { arn = "arn:aws:lambda:eu-west-1:123456789012:function:split-csv", name = "split-csv" } }
  }

  assert {
    condition     = aws_lambda_permission.bucket["csv"].statement_id == "bucket-notification-csv-${substr(md5("example-archive"), 0, 8)}"
    error_message = "The statement's id must differ by bucket, or the second would replace the first."
  }
}
