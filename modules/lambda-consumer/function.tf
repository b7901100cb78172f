resource "aws_cloudwatch_log_group" "function" {
  count = var.log_group.create ? 1 : 0

  name              = local.log_group_name
  retention_in_days = var.log_retention_days
  log_group_class   = var.log_group.class
  kms_key_id        = one(var.kms_key[*].arn)
  tags              = var.tags
}

resource "aws_s3_object" "package" {
  count = var.code_bucket == null ? 0 : 1

  bucket = var.code_bucket.name
  # One key per content: new code has a new key, and a rollback finds the old object.
  key          = "${var.code_bucket.prefix}${var.name}/${replace(replace(trimsuffix(local.content_hash, "="), "/", "_"), "+", "-")}.zip"
  source       = var.package.path
  content_type = "application/zip"
  # S3 allows ten tags per object, and the default tags of the provider would count, too.
  tags = { for key in slice(keys(var.tags), 0, min(10, length(var.tags))) : key => var.tags[key] }

  override_provider {
    default_tags {
      tags = {}
    }
  }

  lifecycle {
    # The function must use the new object before the old one is deleted.
    create_before_destroy = true
  }
}

resource "aws_lambda_function" "function" {
  function_name = var.name
  description   = var.description
  role          = var.role_arn == null ? aws_iam_role.function[0].arn : var.role_arn

  filename  = var.code_bucket == null ? var.package.path : null
  s3_bucket = one(aws_s3_object.package[*].bucket)
  s3_key    = one(aws_s3_object.package[*].key)
  # Not the hash of the zip: the same sources may be packed with or without bytecode, and must not
  # be deployed again for it.
  source_code_hash = local.content_hash

  handler       = local.handler
  runtime       = local.runtime
  architectures = [local.architecture]
  timeout       = var.timeout_seconds
  memory_size   = var.memory_size_mb
  layers        = var.layers

  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = one(var.kms_key[*].arn)

  ephemeral_storage {
    size = var.ephemeral_storage_mb
  }

  logging_config {
    log_format            = "JSON"
    log_group             = local.log_group_name
    application_log_level = var.log_level
    # Below INFO Lambda would not write the report of an invocation: duration, memory, cold start.
    system_log_level = "INFO"
  }

  dynamic "vpc_config" {
    for_each = var.vpc[*]
    content {
      subnet_ids                  = vpc_config.value.subnet_ids
      security_group_ids          = vpc_config.value.security_group_ids
      ipv6_allowed_for_dual_stack = vpc_config.value.ipv6
    }
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  dynamic "environment" {
    for_each = length(var.environment) == 0 ? [] : [var.environment]
    content {
      variables = environment.value
    }
  }

  tags = var.tags

  # The log group is created first, or Lambda's first lines would be lost. The policies are created
  # before anything starts the function (the mapping below waits for the function), so that its role
  # has all permissions; on destroy they are deleted last, for the same reason.
  depends_on = [
    aws_cloudwatch_log_group.function,
    aws_iam_role_policy.code,
    aws_iam_role_policy.environment,
    aws_iam_role_policy.failure_destination,
    aws_iam_role_policy.key,
    aws_iam_role_policy.logs,
    aws_iam_role_policy.queue,
    aws_iam_role_policy.tracing,
    aws_iam_role_policy.vpc,
  ]
}

resource "aws_lambda_function_recursion_config" "function" {
  count = var.recursive_loop == "Allow" ? 1 : 0

  function_name  = aws_lambda_function.function.function_name
  recursive_loop = var.recursive_loop
}
