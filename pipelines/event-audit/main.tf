# an object changes -> bucket notification -> topic -> the queue of the route that names the event, or
# `other` -> function -> a log line, and with a trail an item in a table

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  # Provider 5 has no `region` attribute here, provider 6 deprecates the others.
  region     = lookup(data.aws_region.current, "region", data.aws_region.current.id)
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition

  name              = "${var.name_prefix}-audit"
  bucket            = "${local.name}-${local.account_id}-${local.region}"
  rejections_bucket = "${local.name}-rejections-${local.account_id}-${local.region}"
  trail_table       = "${local.name}-trail"
  trail_table_arn   = "arn:${local.partition}:dynamodb:${local.region}:${local.account_id}:table/${local.trail_table}"

  bucket_arns = {
    watched    = "arn:${local.partition}:s3:::${local.bucket}"
    rejections = "arn:${local.partition}:s3:::${local.rejections_bucket}"
  }

  # The families that S3 takes with an asterisk, and the events that have none.
  event_families = {
    LifecycleExpiration = ["Delete", "DeleteMarkerCreated"]
    ObjectAnnotation    = ["Delete", "Put"]
    ObjectCreated       = ["CompleteMultipartUpload", "Copy", "Post", "Put"]
    ObjectRemoved       = ["Delete", "DeleteMarkerCreated"]
    ObjectRestore       = ["Completed", "Delete", "Post"]
    ObjectTagging       = ["Delete", "Put"]
    Replication         = ["OperationFailedReplication", "OperationMissedThreshold", "OperationNotTracked", "OperationReplicatedAfterThreshold"]
  }
  single_events = ["IntelligentTiering", "LifecycleTransition", "ObjectAcl:Put", "ObjectRetention:Put", "ReducedRedundancyLostObject"]

  # What may be written in `routes` and `events`, and the names inside messages that it stands for.
  event_names = merge({ for event in local.single_events : event => [event] }, [
    for family, kinds in local.event_families : merge(
      { "${family}:*" = [for kind in kinds : "${family}:${kind}"] },
      { for kind in kinds : "${family}:${kind}" => ["${family}:${kind}"] },
    )
  ]...)

  route_events = {
    for route, settings in var.routes : route => sort(distinct(flatten([for event in settings.events : local.event_names[event]])))
  }
  routed_events  = sort(distinct(flatten(values(local.route_events))))
  watched_events = distinct(flatten([for event in var.events : local.event_names[event]]))

  contested_events = {
    for event in local.routed_events : event => [for route, events in local.route_events : route if contains(events, event)]
    if length([for events in values(local.route_events) : events if contains(events, event)]) > 1
  }
  unwatched_events = setsubtract(local.routed_events, local.watched_events)

  routes = merge(
    {
      for route, events in local.route_events : route => {
        events        = events
        catch_all     = false
        filter_policy = jsonencode({ Records = { eventName = events } })
      }
    },
    {
      # Names only, no prefixes: SNS takes one kind of comparison in one anything-but, and this must
      # be the exact opposite of all routes together.
      other = {
        events        = local.routed_events
        catch_all     = true
        filter_policy = jsonencode({ Records = { eventName = [{ "anything-but" = local.routed_events }] } })
      }
    },
  )

  # With the prefix, so that the descriptions name commands that find this stack.
  alarm = var.alarm == null ? null : { actions = var.alarm.actions, name_prefix = var.name_prefix }

  # Nobody uses the key himself: a service does for him, with his permission and for nothing else.
  key_statements = {
    for use, terms in {
      objects = { sid = "UseKeyOfObjects", service = "s3", actions = ["kms:Decrypt", "kms:GenerateDataKey"] }
      items   = { sid = "UseKeyOfItems", service = "dynamodb", actions = local.table_key_actions }
      } : use => [
      for key in var.kms_key[*] : {
        Sid       = terms.sid
        Effect    = "Allow"
        Action    = terms.actions
        Resource  = key.arn
        Condition = { StringEquals = { "kms:ViaService" = "${terms.service}.${local.region}.${data.aws_partition.current.dns_suffix}" } }
      }
    ]
  }

  # What DynamoDB asks of whoever reads and writes, after
  # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html, and without
  # kms:CreateGrant, which is for whoever makes the table.
  table_key_actions = [
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
  ]
}

resource "aws_s3_bucket" "watched" {
  bucket        = local.bucket
  force_destroy = var.force_destroy_buckets
  tags          = var.tags

  lifecycle {
    precondition {
      condition     = length(local.contested_events) == 0
      error_message = "Every event belongs to one route, or it would be logged twice: ${join("; ", [for event, routes in local.contested_events : "${event} is in ${join(" and ", routes)}"])}. Take it out of all but one of routes."
    }
    precondition {
      condition     = length(local.unwatched_events) == 0
      error_message = "routes names what events does not watch: ${join(", ", local.unwatched_events)}. Add them to events, or take them out of routes: a queue would wait for them for ever."
    }
  }
}

# Apart from the watched bucket, where every record written would be an event of its own.
resource "aws_s3_bucket" "rejections" {
  bucket        = local.rejections_bucket
  force_destroy = var.force_destroy_buckets
  tags          = var.tags

  lifecycle {
    # The longer of the two names.
    precondition {
      condition     = length(local.rejections_bucket) <= 63
      error_message = "The bucket name ${local.rejections_bucket} has ${length(local.rejections_bucket)} characters and S3 allows 63: shorten name_prefix."
    }
  }
}

locals {
  bucket_names = {
    watched    = aws_s3_bucket.watched.id
    rejections = aws_s3_bucket.rejections.id
  }
}

resource "aws_s3_bucket_versioning" "bucket" {
  for_each = local.bucket_names

  bucket = each.value

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "bucket" {
  for_each = local.bucket_names

  bucket = each.value

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "bucket" {
  for_each = local.bucket_names

  bucket = each.value

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "bucket" {
  for_each = local.bucket_names

  bucket = each.value

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key == null ? "AES256" : "aws:kms"
      kms_master_key_id = one(var.kms_key[*].arn)
    }
    # One key for many objects, made once in a while, instead of a call to KMS for every object.
    bucket_key_enabled = var.kms_key == null ? null : true
  }
}

resource "aws_s3_bucket_policy" "bucket" {
  for_each = local.bucket_names

  bucket = each.value
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyPlainHttp"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.bucket_arns[each.key], "${local.bucket_arns[each.key]}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # S3 answers a policy change with a conflict while the public access block is being written.
  depends_on = [aws_s3_bucket_public_access_block.bucket]
}

resource "aws_s3_bucket_lifecycle_configuration" "bucket" {
  for_each = local.bucket_names

  bucket = each.value

  # What people keep in the watched bucket is theirs: only what they can no longer see goes.
  dynamic "rule" {
    for_each = each.key == "rejections" ? [var.lifecycle_days.rejections] : []
    content {
      id     = "expire-rejection-records"
      status = "Enabled"
      filter {}
      expiration {
        days = rule.value
      }
    }
  }

  rule {
    id     = "remove-leftovers"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = var.lifecycle_days.noncurrent
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = var.lifecycle_days.incomplete_upload
    }
    expiration {
      expired_object_delete_marker = true
    }
  }

  # Rules about older versions mean nothing before versions exist.
  depends_on = [aws_s3_bucket_versioning.bucket]
}

module "notification" {
  source = "../../modules/bucket-notification"

  bucket = aws_s3_bucket.watched.id
  topics = {
    audit = {
      arn    = module.topic.topic_arn
      events = [for event in sort(var.events) : "s3:${event}"]
    }
  }
}

module "topic" {
  source = "../../modules/sns-filtered-fanout"

  name = "${local.name}-events"
  publishers = {
    bucket = { service = "s3", source_arn = local.bucket_arns.watched }
  }
  subscriptions = {
    for route, queue in module.queue : route => {
      queue_arn     = queue.queue.arn
      filter_policy = local.routes[route].filter_policy
      dlq           = { arn = queue.dlq.arn }
    }
  }
  email_subscribers = var.email_subscribers
  kms_key           = var.kms_key
  tags              = var.tags
}

module "queue" {
  source   = "../../modules/sqs-with-dlq"
  for_each = local.routes

  name = "${local.name}-${each.key}"
  consumer = {
    timeout_seconds         = var.function.timeout_seconds
    batching_window_seconds = var.function.batching_window_seconds
  }
  max_receive_count = var.max_receive_count
  senders           = { topic = { service = "sns", source_arn = module.topic.topic_arn_static } }
  dlq_senders       = { topic = { service = "sns", source_arn = module.topic.topic_arn_static } }
  alarm = var.alarm == null ? null : {
    actions     = var.alarm.actions
    age_seconds = var.late_after_seconds
    name_prefix = var.name_prefix
  }
  kms_key = var.kms_key
  tags    = var.tags
}

module "function" {
  source   = "../../modules/lambda-consumer"
  for_each = local.routes

  name = "${local.name}-${each.key}"
  description = (
    each.value.catch_all
    ? "Logs every event of ${local.bucket} that no route names"
    : "Logs the events of ${local.bucket} that route ${each.key} names"
  )
  package      = var.package
  code_bucket  = var.code_bucket
  handler      = var.package.handler
  runtime      = var.package.runtime
  architecture = var.package.architecture

  memory_size_mb          = var.function.memory_size_mb
  timeout_seconds         = var.function.timeout_seconds
  queue                   = module.queue[each.key].queue
  batch_size              = var.function.batch_size
  batching_window_seconds = var.function.batching_window_seconds
  maximum_concurrency     = var.function.maximum_concurrency
  log_retention_days      = var.log_retention_days
  alarm                   = local.alarm
  kms_key                 = var.kms_key
  tags                    = var.tags

  environment = merge(
    {
      PIPELINE                     = "event-audit"
      POWERTOOLS_SERVICE_NAME      = "log_object_event"
      POWERTOOLS_METRICS_NAMESPACE = "EventPipelines"
      ROUTE                        = each.key
      REJECTIONS_BUCKET            = aws_s3_bucket.rejections.bucket
      REJECTIONS_PREFIX            = "${each.key}/"

      # The filter passes a message for one of its records; the function looks at each.
      (each.value.catch_all ? "ROUTE_EXCEPT" : "ROUTE_EVENTS") = join(",", each.value.events)
    },
    var.trail == null ? {} : {
      TRAIL_TABLE          = one(aws_dynamodb_table.trail[*].name)
      TRAIL_RETENTION_DAYS = tostring(var.trail.retention_days)
    },
  )

  policies = merge(
    {
      rejections = jsonencode({
        Version = "2012-10-17"
        Statement = concat([{
          Sid      = "RecordRejections"
          Effect   = "Allow"
          Action   = "s3:PutObject"
          Resource = "${local.bucket_arns.rejections}/${each.key}/*"
        }], local.key_statements.objects)
      })
    },
    var.trail == null ? {} : {
      trail = jsonencode({
        Version = "2012-10-17"
        Statement = concat([{
          # The query is for newer events of the same object, which make this one late.
          Sid      = "KeepTrail"
          Effect   = "Allow"
          Action   = ["dynamodb:PutItem", "dynamodb:Query"]
          Resource = local.trail_table_arn
        }], local.key_statements.items)
      })
    },
  )
}

# One item per event of an object, in the order in which S3 numbered them, and again by the hour.
resource "aws_dynamodb_table" "trail" {
  count = var.trail == null ? 0 : 1

  name                        = local.trail_table
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = var.trail.deletion_protection
  tags                        = var.tags

  hash_key  = "object"
  range_key = "event"

  attribute {
    name = "object"
    type = "S"
  }
  attribute {
    name = "event"
    type = "S"
  }
  attribute {
    name = "hour"
    type = "S"
  }
  attribute {
    name = "event_time"
    type = "S"
  }

  global_secondary_index {
    name            = "by_hour"
    hash_key        = "hour"
    range_key       = "event_time"
    projection_type = "ALL"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  dynamic "server_side_encryption" {
    for_each = var.kms_key[*]
    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value.arn
    }
  }

  point_in_time_recovery {
    enabled = true
  }
}

# --- Alarms beside those of the queues and functions

resource "aws_cloudwatch_metric_alarm" "rejected" {
  count = var.alarm == null ? 0 : 1

  alarm_name = "${local.name}-rejections"
  alarm_description = join(" ", [
    "${var.alarm.rejections} or more messages within 5 minutes were no object events: something other than ${local.bucket} sends to the topic or its queues.",
    "No event is missing for it. Run `event-pipelines audit tail --prefix ${var.name_prefix}` to see that events still arrive,",
    "and `aws s3 ls --recursive s3://${local.rejections_bucket}` for the messages.",
  ])

  namespace   = "EventPipelines"
  metric_name = "Rejected"
  dimensions  = { pipeline = "event-audit" }
  statistic   = "Sum"
  period      = 300

  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.alarm.rejections
  evaluation_periods  = 1
  # Functions count nothing while they have nothing to do.
  treat_missing_data = "notBreaching"

  alarm_actions = var.alarm.actions
  ok_actions    = var.alarm.actions

  tags = var.tags
}
