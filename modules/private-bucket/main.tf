data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # Composed from the name, so that every policy is complete in the first plan.
  arn = "arn:${data.aws_partition.current.partition}:s3:::${var.name}"

  expiring = { for id, rule in var.lifecycle_rules : id => rule if rule.expire_days != null }
}

resource "aws_s3_bucket" "bucket" {
  bucket              = var.name
  force_destroy       = var.force_destroy
  object_lock_enabled = var.object_lock_days == null ? null : true
  tags                = var.tags
}

resource "aws_s3_bucket_object_lock_configuration" "bucket" {
  count  = var.object_lock_days == null ? 0 : 1
  bucket = aws_s3_bucket.bucket.id

  rule {
    default_retention {
      mode = "COMPLIANCE"
      days = var.object_lock_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.bucket]
}

resource "aws_s3_bucket_versioning" "bucket" {
  bucket = aws_s3_bucket.bucket.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "bucket" {
  bucket = aws_s3_bucket.bucket.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "bucket" {
  bucket = aws_s3_bucket.bucket.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "bucket" {
  bucket = aws_s3_bucket.bucket.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key == null ? "AES256" : "aws:kms"
      kms_master_key_id = one(var.kms_key[*].arn)
    }
    # One bucket key for many objects, renewed from time to time, replaces a call to KMS per object.
    bucket_key_enabled = var.kms_key == null ? null : true
  }
}

resource "aws_s3_bucket_policy" "bucket" {
  bucket = aws_s3_bucket.bucket.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyPlainHttp"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.arn, "${local.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # S3 answers a policy change with a conflict while the public access block is being written.
  depends_on = [aws_s3_bucket_public_access_block.bucket]
}

resource "aws_s3_bucket_lifecycle_configuration" "bucket" {
  bucket = aws_s3_bucket.bucket.id

  dynamic "rule" {
    for_each = local.expiring
    content {
      id     = rule.key
      status = "Enabled"
      filter {
        prefix = rule.value.prefix
      }
      expiration {
        days = rule.value.expire_days
      }
    }
  }

  rule {
    id     = "remove-leftovers"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = var.leftover_days.noncurrent
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = var.leftover_days.incomplete_upload
    }
    expiration {
      expired_object_delete_marker = true
    }
  }

  # Rules about noncurrent versions have no effect before versioning is enabled.
  depends_on = [aws_s3_bucket_versioning.bucket]
}
