provider "aws" {
  region = var.region
}

data "aws_caller_identity" "current" {}

module "bucket" {
  # From another repository:
  # source = "git::https://github.com/OWNER/terraform-aws-event-pipelines.git//modules/private-bucket?ref=v0.1.0"
  source = "../../modules/private-bucket"

  name          = "acme-reports-${data.aws_caller_identity.current.account_id}-${var.region}"
  force_destroy = var.force_destroy

  lifecycle_rules = {
    expire-drafts = { prefix = "drafts/", expire_days = 14 }
  }
  # Replaced or deleted objects can be restored for two months.
  leftover_days = { noncurrent = 60 }
}
