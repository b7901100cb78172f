provider "aws" {
  region = var.region
}

data "aws_caller_identity" "current" {}

locals {
  kms_key = var.kms_key_arn == null ? null : { arn = var.kms_key_arn }
}

module "bucket" {
  source = "../../modules/private-bucket"

  name          = "acme-sealed-reports-${data.aws_caller_identity.current.account_id}-${var.region}"
  kms_key       = local.kms_key
  force_destroy = var.force_destroy
}

module "key" {
  # From another repository:
  # source = "git::https://github.com/OWNER/terraform-aws-event-pipelines.git//modules/kms-key-statements?ref=v0.1.0"
  source = "../../modules/kms-key-statements"

  kms_key = local.kms_key
}

resource "aws_iam_policy" "read" {
  name        = "acme-read-sealed-reports-${var.region}"
  description = "Reads the reports, and opens them with their key"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{ Sid = "ReadReports", Effect = "Allow", Action = "s3:GetObject", Resource = "${module.bucket.bucket_arn_static}/*" }],
      module.key.statements.read_objects,
    )
  })
}
