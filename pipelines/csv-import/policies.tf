locals {
  split_policies = merge({
    import = jsonencode({ Version = "2012-10-17", Statement = concat(module.source.read_statements, [
      {
        Sid      = "RecordRejectionsAndStoreLargeRows"
        Effect   = "Allow"
        Action   = "s3:PutObject"
        Resource = ["${local.bucket_arn}/${var.rejections_prefix}*", "${local.bucket_arn}/${local.large_rows_prefix}*"]
      },
      {
        Sid      = "SendRowsAndContinue"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = [module.rows_queue.queue_arn_static, module.imports_queue.queue_arn_static]
      },
      {
        Sid      = "KeepLedger"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
        Resource = module.ledger.table_arn_static
      },
    ]) })
  }, local.notices_policy)

  load_policies = merge({
    import = jsonencode({ Version = "2012-10-17", Statement = [
      {
        # Only single writes can have a condition on the existing item.
        Sid      = "WriteItems"
        Effect   = "Allow"
        Action   = var.write_mode == "overwrite" ? "dynamodb:BatchWriteItem" : "dynamodb:PutItem"
        Resource = module.items.table_arn_static
      },
      {
        # Transactions need no action beyond those of the writes in them.
        Sid      = "KeepLedger"
        Effect   = "Allow"
        Action   = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
        Resource = module.ledger.table_arn_static
      },
      { Sid = "ReadLargeRows", Effect = "Allow", Action = "s3:GetObject", Resource = "${local.bucket_arn}/${local.large_rows_prefix}*" },
      { Sid = "RecordRejections", Effect = "Allow", Action = "s3:PutObject", Resource = "${local.bucket_arn}/${var.rejections_prefix}*" },
    ] })
  }, local.notices_policy)

  notices_key_uses = var.notices == null ? [] : ["publish"]
  notices_policy = var.notices == null ? {} : {
    notices = jsonencode({ Version = "2012-10-17", Statement = [
      { Sid = "TellOfEndedImports", Effect = "Allow", Action = "sns:Publish", Resource = one(module.notices[*].topic_arn_static) },
    ] })
  }
}
