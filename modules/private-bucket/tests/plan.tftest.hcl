mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name = "acme-uploads-123456789012-eu-west-1"
}

run "defaults_keep_every_object_and_remove_leftovers" {
  command = plan

  assert {
    condition     = aws_s3_bucket.bucket.bucket == var.name && !aws_s3_bucket.bucket.force_destroy
    error_message = "By default a destroy must not delete a bucket with objects."
  }
  assert {
    condition     = aws_s3_bucket_versioning.bucket.versioning_configuration[0].status == "Enabled"
    error_message = "Versions must be kept."
  }
  assert {
    condition = (
      aws_s3_bucket_public_access_block.bucket.block_public_acls && aws_s3_bucket_public_access_block.bucket.block_public_policy
      && aws_s3_bucket_public_access_block.bucket.ignore_public_acls && aws_s3_bucket_public_access_block.bucket.restrict_public_buckets
    )
    error_message = "All public access must be blocked."
  }
  assert {
    condition     = aws_s3_bucket_ownership_controls.bucket.rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "ACLs must be off: the bucket's owner owns every object."
  }
  assert {
    condition = (
      one(aws_s3_bucket_server_side_encryption_configuration.bucket.rule).apply_server_side_encryption_by_default[0].sse_algorithm
      == "AES256"
      && one(aws_s3_bucket_server_side_encryption_configuration.bucket.rule).apply_server_side_encryption_by_default[0].kms_master_key_id
      == null
    )
    error_message = "Without kms_key, S3 encrypts with SSE-S3."
  }
  assert {
    condition = jsondecode(aws_s3_bucket_policy.bucket.policy) == {
      Version = "2012-10-17"
      Statement = [{
        Sid       = "DenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = ["arn:aws:s3:::${var.name}", "arn:aws:s3:::${var.name}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    }
    error_message = "The policy must refuse plain HTTP on the bucket and on every object, and grant nothing."
  }
  assert {
    condition = jsonencode([
      for rule in aws_s3_bucket_lifecycle_configuration.bucket.rule : [
        rule.id, rule.status, rule.noncurrent_version_expiration[0].noncurrent_days,
        rule.abort_incomplete_multipart_upload[0].days_after_initiation, rule.expiration[0].expired_object_delete_marker,
      ]
    ]) == jsonencode([["remove-leftovers", "Enabled", 30, 7, true]])
    error_message = "By default only noncurrent versions and leftovers are removed."
  }
  assert {
    condition = (
      jsonencode(output.bucket) == jsonencode({ arn = "arn:aws:s3:::${var.name}", kms_key_arn = null, name = var.name })
      && output.bucket_arn_static == output.bucket.arn && output.object_lock_days == null
    )
    error_message = "Name and ARN must be known in the first plan."
  }
}

run "customer_key_rules_and_tags_reach_the_bucket" {
  command = plan

  variables {
    kms_key       = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
    force_destroy = true
    tags          = { team = "pictures" }

    object_lock_days = 1
    lifecycle_rules = {
      expire-uploads = { prefix = "ingest/", expire_days = 30 }
      expire-all     = { expire_days = 90 }
      keep           = { prefix = "archive/", expire_days = null }
    }
    leftover_days = { noncurrent = 5, incomplete_upload = 2 }
  }

  assert {
    condition = (
      one(aws_s3_bucket_server_side_encryption_configuration.bucket.rule).apply_server_side_encryption_by_default[0].sse_algorithm
      == "aws:kms"
      && one(aws_s3_bucket_server_side_encryption_configuration.bucket.rule).apply_server_side_encryption_by_default[0].kms_master_key_id
      == var.kms_key.arn
      && one(aws_s3_bucket_server_side_encryption_configuration.bucket.rule).bucket_key_enabled
      && output.bucket.kms_key_arn == var.kms_key.arn
    )
    error_message = "The caller's key must encrypt objects, with a bucket key."
  }
  assert {
    condition = (
      aws_s3_bucket.bucket.object_lock_enabled && output.object_lock_days == 1
      && aws_s3_bucket_object_lock_configuration.bucket[0].rule[0].default_retention[0].mode == "COMPLIANCE"
    )
    error_message = "Versions must be locked in compliance mode from when they are written."
  }
  assert {
    condition     = aws_s3_bucket.bucket.force_destroy && aws_s3_bucket.bucket.tags == tomap({ team = "pictures" })
    error_message = "The bucket must have its settings."
  }
  assert {
    condition = jsonencode([
      for rule in aws_s3_bucket_lifecycle_configuration.bucket.rule : [rule.id, rule.status, rule.expiration[0].days]
      if rule.id != "remove-leftovers"
    ]) == jsonencode([["expire-all", "Enabled", 90], ["expire-uploads", "Enabled", 30]])
    error_message = "Each rule must have its settings, and one without days must not exist."
  }
  assert {
    condition = [
      for rule in aws_s3_bucket_lifecycle_configuration.bucket.rule : rule.filter[0].prefix if rule.id == "expire-uploads"
    ] == ["ingest/"]
    error_message = "A rule must be limited to its prefix."
  }
  assert {
    condition = jsonencode(output.lifecycle_rules) == jsonencode({
      expire-uploads   = { prefix = "ingest/", expire_days = 30 }
      expire-all       = { prefix = null, expire_days = 90 }
      remove-leftovers = { noncurrent_days = 5, incomplete_upload_days = 2 }
    })
    error_message = "The output must have the rules unchanged."
  }
}
