# The registry.

resource "aws_dynamodb_table" "groups" {
  name                        = local.groups_table
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = var.registry.deletion_protection
  tags                        = var.tags

  hash_key = "GroupName"

  attribute {
    name = "GroupName"
    type = "S"
  }

  dynamic "server_side_encryption" {
    for_each = var.kms_key[*]
    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value.arn
    }
  }

  point_in_time_recovery {
    enabled = true
  }
}

resource "aws_dynamodb_table" "tenants" {
  name                        = local.tenants_table
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = var.registry.deletion_protection
  tags                        = var.tags

  hash_key = "Name"

  attribute {
    name = "Name"
    type = "S"
  }
  attribute {
    name = "GroupName"
    type = "S"
  }

  global_secondary_index {
    name            = "by_group"
    hash_key        = "GroupName"
    range_key       = "Name"
    projection_type = "ALL"
  }

  dynamic "server_side_encryption" {
    for_each = var.kms_key[*]
    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value.arn
    }
  }

  point_in_time_recovery {
    enabled = true
  }
}
