# What the policy of a customer managed key must say so that AWS services can use it for this stack. Also
# without `kms_key`, since the key has to be ready before it is named there.

locals {
  key_sources = concat(
    module.csv_import[*].key_sources,
    module.event_audit[*].key_sources,
    module.image_derivatives[*].key_sources,
    module.item_relay[*].key_sources,
    module.tenant_routing[*].key_sources,
  )

  # A bucket that is a pipeline's source may be of another account.
  owners = distinct(flatten([for source in local.key_sources : try(source.owners, [])]))
  notifying_accounts = jsondecode(
    length(local.owners) == 0 ? jsonencode(local.account_id) : jsonencode(concat([local.account_id], local.owners))
  )

  # Services that send to encrypted resources, and their sources.
  key_users = {
    s3     = { sid = "NotificationsOfBuckets", sources = sort(flatten(local.key_sources[*].s3)) }
    sns    = { sid = "DeliveriesOfTopics", sources = sort(flatten(local.key_sources[*].sns)) }
    events = { sid = "RulesOfSourceBuckets", sources = sort(flatten([for source in local.key_sources : try(source.events, [])])) }
    cloudwatch = {
      sid     = "Alarms"
      sources = length(module.alarms) > 0 && length(local.alarm_names) > 0 ? [local.alarm_arns] : []
    }
  }

  kms_key_policy_statements = concat(
    [
      for service, user in local.key_users : {
        Sid       = user.sid
        Effect    = "Allow"
        Principal = { Service = "${service}.amazonaws.com" }
        # Decrypt, since a service that reuses a data key verifies it first.
        Action = ["kms:Decrypt", "kms:GenerateDataKey"]
        # In a key's policy: this key.
        Resource = "*"
        Condition = {
          # Like, since groups of tenants and alarms are named by a pattern.
          ArnLike      = { "aws:SourceArn" = user.sources }
          StringEquals = { "aws:SourceAccount" = service == "s3" ? local.notifying_accounts : local.account_id }
        }
      } if length(user.sources) > 0
    ],
    [
      # After https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html, its
      # wildcards written out. The context has the account, which excludes the logs of others.
      for function_logs in length(local.paths) == 0 ? [] : ["${var.name_prefix}-*"] : {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.${data.aws_partition.current.dns_suffix}" }
        Action = [
          "kms:Decrypt",
          "kms:DescribeKey",
          "kms:Encrypt",
          "kms:GenerateDataKey",
          "kms:GenerateDataKeyWithoutPlaintext",
          "kms:ReEncryptFrom",
          "kms:ReEncryptTo",
        ]
        Resource = "*"
        Condition = {
          ArnLike = {
            "kms:EncryptionContext:aws:logs:arn" = join("", [
              "arn:${local.partition}:logs:${var.region}:${local.account_id}:log-group:",
              "/aws/lambda/${function_logs}",
            ])
          }
        }
      }
    ],
  )
}
