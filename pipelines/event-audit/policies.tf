module "key" {
  source = "../../modules/kms-key-statements"

  kms_key = var.kms_key
}

locals {
  # Role policies of each route's function.
  policies = {
    for route in keys(local.routes) : route => merge(
      {
        rejections = jsonencode({ Version = "2012-10-17", Statement = concat([
          { Sid = "RecordRejections", Effect = "Allow", Action = "s3:PutObject", Resource = "${local.rejections_arn}/${route}/*" },
        ], module.key.statements.write_objects) })
      },
      local.locks_records ? {
        records = jsonencode({ Version = "2012-10-17", Statement = concat([
          { Sid = "KeepRecords", Effect = "Allow", Action = "s3:PutObject", Resource = "${local.records_arn}/${route}/*" },
        ], module.key.statements.write_objects) })
      } : {},
      var.trail == null ? {} : {
        trail = jsonencode({ Version = "2012-10-17", Statement = concat([
          # The query is for newer events of the same object, which make this one late.
          { Sid = "KeepTrail", Effect = "Allow", Action = ["dynamodb:PutItem", "dynamodb:Query"], Resource = local.trail_table_arn },
        ], module.key.statements.write_items) })
      },
    )
  }
}
