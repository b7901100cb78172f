provider "aws" {
  region = var.region
}

data "aws_caller_identity" "current" {}

# The bucket of another owner, whose notification sends removals to a queue.
module "uploads" {
  source = "../../modules/private-bucket"

  name          = "acme-uploads-${data.aws_caller_identity.current.account_id}-${var.region}"
  force_destroy = var.force_destroy
}

module "removals" {
  source = "../../modules/sqs-with-dlq"

  name    = "uploads-removals"
  senders = { bucket = { service = "s3", source_arn = module.uploads.bucket_arn_static } }
}

module "notification" {
  source = "../../modules/bucket-notification"

  bucket = module.uploads.bucket.name
  queues = {
    removals = { arn = module.removals.queue.arn, events = ["s3:ObjectRemoved:*"] }
  }

  # The only change, which the rules below need.
  eventbridge = true
}

# The new consumer of the uploads, which does not change the bucket.
module "source" {
  # From another repository:
  # source = "git::https://github.com/OWNER/terraform-aws-event-pipelines.git//modules/source-bucket?ref=v0.1.0"
  source = "../../modules/source-bucket"

  name          = "reports"
  source_bucket = { name = module.uploads.bucket.name }
  own_bucket    = "acme-reports"
  key_suffixes  = [".pdf"]
  queues        = { texts = { name = "reports-texts", dlq_name = "reports-texts-dlq" } }
}

module "texts" {
  source = "../../modules/sqs-with-dlq"

  name        = "reports-texts"
  senders     = module.source.rule_senders.texts
  dlq_senders = module.source.rule_senders.texts
}
