locals {
  # Role policies of each derivative's function.
  policies = {
    for name in keys(var.derivatives) : name => {
      images = jsonencode({ Version = "2012-10-17", Statement = concat(module.source.read_statements, [
        {
          # The function reads its own derivatives to make repeated and late events harmless.
          Sid      = "KeepDerivatives"
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:PutObject"]
          Resource = "${local.bucket_arn}/${var.output_prefix}${name}/*"
        },
        {
          Sid      = "RecordRejections"
          Effect   = "Allow"
          Action   = "s3:PutObject"
          Resource = "${local.bucket_arn}/${var.rejections_prefix}${name}/*"
        },
        ], [
        # As for the uploads: without it, a missing derivative would look like a broken permission.
        for arn in [local.bucket_arn] : { Sid = "TellMissingDerivative", Effect = "Allow", Action = ["s3:ListBucket"], Resource = [arn] }
        if var.source_bucket != null
      ]) })
    }
  }
}
