data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  # Provider 6 renamed the attribute; lookup() is the one form that both majors accept.
  region = lookup(data.aws_region.current, "region", data.aws_region.current.id)

  # Composed from names, so that every policy is complete in the first plan.
  function_arn   = "arn:${local.partition}:lambda:${local.region}:${local.account_id}:function:${var.name}"
  log_group_name = coalesce(var.log_group.name, "/aws/lambda/${var.name}")
  log_group_arn  = "arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:${local.log_group_name}"

  # Roles are global and functions are not: without the region in its name, the same function in a
  # second region would find its role taken. IAM takes 64 characters; a longer name keeps its
  # beginning and gets a hash, which makes it unique.
  full_role_name = "${var.name}-${local.region}"
  role_name = (
    length(local.full_role_name) <= 64
    ? local.full_role_name
    : "${substr(local.full_role_name, 0, 55)}-${substr(md5(local.full_role_name), 0, 8)}"
  )

  handler      = coalesce(var.handler, var.package.handler)
  runtime      = coalesce(var.runtime, var.package.runtime, "python3.13")
  architecture = coalesce(var.architecture, var.package.architecture, "arm64")
  content_hash = var.package.content_hash != null ? var.package.content_hash : filebase64sha256(var.package.path)

  failure_service = var.failure_destination == null ? null : split(":", var.failure_destination.arn)[2]

  ec2_arn = "arn:${local.partition}:ec2:${local.region}"
  interface_actions = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
  ]

  # Runtimes for which Lambda creates no new functions.
  archived_runtimes = "^(nodejs([468][.].*|1[0246][.]x)?|python(2[.]7|3[.][678])|dotnet(core.*|[56])|ruby2[.][57]|java8|go1[.]x|provided)$"

  # TZ is absent on purpose: Lambda no longer reserves it.
  reserved_environment_names = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
  ]
}
