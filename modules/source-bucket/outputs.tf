output "senders" {
  description = "For `senders` and `publishers`"
  value = local.by_rule ? {} : {
    for name in local.buckets : local.is_own ? "bucket" : replace(name, ".", "_") => {
      service        = "s3"
      source_arn     = "arn:${local.partition}:s3:::${name}"
      source_account = local.is_own ? null : local.owner
    }
  }
}

output "rule_senders" {
  description = "For `senders` and `dlq_senders` of each of `queues`: its rule. Empty with `via = \"s3\"`."
  value = {
    for key, arn in local.rule_arns : key => local.by_rule ? { rule = { service = "events", source_arn = arn } } : {}
  }
}

output "key_sources" {
  description = <<-EOT
    Sources on whose behalf AWS services use the key of the queues and topics: ARNs of buckets (`s3`) and rules (`events`), and other
    accounts that own buckets (`owners`).
  EOT
  value = {
    s3     = local.by_rule ? [] : local.bucket_arns
    events = local.by_rule ? values(local.rule_arns) : []
    owners = local.is_foreign ? [local.owner] : []
  }
}

output "settings" {
  description = "Environment variables by which the command finds the buckets; none for `own_bucket`."
  value       = local.is_own ? {} : { SOURCE_BUCKETS = join(",", local.buckets) }
}

output "read_statements" {
  description = "Statements for the policies of the roles that read the objects."
  value = concat([
    { Sid = "ReadUploads", Effect = "Allow", Action = var.read_actions, Resource = local.objects },
    # Without it S3 answers 403 instead of 404 for a missing key, and a deleted upload would look like a broken permission.
    { Sid = "TellMissingFromForbidden", Effect = "Allow", Action = ["s3:ListBucket"], Resource = local.bucket_arns },
    ],
    [for arn in local.source.kms_key_arn[*] : { Sid = "DecryptUploads", Effect = "Allow", Action = ["kms:Decrypt"], Resource = [arn] }],
  )
}

output "owner" {
  description = <<-EOT
    What the owner of the buckets has to do, as data; null for `own_bucket`:
    - `bucket_policy_statements`: JSON of statements for each bucket's policy, without which roles of another account cannot read; empty
      for this account.
    - `event_pattern`, `event_bus_arn`: of the rule that forwards the events to this account, and where to; null unless `via =
      "eventbridge"` and the account is another.
  EOT
  value = local.is_own ? null : {
    bucket_policy_statements = jsonencode([
      for statement in [
        { Sid = "PipelineReads", Action = var.read_actions, Resource = local.objects },
        { Sid = "PipelineTellsMissing", Action = ["s3:ListBucket"], Resource = local.bucket_arns },
      ] : merge(statement, { Effect = "Allow", Principal = { AWS = var.role_arns } }) if local.is_foreign
    ])
    event_pattern = local.by_rule && local.is_foreign ? local.forwarded : null
    event_bus_arn = local.by_rule && local.is_foreign ? "${local.events_arn}:event-bus/default" : null
  }
}
