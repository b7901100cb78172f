data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  # Provider 6 renamed the attribute; lookup() is the one form that both majors accept.
  region = lookup(data.aws_region.current, "region", data.aws_region.current.id)

  # Written from names, so that every policy is complete in the first plan.
  function_arn   = "arn:${local.partition}:lambda:${local.region}:${local.account_id}:function:${var.name}"
  log_group_name = "/aws/lambda/${var.name}"
  log_group_arn  = "arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:${local.log_group_name}"

  # Roles are global and functions are not: without the region in its name, the same function in a
  # second region would find its role taken. IAM takes 64 characters; a longer name keeps its
  # beginning and is told apart by a hash.
  full_role_name = "${var.name}-${local.region}"
  role_name      = length(local.full_role_name) <= 64 ? local.full_role_name : "${substr(local.full_role_name, 0, 55)}-${substr(md5(local.full_role_name), 0, 8)}"

  content_hash = var.package.content_hash != null ? var.package.content_hash : filebase64sha256(var.package.path)

  failure_service = var.failure_destination == null ? null : split(":", var.failure_destination.arn)[2]

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

# --- What the function may do

resource "aws_iam_role" "function" {
  name        = local.role_name
  description = "Assumed by the Lambda function ${var.name} in ${local.region}"

  # Without aws:SourceArn: Lambda does not document the ARN with which its queue pollers assume the
  # role, and under a wrong one the queue would stand still without an error anywhere.
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "logs" {
  name = "logs"
  role = aws_iam_role.function.name
  # No logs:CreateLogGroup: an invocation still running during a destroy would bring the group back,
  # without its retention, and the next apply would stop at a group that exists already.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${local.log_group_arn}:*"
    }]
  })
}

resource "aws_iam_role_policy" "queue" {
  count = var.queue == null ? 0 : 1

  name = "queue"
  role = aws_iam_role.function.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        Resource = var.queue.arn
      }],
      [for key_arn in var.queue.kms_key_arn[*] : {
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = key_arn
        Condition = { StringEquals = { "kms:ViaService" = "sqs.${local.region}.${data.aws_partition.current.dns_suffix}" } }
      }],
    )
  })
}

resource "aws_iam_role_policy" "environment" {
  count = var.kms_key == null ? 0 : 1

  name = "environment"
  role = aws_iam_role.function.name
  # The key may serve others: this opens nothing but this function's own environment.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = var.kms_key.arn
      Condition = { StringEquals = { "kms:EncryptionContext:aws:lambda:FunctionArn" = local.function_arn } }
    }]
  })
}

resource "aws_iam_role_policy" "failure_destination" {
  count = var.failure_destination == null ? 0 : 1

  name = "failure-destination"
  role = aws_iam_role.function.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Effect   = "Allow"
        Action   = local.failure_service == "sqs" ? "sqs:SendMessage" : "sns:Publish"
        Resource = var.failure_destination.arn
      }],
      [for key_arn in var.failure_destination.kms_key_arn[*] : {
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = key_arn
        Condition = { StringEquals = { "kms:ViaService" = "${local.failure_service}.${local.region}.${data.aws_partition.current.dns_suffix}" } }
      }],
    )
  })
}

resource "aws_iam_role_policy" "tracing" {
  count = var.tracing ? 1 : 0

  name = "tracing"
  role = aws_iam_role.function.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Action = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      # X-Ray has no resource type for either.
      Resource = "*"
    }]
  })
}

resource "aws_iam_role_policy" "code" {
  for_each = var.policies

  name   = "code-${each.key}"
  role   = aws_iam_role.function.name
  policy = each.value

  lifecycle {
    precondition {
      condition = can([
        jsondecode(each.value).Version,
        [for statement in flatten([jsondecode(each.value).Statement]) : keys(statement)],
      ])
      error_message = "policies.${each.key} must be an IAM policy as JSON with Version and Statement: write it with jsonencode({ Version = \"2012-10-17\", Statement = [...] })."
    }
    precondition {
      # What is no policy at all was refused above.
      condition = can([for statement in flatten([jsondecode(each.value).Statement]) : keys(statement)]) ? alltrue([
        for statement in flatten([jsondecode(each.value).Statement]) :
        lookup(statement, "Effect", "Allow") != "Allow" || !anytrue([
          for action in flatten([lookup(statement, "Action", "*")]) : can(regex("^([^:]+:)?[*]+$", action))
        ])
      ]) : true
      error_message = "policies.${each.key} allows everything of a service (an action \"*\" or \"service:*\", or NotAction): list the actions that the code calls."
    }
  }
}

# --- The function

resource "aws_cloudwatch_log_group" "function" {
  name              = local.log_group_name
  retention_in_days = var.log_retention_days
  kms_key_id        = one(var.kms_key[*].arn)
  tags              = var.tags
}

resource "aws_s3_object" "package" {
  count = var.code_bucket == null ? 0 : 1

  bucket = var.code_bucket.name
  # A key per content: the function changes code by changing keys, and a rollback finds the old one.
  key          = "${var.code_bucket.prefix}${var.name}/${replace(replace(trimsuffix(local.content_hash, "="), "/", "_"), "+", "-")}.zip"
  source       = var.package.path
  content_type = "application/zip"
  tags         = var.tags

  lifecycle {
    # The function must have left the old object before it goes.
    create_before_destroy = true
  }
}

resource "aws_lambda_function" "function" {
  function_name = var.name
  description   = var.description
  role          = aws_iam_role.function.arn

  filename  = var.code_bucket == null ? var.package.path : null
  s3_bucket = one(aws_s3_object.package[*].bucket)
  s3_key    = one(aws_s3_object.package[*].key)
  # Not the hash of the zip: the same sources may be packed with or without bytecode, and must not
  # be deployed again for it.
  source_code_hash = local.content_hash

  handler       = var.handler
  runtime       = var.runtime
  architectures = [var.architecture]
  timeout       = var.timeout_seconds
  memory_size   = var.memory_size_mb

  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = one(var.kms_key[*].arn)

  ephemeral_storage {
    size = var.ephemeral_storage_mb
  }

  logging_config {
    log_format            = "JSON"
    log_group             = aws_cloudwatch_log_group.function.name
    application_log_level = var.log_level
    # Below INFO Lambda would not write the report of an invocation: duration, memory, cold start.
    system_log_level = "INFO"
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

  # The log group comes first, or Lambda's first line would find none. The policies come first so
  # that whatever starts the function (the mapping below waits for the function) finds a role that
  # can do its work; on destroy they go last, for the same reason.
  depends_on = [
    aws_cloudwatch_log_group.function,
    aws_iam_role_policy.code,
    aws_iam_role_policy.environment,
    aws_iam_role_policy.failure_destination,
    aws_iam_role_policy.logs,
    aws_iam_role_policy.queue,
    aws_iam_role_policy.tracing,
  ]
}

resource "aws_lambda_function_recursion_config" "function" {
  count = var.recursive_loop == "Allow" ? 1 : 0

  function_name  = aws_lambda_function.function.function_name
  recursive_loop = var.recursive_loop
}

# --- What starts it

resource "aws_lambda_event_source_mapping" "queue" {
  count = var.queue == null ? 0 : 1

  event_source_arn = var.queue.arn
  function_name    = aws_lambda_function.function.arn
  # Left out, a mapping that someone switched off would stay off.
  enabled = true

  batch_size                         = var.batch_size
  maximum_batching_window_in_seconds = var.batching_window_seconds
  # Without it one bad message brings its whole batch back, and at last into the dead-letter queue.
  function_response_types = ["ReportBatchItemFailures"]
  # This key only ever encrypts the filter patterns.
  kms_key_arn = length(var.filter_patterns) == 0 ? null : one(var.kms_key[*].arn)

  dynamic "filter_criteria" {
    for_each = length(var.filter_patterns) == 0 ? [] : [var.filter_patterns]
    content {
      dynamic "filter" {
        for_each = filter_criteria.value
        content {
          pattern = filter.value
        }
      }
    }
  }

  dynamic "scaling_config" {
    for_each = var.maximum_concurrency[*]
    content {
      maximum_concurrency = scaling_config.value
    }
  }

  dynamic "provisioned_poller_config" {
    for_each = var.provisioned_pollers[*]
    content {
      minimum_pollers = provisioned_poller_config.value.minimum
      maximum_pollers = provisioned_poller_config.value.maximum
    }
  }

  tags = var.tags

  lifecycle {
    precondition {
      condition     = split(":", var.queue.arn)[3] == local.region
      error_message = "queue.arn is in ${split(":", var.queue.arn)[3]} and the function in ${local.region}: Lambda reads only queues of its own region. Give this module a provider of the queue's region."
    }
  }
}

resource "aws_lambda_function_event_invoke_config" "function" {
  count = var.failure_destination == null && var.maximum_retry_attempts == null && var.maximum_event_age_seconds == null ? 0 : 1

  function_name = aws_lambda_function.function.function_name
  # Lambda answers with its own values for what is left out, and the next plan would take them away.
  maximum_retry_attempts       = coalesce(var.maximum_retry_attempts, 2)
  maximum_event_age_in_seconds = coalesce(var.maximum_event_age_seconds, 21600)

  dynamic "destination_config" {
    for_each = var.failure_destination[*]
    content {
      on_failure {
        destination = destination_config.value.arn
      }
    }
  }
}

# --- Alarms

locals {
  what_waits = (
    var.alarm == null ? "" : var.alarm.name_prefix == null ? "" :
    "`event-pipelines queues list --prefix ${var.alarm.name_prefix}` shows what waits and what has become a dead letter."
  )
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  count = var.alarm == null ? 0 : 1

  alarm_name = "${var.name}-errors"
  alarm_description = join(" ", [
    "${var.alarm.errors} or more invocations of ${var.name} failed within ${var.alarm.period_seconds} seconds: an exception, a timeout or too little memory.",
    var.queue == null
    ? "Lambda repeats a call that nobody waits for, then reports it to the failure destination, if there is one; messages of a queue that is mapped to it elsewhere come back until that queue gives them up."
    : "Every message of a failed batch comes back, and after the queue's last try it goes to the dead-letter queue.",
    "Read ${local.log_group_name} at the time of the alarm and remove the cause.",
    local.what_waits,
  ])

  namespace   = "AWS/Lambda"
  metric_name = "Errors"
  dimensions  = { FunctionName = aws_lambda_function.function.function_name }
  statistic   = "Sum"
  period      = var.alarm.period_seconds

  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.alarm.errors
  evaluation_periods  = 1
  # Lambda reports nothing about a function that is not called.
  treat_missing_data = "notBreaching"

  alarm_actions = var.alarm.actions
  ok_actions    = var.alarm.actions

  tags = var.tags
}

resource "aws_cloudwatch_metric_alarm" "throttles" {
  count = var.alarm == null ? 0 : 1

  alarm_name = "${var.name}-throttles"
  alarm_description = join(" ", [
    "Lambda refused to start ${var.name} ${var.alarm.throttles} or more times within ${var.alarm.period_seconds} seconds: its reserved concurrency, or what the account has, is used up.",
    var.queue == null
    ? "Calls that nobody waits for are repeated for up to six hours, others fail at once; of messages of a queue that is mapped to it elsewhere each refusal counts as a try."
    : "Each refusal counts as a try of its messages, which may end in the dead-letter queue untouched.",
    "Lower maximum_concurrency, raise reserved_concurrency, or have the account's limit raised.",
    local.what_waits,
  ])

  namespace   = "AWS/Lambda"
  metric_name = "Throttles"
  dimensions  = { FunctionName = aws_lambda_function.function.function_name }
  statistic   = "Sum"
  period      = var.alarm.period_seconds

  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.alarm.throttles
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm.actions
  ok_actions    = var.alarm.actions

  tags = var.tags
}

# Also where recursive_loop is Allow: an alarm then says that the setting has been lost.
resource "aws_cloudwatch_metric_alarm" "recursion" {
  count = var.alarm == null ? 0 : 1

  alarm_name = "${var.name}-recursion-stopped"
  alarm_description = join(" ", [
    "Lambda stopped ${var.name} because it seemed to feed itself: about 16 times in a row an event came back to it through a queue, topic or bucket.",
    "What it was to work on goes to a dead-letter queue or failure destination, or is lost without one.",
    var.recursive_loop == "Allow"
    ? "It may do so here, which something outside Terraform has undone: apply again."
    : "Find what it writes that starts it again, and break the loop.",
    local.what_waits,
  ])

  namespace   = "AWS/Lambda"
  metric_name = "RecursiveInvocationsDropped"
  dimensions  = { FunctionName = aws_lambda_function.function.function_name }
  statistic   = "Sum"
  period      = var.alarm.period_seconds

  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  alarm_actions = var.alarm.actions
  ok_actions    = var.alarm.actions

  tags = var.tags
}
