# ingest/cat.jpg -> bucket notification -> topic -> a queue per derivative -> function -> derived/<name>/cat.jpg.jpg (or .webp, .avif, .png)

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  # Provider 5 has no `region` attribute here, provider 6 deprecates the others.
  region     = lookup(data.aws_region.current, "region", data.aws_region.current.id)
  account_id = data.aws_caller_identity.current.account_id

  name       = "${var.name_prefix}-image"
  bucket     = "${local.name}-${local.account_id}-${local.region}"
  bucket_arn = "arn:${data.aws_partition.current.partition}:s3:::${local.bucket}"

  # S3 compares suffixes case by case: .jpg, .JPG and .Jpg are three filters.
  extension_cases = flatten([
    for extension in var.extensions : [
      for letters in setproduct([for letter in split("", extension) : distinct([letter, upper(letter)])]...) : ".${join("", letters)}"
    ]
  ])

  # With the prefix, so that the descriptions name commands that find this stack.
  alarm = var.alarm == null ? null : { actions = var.alarm.actions, name_prefix = var.name_prefix }

  # Nobody uses the key himself: a service does for him, with his permission and for nothing else.
  key_statements = {
    for use, terms in {
      objects = { sid = "UseKeyOfObjects", service = "s3", actions = ["kms:Decrypt", "kms:GenerateDataKey"] }
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
}

resource "aws_s3_bucket" "images" {
  bucket        = local.bucket
  force_destroy = var.force_destroy_bucket
  tags          = var.tags

  lifecycle {
    precondition {
      condition     = length(local.bucket) <= 63
      error_message = "The bucket name ${local.bucket} has ${length(local.bucket)} characters and S3 allows 63: shorten name_prefix."
    }
    precondition {
      condition = alltrue([
        for pair in setproduct([var.source_prefix], [var.output_prefix, var.rejections_prefix]) :
        !startswith(pair[0], pair[1]) && !startswith(pair[1], pair[0])
      ])
      error_message = "output_prefix and rejections_prefix must lie outside source_prefix (${var.source_prefix}) and not contain it: what the functions write would start them again."
    }
    precondition {
      condition     = !startswith(var.output_prefix, var.rejections_prefix) && !startswith(var.rejections_prefix, var.output_prefix)
      error_message = "output_prefix (${var.output_prefix}) and rejections_prefix (${var.rejections_prefix}) must not lie inside each other."
    }
  }
}

resource "aws_s3_bucket_versioning" "images" {
  bucket = aws_s3_bucket.images.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "images" {
  bucket = aws_s3_bucket.images.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "images" {
  bucket = aws_s3_bucket.images.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "images" {
  bucket = aws_s3_bucket.images.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key == null ? "AES256" : "aws:kms"
      kms_master_key_id = one(var.kms_key[*].arn)
    }
    # One key for many objects, made once in a while, instead of a call to KMS for every object.
    bucket_key_enabled = var.kms_key == null ? null : true
  }
}

resource "aws_s3_bucket_policy" "images" {
  bucket = aws_s3_bucket.images.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyPlainHttp"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # S3 answers a policy change with a conflict while the public access block is being written.
  depends_on = [aws_s3_bucket_public_access_block.images]
}

resource "aws_s3_bucket_lifecycle_configuration" "images" {
  bucket = aws_s3_bucket.images.id

  dynamic "rule" {
    for_each = var.lifecycle_days.ingest[*]

    content {
      id     = "expire-uploads"
      status = "Enabled"
      filter {
        prefix = var.source_prefix
      }
      expiration {
        days = rule.value
      }
    }
  }

  rule {
    id     = "expire-rejection-records"
    status = "Enabled"
    filter {
      prefix = var.rejections_prefix
    }
    expiration {
      days = var.lifecycle_days.rejections
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
  depends_on = [aws_s3_bucket_versioning.images]
}

module "notification" {
  source = "../../modules/bucket-notification"

  bucket = aws_s3_bucket.images.id
  topics = {
    uploads = {
      arn             = module.topic.topic_arn
      filter_prefix   = var.source_prefix
      filter_suffixes = length(var.extensions) == 0 ? [""] : sort(local.extension_cases)
    }
  }
  writes_back = [for prefix in [var.output_prefix, var.rejections_prefix] : { prefix = prefix }]
}

module "topic" {
  source = "../../modules/sns-filtered-fanout"

  name = "${local.name}-uploads"
  publishers = {
    bucket = { service = "s3", source_arn = local.bucket_arn }
  }
  subscriptions = {
    for name, queue in module.queue : name => {
      queue_arn = queue.queue.arn
      dlq       = { arn = queue.dlq.arn }
    }
  }
  email_subscribers = var.email_subscribers
  kms_key           = var.kms_key
  tags              = var.tags
}

module "queue" {
  source   = "../../modules/sqs-with-dlq"
  for_each = var.derivatives

  name              = "${local.name}-${each.key}"
  consumer          = { timeout_seconds = var.function.timeout_seconds }
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
  for_each = var.derivatives

  name         = "${local.name}-${each.key}"
  description  = "Makes the ${each.key} (${each.value.format}, at most ${each.value.max_width}x${each.value.max_height}) of every picture uploaded below ${var.source_prefix}"
  package      = var.package
  code_bucket  = var.code_bucket
  handler      = var.package.handler
  runtime      = var.package.runtime
  architecture = var.package.architecture

  memory_size_mb      = var.function.memory_size_mb
  timeout_seconds     = var.function.timeout_seconds
  queue               = module.queue[each.key].queue
  batch_size          = var.function.batch_size
  maximum_concurrency = var.function.maximum_concurrency
  log_retention_days  = var.log_retention_days
  alarm               = local.alarm
  kms_key             = var.kms_key
  tags                = var.tags

  environment = {
    PIPELINE                     = "image-derivatives"
    POWERTOOLS_SERVICE_NAME      = "create_image_derivative"
    POWERTOOLS_METRICS_NAMESPACE = "EventPipelines"
    DERIVATIVE                   = each.key
    MAX_WIDTH                    = tostring(each.value.max_width)
    MAX_HEIGHT                   = tostring(each.value.max_height)
    ALLOWED_FORMATS              = join(",", sort(var.allowed_formats))
    FORMAT                       = each.value.format
    QUALITY                      = each.value.quality == null ? "" : tostring(each.value.quality)
    FIT                          = each.value.fit
    POSITION                     = each.value.position
    BACKGROUND                   = each.value.background == null ? "" : each.value.background
    CACHE_CONTROL                = each.value.cache_control
    MAX_PIXELS                   = format("%d", var.limits.max_pixels)
    MAX_SOURCE_BYTES             = format("%d", var.limits.max_source_bytes)
    MIN_SIDE                     = format("%d", var.limits.min_side)
    TOLERATE                     = var.tolerate
    SOURCE_PREFIX                = var.source_prefix
    OUTPUT_PREFIX                = "${var.output_prefix}${each.key}/"
    REJECTIONS_PREFIX            = "${var.rejections_prefix}${each.key}/"
    REJECTIONS_BUCKET            = local.bucket
  }

  policies = {
    images = jsonencode({
      Version = "2012-10-17"
      Statement = concat([
        {
          Sid      = "ReadUploads"
          Effect   = "Allow"
          Action   = "s3:GetObject"
          Resource = "${local.bucket_arn}/${var.source_prefix}*"
        },
        {
          # Reading its own derivative back is what makes a repeated or late event harmless.
          Sid      = "KeepDerivatives"
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:PutObject"]
          Resource = "${local.bucket_arn}/${var.output_prefix}${each.key}/*"
        },
        {
          Sid      = "RecordRejections"
          Effect   = "Allow"
          Action   = "s3:PutObject"
          Resource = "${local.bucket_arn}/${var.rejections_prefix}${each.key}/*"
        },
        {
          # Without it S3 answers 403 instead of 404 for a missing key, and a deleted upload would
          # look like a broken permission. No condition on the prefix: what S3 compares with it when
          # it makes this choice is not documented.
          Sid      = "TellMissingFromForbidden"
          Effect   = "Allow"
          Action   = "s3:ListBucket"
          Resource = local.bucket_arn
        },
      ], local.key_statements.objects)
    })
  }
}

# --- Alarms beside those of the queues and functions

resource "aws_cloudwatch_metric_alarm" "rejected" {
  count = var.alarm == null ? 0 : 1

  alarm_name = "${local.name}-rejections"
  alarm_description = join(" ", [
    "${var.alarm.rejections} or more derivatives were refused within 5 minutes: their pictures are broken, too large, or not what they are named.",
    "Nothing tries them again, for it would end the same way: a record of each says why.",
    "Run `event-pipelines queues list --prefix ${var.name_prefix}` to see that nothing else is wrong,",
    "and `aws s3 ls --recursive s3://${local.bucket}/${var.rejections_prefix}` for the records; upload a mended picture under the same key.",
  ])

  namespace   = "EventPipelines"
  metric_name = "Rejected"
  dimensions  = { pipeline = "image-derivatives" }
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
