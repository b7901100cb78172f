mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name     = "orders"
  hash_key = "id"
}

run "table_is_recoverable_and_billed_by_request" {
  command = plan

  assert {
    condition = (
      output.table.name == "orders" && output.table.billing_mode == "PAY_PER_REQUEST" && output.table.point_in_time_recovery[0].enabled
      && !output.table.deletion_protection_enabled && length(output.table.ttl) == 0
    )
    error_message = "By default the table has point-in-time recovery and is on-demand."
  }
  assert {
    condition     = [for each in output.table.attribute : "${each.name} ${each.type}"] == ["id S"]
    error_message = "The one key is a string."
  }
  assert {
    condition     = output.table_arn_static == "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
    error_message = "The table's ARN must be known in the first plan."
  }
}

run "keys_of_table_and_indexes_are_declared_once" {
  command = plan

  variables {
    range_key              = "line"
    ttl_attribute          = "expires_at"
    deletion_protection    = true
    point_in_time_recovery = false
    kms_key                = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
    tags                   = { team = "orders" }
    indexes = {
      by_customer = { hash_key = "customer", range_key = "line" }
      by_day      = { hash_key = "day" }
    }
  }

  assert {
    condition     = join(",", sort([for each in output.table.attribute : each.name])) == "customer,day,id,line"
    error_message = "DynamoDB refuses an attribute that is declared twice, or is no key."
  }
  assert {
    condition = [
      for index in output.table.global_secondary_index :
      join(" ", compact([index.name, index.hash_key, index.range_key, index.projection_type]))
    ] == ["by_customer customer line ALL", "by_day day ALL"]
    error_message = "An index must project all attributes."
  }
  assert {
    condition = (
      output.table.hash_key == "id" && output.table.range_key == "line" && one(output.table.ttl).attribute_name == "expires_at"
      && output.table.deletion_protection_enabled && !output.table.point_in_time_recovery[0].enabled
      && one(output.table.server_side_encryption).kms_key_arn == var.kms_key.arn && output.table.tags == var.tags
    )
    error_message = "The table must have every setting."
  }
}

run "refuses_names_and_keys_that_dynamodb_refuses" {
  command = plan

  variables {
    name      = "or"
    range_key = "id"
    indexes   = { by = { hash_key = "day" } }
    kms_key   = { arn = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
  }

  expect_failures = [var.name, var.range_key, var.indexes, var.kms_key]
}

run "capacity_is_provisioned" {
  command = plan

  variables {
    capacity = { read = 1, write = 25 }
  }

  assert {
    condition     = output.table.billing_mode == "PROVISIONED" && output.table.read_capacity == 1 && output.table.write_capacity == 25
    error_message = "A table with a capacity must be provisioned."
  }
}

run "refuses_capacity_that_is_none" {
  command = plan

  variables {
    capacity = { read = 0.5, write = 25 }
  }

  expect_failures = [var.capacity]
}

run "refuses_capacity_of_a_table_with_indexes" {
  command = plan

  variables {
    capacity = { read = 1, write = 25 }
    indexes  = { by_day = { hash_key = "day" } }
  }

  expect_failures = [var.capacity]
}

run "refuses_an_index_with_one_attribute_twice" {
  command = plan

  variables {
    indexes = { by_day = { hash_key = "day", range_key = "day" } }
  }

  expect_failures = [var.indexes]
}

run "refuses_more_indexes_than_dynamodb_takes" {
  command = plan

  variables {
    indexes = { for number in range(21) : "by_${number}" => { hash_key = "day" } }
  }

  expect_failures = [var.indexes]
}

run "takes_as_many_indexes_as_dynamodb" {
  command = plan

  variables {
    indexes = { for number in range(20) : "by_${number}" => { hash_key = "day" } }
  }

  assert {
    condition     = length(output.table.global_secondary_index) == 20
    error_message = "20 indexes are allowed."
  }
}
