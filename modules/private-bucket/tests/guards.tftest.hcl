mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name = "acme-uploads"
}

# Valid values closest to what the runs below refuse.

run "just_legal" {
  command = plan

  variables {
    name    = "a.b"
    kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab" }
    lifecycle_rules = {
      # 255 characters of id, 1024 of prefix.
      (format("%0255d", 0)) = { prefix = format("%01024d", 0), expire_days = 2147483647 }
      "x"                   = { expire_days = 1 }
    }
    leftover_days = { noncurrent = 1, incomplete_upload = 2147483647 }
  }

  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.bucket.rule) == 3
    error_message = "Every rule must have been planned."
  }
}

run "longest_name_just_legal" {
  command = plan

  variables {
    name = format("%063d", 0)
  }

  assert {
    condition     = length(aws_s3_bucket.bucket.bucket) == 63
    error_message = "This run must use exactly the limit."
  }
}

run "what_only_looks_like_an_address_just_legal" {
  command = plan

  variables {
    name = "192.168.5.4-logs"
  }
}

run "what_only_contains_reserved_words_just_legal" {
  command = plan

  variables {
    name = "a-xn--sthree-amzn-s3-demo-s3alias--ols-s3.mrap--x-s3--table-s3a"
  }
}

run "refuses_a_name_too_short" {
  command = plan

  variables {
    name = "ab"
  }

  expect_failures = [var.name]
}

run "refuses_a_name_too_long" {
  command = plan

  variables {
    name = format("%064d", 0)
  }

  expect_failures = [var.name]
}

run "refuses_an_upper_case_letter" {
  command = plan

  variables {
    name = "Acme-uploads"
  }

  expect_failures = [var.name]
}

run "refuses_an_underscore" {
  command = plan

  variables {
    name = "acme_uploads"
  }

  expect_failures = [var.name]
}

run "refuses_a_hyphen_at_the_beginning" {
  command = plan

  variables {
    name = "-acme"
  }

  expect_failures = [var.name]
}

run "refuses_a_hyphen_at_the_end" {
  command = plan

  variables {
    name = "acme-"
  }

  expect_failures = [var.name]
}

run "refuses_a_dot_at_the_beginning" {
  command = plan

  variables {
    name = ".acme"
  }

  expect_failures = [var.name]
}

run "refuses_a_dot_at_the_end" {
  command = plan

  variables {
    name = "acme."
  }

  expect_failures = [var.name]
}

run "refuses_two_dots_in_a_row" {
  command = plan

  variables {
    name = "acme..uploads"
  }

  expect_failures = [var.name]
}

run "refuses_an_arn_as_name" {
  command = plan

  variables {
    name = "arn:aws:s3:::acme"
  }

  expect_failures = [var.name]
}

run "refuses_an_address_as_name" {
  command = plan

  variables {
    name = "192.168.5.4"
  }

  expect_failures = [var.name]
}

run "refuses_the_prefix_of_punycode" {
  command = plan

  variables {
    name = "xn--acme"
  }

  expect_failures = [var.name]
}

run "refuses_the_prefix_sthree" {
  command = plan

  variables {
    name = "sthree-acme"
  }

  expect_failures = [var.name]
}

run "refuses_the_prefix_of_documentation" {
  command = plan

  variables {
    name = "amzn-s3-demo-acme"
  }

  expect_failures = [var.name]
}

run "refuses_the_suffix_of_access_points" {
  command = plan

  variables {
    name = "acme-s3alias"
  }

  expect_failures = [var.name]
}

run "refuses_the_suffix_of_object_lambda" {
  command = plan

  variables {
    name = "acme--ols-s3"
  }

  expect_failures = [var.name]
}

run "refuses_the_suffix_of_multi_region_access_points" {
  command = plan

  variables {
    name = "acme.mrap"
  }

  expect_failures = [var.name]
}

run "refuses_the_suffix_of_directory_buckets" {
  command = plan

  variables {
    name = "acme--x-s3"
  }

  expect_failures = [var.name]
}

run "refuses_the_suffix_of_table_buckets" {
  command = plan

  variables {
    name = "acme--table-s3"
  }

  expect_failures = [var.name]
}

run "refuses_a_rule_without_a_name" {
  command = plan

  variables {
    lifecycle_rules = { "" = { expire_days = 1 } }
  }

  expect_failures = [var.lifecycle_rules]
}

run "refuses_a_name_of_a_rule_too_long" {
  command = plan

  variables {
    lifecycle_rules = { (format("%0256d", 0)) = { expire_days = 1 } }
  }

  expect_failures = [var.lifecycle_rules]
}

run "refuses_a_prefix_longer_than_a_key" {
  command = plan

  variables {
    lifecycle_rules = { a = { prefix = format("%01025d", 0), expire_days = 1 } }
  }

  expect_failures = [var.lifecycle_rules]
}

run "refuses_expiry_within_the_day" {
  command = plan

  variables {
    lifecycle_rules = { a = { expire_days = 0 } }
  }

  expect_failures = [var.lifecycle_rules]
}

run "refuses_expiry_after_half_a_day_more" {
  command = plan

  variables {
    lifecycle_rules = { a = { expire_days = 1.5 } }
  }

  expect_failures = [var.lifecycle_rules]
}

run "refuses_expiry_later_than_s3_counts" {
  command = plan

  variables {
    lifecycle_rules = { a = { expire_days = 2147483648 } }
  }

  expect_failures = [var.lifecycle_rules]
}

run "refuses_the_name_of_its_own_rule" {
  command = plan

  variables {
    lifecycle_rules = { remove-leftovers = { expire_days = 1 } }
  }

  expect_failures = [var.lifecycle_rules]
}

run "refuses_older_versions_kept_for_no_day" {
  command = plan

  variables {
    leftover_days = { noncurrent = 0 }
  }

  expect_failures = [var.leftover_days]
}

run "refuses_uploads_aborted_after_half_a_day" {
  command = plan

  variables {
    leftover_days = { incomplete_upload = 0.5 }
  }

  expect_failures = [var.leftover_days]
}

run "refuses_older_versions_kept_longer_than_s3_counts" {
  command = plan

  variables {
    leftover_days = { noncurrent = 2147483648 }
  }

  expect_failures = [var.leftover_days]
}

run "refuses_a_key_by_alias" {
  command = plan

  variables {
    kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:alias/acme" }
  }

  expect_failures = [var.kms_key]
}

run "refuses_a_key_of_another_region" {
  command = plan

  variables {
    kms_key = { arn = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
  }

  expect_failures = [var.kms_key]
}

run "refuses_a_lock_of_no_days" {
  command = plan

  variables {
    object_lock_days = 0
  }

  expect_failures = [var.object_lock_days]
}

run "refuses_a_lock_of_more_days_than_s3_takes" {
  command = plan

  variables {
    object_lock_days = 36501
  }

  expect_failures = [var.object_lock_days]
}
