# ingest/cat.jpg -> bucket notification -> topic -> a queue per derivative -> function -> derived/<name>/cat.jpg.jpg (or .webp, .avif, .png)

locals {
  name       = "${var.name_prefix}-image"
  bucket     = "${local.name}-${local.account_id}-${local.region}"
  bucket_arn = module.bucket.bucket_arn_static

  # S3's suffixes are case-sensitive: .jpg, .JPG and .Jpg are three filters.
  extension_cases = flatten([
    for extension in var.extensions : [
      for letters in setproduct([for letter in split("", extension) : distinct([letter, upper(letter)])]...) : ".${join("", letters)}"
    ]
  ])

  # Extensions in lower case; none if the content decides.
  endings = var.suffixes == "all" ? [] : [for extension in var.extensions : ".${extension}"]

  # Entries for the bucket's notification: that of this pipeline, or of the bucket's owner.
  notified_topics = {
    uploads = {
      arn             = module.topic.topic_arn
      filter_prefix   = var.source_prefix
      filter_suffixes = length(local.endings) == 0 ? [""] : sort(local.extension_cases)
    }
  }

  by_rule      = try(var.source_bucket.via, "s3") == "eventbridge"
  topic_sender = { topic = { service = "sns", source_arn = module.topic.topic_arn_static } }

  # Derivatives lie below the name of the source bucket, since two buckets may have the same key.
  source_settings = merge(module.source.settings, var.source_bucket == null ? {} : {
    OUTPUT_BUCKET   = local.bucket
    SOURCE_SUFFIXES = join(",", sort(local.endings))
  })

  # Includes name_prefix, so that the commands in the descriptions find this stack.
  alarm = var.alarm == null ? null : { actions = var.alarm.actions, name_prefix = var.name_prefix }
}

module "source" {
  source = "../../modules/source-bucket"

  name          = "${local.name}-source"
  source_bucket = var.source_bucket
  own_bucket    = local.bucket
  key_prefix    = var.source_prefix
  key_suffixes  = local.endings
  role_arns     = [for name in keys(var.derivatives) : module.function[name].role.arn]
  tags          = var.tags
  queues        = { for name in keys(var.derivatives) : name => { name = "${local.name}-${name}", dlq_name = "${local.name}-${name}-dlq" } }
}

module "notification" {
  source = "../../modules/bucket-notification"
  count  = var.source_bucket == null ? 1 : 0

  topics      = local.notified_topics
  bucket      = module.bucket.bucket.name
  writes_back = [for prefix in [var.output_prefix, var.rejections_prefix] : { prefix = prefix }]
}

module "topic" {
  source = "../../modules/sns-filtered-fanout"

  name              = "${local.name}-uploads"
  publishers        = module.source.senders
  subscriptions     = { for name, queue in module.queue : name => queue.subscription }
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
  senders           = merge(local.topic_sender, module.source.rule_senders[each.key])
  dlq_senders       = merge(local.topic_sender, module.source.rule_senders[each.key])
  alarm             = one([for alarm in local.alarm[*] : merge(alarm, { age_seconds = var.late_after_seconds })])
  kms_key           = var.kms_key
  tags              = var.tags
}

module "function" {
  source   = "../../modules/lambda-consumer"
  for_each = var.derivatives

  name = "${local.name}-${each.key}"
  description = join(" ", [
    "Makes the ${each.key} (${each.value.format}, at most ${each.value.max_width}x${each.value.max_height}) of every picture uploaded",
    "below ${var.source_prefix}",
  ])
  package              = var.package
  code_bucket          = var.code_bucket
  trust_source_account = var.trust_source_account

  memory_size_mb      = var.function.memory_size_mb
  timeout_seconds     = var.function.timeout_seconds
  vpc                 = var.vpc
  queue               = module.queue[each.key].queue
  batch_size          = var.function.batch_size
  maximum_concurrency = var.function.maximum_concurrency
  log_retention_days  = var.log_retention_days
  alarm               = local.alarm
  kms_key             = var.kms_key
  tags                = var.tags
  policies            = local.policies[each.key]
  key_uses            = ["write_objects"]

  permissions_boundary_arn = var.permissions_boundary_arn
  iam_path                 = var.iam_path

  environment = merge(local.source_settings, {
    STACK                        = var.name_prefix
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
  })
}
