provider "aws" {
  region = var.region
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  bucket     = "acme-documents-${data.aws_caller_identity.current.account_id}-${var.region}"
  bucket_arn = "arn:${data.aws_partition.current.partition}:s3:::${local.bucket}"
}

module "notification" {
  # From another repository:
  # source = "git::https://github.com/OWNER/terraform-aws-event-pipelines.git//modules/bucket-notification?ref=v0.1.0"
  source = "../../modules/bucket-notification"

  bucket = aws_s3_bucket.documents.id

  queues = {
    invoices = {
      arn             = module.queue["invoices"].queue.arn
      filter_prefix   = "invoices/"
      filter_suffixes = [".pdf", ".PDF"] # S3 compares letter case
    }
    removals = {
      arn    = module.queue["removals"].queue.arn
      events = ["s3:ObjectRemoved:*"]
    }
  }

  # Others listen by an EventBridge rule of their own: a bucket has one notification and one owner.
  eventbridge = true

  # Whoever reads the invoices writes here. A rule that matched it would start the reader again.
  writes_back = [{ prefix = "texts/" }]
}

module "queue" {
  source   = "../../modules/sqs-with-dlq"
  for_each = toset(["invoices", "removals"])

  name    = "documents-${each.key}"
  senders = { bucket = { service = "s3", source_arn = local.bucket_arn } }
}

resource "aws_s3_bucket" "documents" {
  bucket        = local.bucket
  force_destroy = var.force_destroy
}

# What is removed or replaced by mistake can be had back for a month.
resource "aws_s3_bucket_versioning" "documents" {
  bucket = aws_s3_bucket.documents.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "documents" {
  bucket = aws_s3_bucket.documents.id

  rule {
    id     = "remove-leftovers"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = 30
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
    expiration {
      expired_object_delete_marker = true
    }
  }

  # Rules about older versions mean nothing before versions exist.
  depends_on = [aws_s3_bucket_versioning.documents]
}

resource "aws_s3_bucket_public_access_block" "documents" {
  bucket                  = aws_s3_bucket.documents.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "documents" {
  bucket = aws_s3_bucket.documents.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyInsecureTransport"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # S3 takes one change of a bucket's access at a time.
  depends_on = [aws_s3_bucket_public_access_block.documents]
}
