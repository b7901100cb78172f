module "key" {
  source = "../../modules/kms-key-statements"

  kms_key = var.kms_key
}

locals {
  # Role policies of each derivative's function.
  policies = {
    for name in keys(var.derivatives) : name => {
      images = jsonencode({ Version = "2012-10-17", Statement = concat([
        { Sid = "ReadUploads", Effect = "Allow", Action = "s3:GetObject", Resource = "${local.bucket_arn}/${var.source_prefix}*" },
        {
          # Reading its own derivative back is what makes a repeated or late event harmless.
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
        # Without it S3 answers 403 instead of 404 for a missing key, and a deleted upload would
        # look like a broken permission. No condition on the prefix: what S3 compares with it when
        # it makes this choice is not documented.
        { Sid = "TellMissingFromForbidden", Effect = "Allow", Action = "s3:ListBucket", Resource = local.bucket_arn },
      ], module.key.statements.write_objects) })
    }
  }
}
