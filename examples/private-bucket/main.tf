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
    # What is replaced or deleted by mistake can be had back for a month.
    remove-leftovers = { noncurrent_days = 30, incomplete_upload_days = 7, expired_delete_markers = true }
    expire-drafts    = { prefix = "drafts/", expire_days = 14 }
  }
}
