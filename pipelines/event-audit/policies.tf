locals {
  # Role policies of each route's function.
  policies = {
    for route in keys(local.routes) : route => merge(
      {
        rejections = jsonencode({ Version = "2012-10-17", Statement = [
          { Sid = "RecordRejections", Effect = "Allow", Action = "s3:PutObject", Resource = "${local.rejections_arn}/${route}/*" },
        ] })
      },
      local.locks_records ? {
        records = jsonencode({ Version = "2012-10-17", Statement = [
          {
            Sid      = "KeepRecords"
            Effect   = "Allow"
            Action   = "s3:PutObject"
            Resource = "${module.records[0].bucket_arn_static}/${route}/*"
          },
        ] })
      } : {},
      var.trail == null ? {} : {
        trail = jsonencode({ Version = "2012-10-17", Statement = [{
          # The query is for newer events of the same object, which make this one late.
          Sid      = "KeepTrail"
          Effect   = "Allow"
          Action   = ["dynamodb:PutItem", "dynamodb:Query"]
          Resource = module.trail[0].table_arn_static
        }] })
      },
    )
  }
}
