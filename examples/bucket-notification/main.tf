provider "aws" {
  region = var.region
}

data "aws_caller_identity" "current" {}

module "notification" {
  # From another repository:
  # source = "git::https://github.com/OWNER/terraform-aws-event-pipelines.git//modules/bucket-notification?ref=v0.1.0"
  source = "../../modules/bucket-notification"

  bucket = module.bucket.bucket.name

  queues = {
    invoices = {
      arn             = module.queue["invoices"].queue.arn
      filter_prefix   = "invoices/"
      filter_suffixes = [".pdf", ".PDF"] # case-sensitive
    }
    removals = {
      arn    = module.queue["removals"].queue.arn
      events = ["s3:ObjectRemoved:*"]
    }
  }

  # For other consumers, by EventBridge rules: a bucket has only one notification configuration.
  eventbridge = true

  # The invoices' consumer writes here. A rule that matched it would trigger the consumer again.
  writes_back = [{ prefix = "texts/" }]
}

module "queue" {
  source   = "../../modules/sqs-with-dlq"
  for_each = toset(["invoices", "removals"])

  name    = "documents-${each.key}"
  senders = { bucket = { service = "s3", source_arn = module.bucket.bucket_arn_static } }
}

module "bucket" {
  source = "../../modules/private-bucket"

  name          = "acme-documents-${data.aws_caller_identity.current.account_id}-${var.region}"
  force_destroy = var.force_destroy
}
