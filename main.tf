provider "aws" {
  region            = var.region
  s3_use_path_style = var.s3_use_path_style

  default_tags {
    tags = merge({ "event-pipelines" = var.name_prefix }, var.tags)
  }
}

locals {
  # What build.sh wrote beside the zips. Runtime and architecture come from there and nowhere else,
  # so that a function always runs on what its wheels were built for.
  manifest = jsondecode(file("${var.package_directory}/manifest.json"))

  packages = {
    for name, function in local.manifest.functions : name => {
      path         = "${var.package_directory}/${function.package}"
      handler      = function.handler
      content_hash = function.content_hash
      size_bytes   = function.size_bytes
      runtime      = local.manifest.runtime
      architecture = local.manifest.architecture
      extras       = try(function.extras, [])
    }
  }
}

module "image_derivatives" {
  source = "./pipelines/image-derivatives"
  count  = contains(var.pipelines, "image-derivatives") ? 1 : 0

  name_prefix          = var.name_prefix
  package              = local.packages["create_image_derivative"]
  code_bucket          = var.code_bucket
  trust_source_account = var.trust_source_account

  source_bucket      = var.image_derivatives.source_bucket
  derivatives        = var.image_derivatives.derivatives
  extensions         = var.image_derivatives.extensions
  suffixes           = var.image_derivatives.suffixes
  allowed_formats    = var.image_derivatives.allowed_formats
  tolerate           = var.image_derivatives.tolerate
  limits             = var.image_derivatives.limits
  lifecycle_days     = var.image_derivatives.lifecycle_days
  function           = var.image_derivatives.function
  max_receive_count  = var.image_derivatives.max_receive_count
  late_after_seconds = var.image_derivatives.late_after_seconds
  email_subscribers  = var.image_derivatives.email_subscribers

  alarm                = local.alarm
  kms_key              = var.kms_key
  log_retention_days   = var.log_retention_days
  force_destroy_bucket = var.force_destroy_buckets

  permissions_boundary_arn = var.permissions_boundary_arn
  iam_path                 = var.iam_path
  vpc                      = var.vpc
}

module "event_audit" {
  source = "./pipelines/event-audit"
  count  = contains(var.pipelines, "event-audit") ? 1 : 0

  name_prefix          = var.name_prefix
  package              = local.packages["log_object_event"]
  code_bucket          = var.code_bucket
  trust_source_account = var.trust_source_account

  source_bucket      = var.event_audit.source_bucket
  routes             = var.event_audit.routes
  events             = var.event_audit.events
  trail              = var.event_audit.trail
  function           = var.event_audit.function
  max_receive_count  = var.event_audit.max_receive_count
  late_after_seconds = var.event_audit.late_after_seconds
  email_subscribers  = var.event_audit.email_subscribers

  alarm                 = local.alarm
  kms_key               = var.kms_key
  log_retention_days    = var.log_retention_days
  force_destroy_buckets = var.force_destroy_buckets

  permissions_boundary_arn = var.permissions_boundary_arn
  iam_path                 = var.iam_path
  vpc                      = var.vpc
}

module "csv_import" {
  source = "./pipelines/csv-import"
  count  = contains(var.pipelines, "csv-import") ? 1 : 0

  name_prefix = var.name_prefix
  packages = {
    split = local.packages["split_csv"]
    load  = local.packages["load_csv_rows"]
  }
  code_bucket          = var.code_bucket
  trust_source_account = var.trust_source_account

  source_bucket         = var.csv_import.source_bucket
  dialect               = var.csv_import.dialect
  columns               = var.csv_import.columns
  unknown_columns       = var.csv_import.unknown_columns
  key_columns           = var.csv_import.key_columns
  write_mode            = var.csv_import.write_mode
  defaults              = var.csv_import.defaults
  expires_after_days    = var.csv_import.expires_after_days
  rows_per_message      = var.csv_import.rows_per_message
  max_rejected_percent  = var.csv_import.max_rejected_percent
  pace                  = var.csv_import.pace
  expected_rows         = var.csv_import.expected_rows
  table                 = var.csv_import.table
  split                 = var.csv_import.split
  load                  = var.csv_import.load
  ledger                = var.csv_import.ledger
  lifecycle_days        = var.csv_import.lifecycle_days
  notices               = var.csv_import.notices
  max_receive_count     = var.csv_import.max_receive_count
  late_after_seconds    = var.csv_import.late_after_seconds
  stalled_after_seconds = var.csv_import.stalled_after_seconds

  alarm                = local.alarm
  kms_key              = var.kms_key
  log_retention_days   = var.log_retention_days
  force_destroy_bucket = var.force_destroy_buckets

  permissions_boundary_arn = var.permissions_boundary_arn
  iam_path                 = var.iam_path
  vpc                      = var.vpc
}

module "tenant_routing" {
  source = "./pipelines/tenant-routing"
  count  = contains(var.pipelines, "tenant-routing") ? 1 : 0

  name_prefix = var.name_prefix
  packages = {
    route   = local.packages["route_tenant_event"]
    process = local.packages["process_tenant_file"]
  }
  code_bucket          = var.code_bucket
  trust_source_account = var.trust_source_account

  queue_mode   = var.tenant_routing.queue_mode
  cache        = var.tenant_routing.cache
  router       = var.tenant_routing.router
  consumer     = var.tenant_routing.consumer
  queues       = var.tenant_routing.queues
  group_bucket = var.tenant_routing.group_bucket
  group_access = var.tenant_routing.group_access
  registry     = var.tenant_routing.registry

  alarm              = local.alarm
  kms_key            = var.kms_key
  log_retention_days = var.log_retention_days

  permissions_boundary_arn = var.permissions_boundary_arn
  iam_path                 = var.iam_path
  vpc                      = var.vpc
}

module "item_relay" {
  source = "./pipelines/item-relay"
  count  = contains(var.pipelines, "item-relay") ? 1 : 0

  name_prefix          = var.name_prefix
  package              = local.packages["update_item"]
  code_bucket          = var.code_bucket
  trust_source_account = var.trust_source_account

  function           = var.item_relay.function
  service            = var.item_relay.service
  table              = var.item_relay.table
  members            = var.item_relay.members
  lifecycle_days     = var.item_relay.lifecycle_days
  max_receive_count  = var.item_relay.max_receive_count
  late_after_seconds = var.item_relay.late_after_seconds

  alarm                = local.alarm
  kms_key              = var.kms_key
  log_retention_days   = var.log_retention_days
  force_destroy_bucket = var.force_destroy_buckets

  permissions_boundary_arn = var.permissions_boundary_arn
  iam_path                 = var.iam_path
  vpc                      = var.vpc
}
