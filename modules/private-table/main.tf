data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # Provider 6 renamed the attribute; lookup() is the one form that both majors accept.
  region = lookup(data.aws_region.current, "region", data.aws_region.current.id)

  # Composed from the name, so that every policy is complete in the first plan.
  account = "${local.region}:${data.aws_caller_identity.current.account_id}"
  arn     = "arn:${data.aws_partition.current.partition}:dynamodb:${local.account}:table/${var.name}"

  keys = concat([{ hash_key = var.hash_key, range_key = var.range_key }], values(var.indexes))
}

resource "aws_dynamodb_table" "table" {
  name                        = var.name
  deletion_protection_enabled = var.deletion_protection
  tags                        = var.tags

  billing_mode   = var.capacity == null ? "PAY_PER_REQUEST" : "PROVISIONED"
  read_capacity  = one(var.capacity[*].read)
  write_capacity = one(var.capacity[*].write)

  hash_key  = var.hash_key
  range_key = var.range_key

  # DynamoDB accepts only attributes that are keys, each once.
  dynamic "attribute" {
    for_each = toset(compact(flatten([for key in local.keys : [key.hash_key, key.range_key]])))
    content {
      name = attribute.value
      type = "S"
    }
  }

  dynamic "global_secondary_index" {
    for_each = var.indexes
    content {
      name            = global_secondary_index.key
      hash_key        = global_secondary_index.value.hash_key
      range_key       = global_secondary_index.value.range_key
      projection_type = "ALL"
    }
  }

  dynamic "ttl" {
    for_each = var.ttl_attribute[*]
    content {
      attribute_name = ttl.value
      enabled        = true
    }
  }

  dynamic "server_side_encryption" {
    for_each = var.kms_key[*]
    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value.arn
    }
  }

  point_in_time_recovery {
    enabled = var.point_in_time_recovery
  }
}
