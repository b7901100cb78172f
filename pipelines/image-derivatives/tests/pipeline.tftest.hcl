mock_provider "aws" {
  source = "../../tests/terraform/mocks"
}

variables {
  name_prefix = "acme"
  package = {
    path         = "../../tests/terraform/packages/function.zip" # nothing is uploaded
    handler      = "create_image_derivative.handler.handler"
    content_hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    size_bytes   = 22
    runtime      = "python3.13"
    architecture = "arm64"
  }
}

run "defaults" {
  command = plan

  assert {
    condition     = module.bucket.bucket.name == "acme-image-123456789012-eu-west-1"
    error_message = "The bucket is named by prefix, account and region."
  }
  assert {
    condition     = join(",", keys(output.pipeline.derivatives)) == "mobile,thumbnail"
    error_message = "Thumbnail and mobile are the default derivatives."
  }
  assert {
    condition     = output.pipeline.derivatives["thumbnail"].max_width == 128 && output.pipeline.derivatives["mobile"].max_height == 640
    error_message = "The default boxes are 128x128 and 640x640."
  }
  assert {
    condition = alltrue([
      for suffix in [".jpg", ".JPG", ".Jpg", ".jPg", ".jpeg", ".JPEG", ".PNG", ".webp", ".Gif", ".AVIF"] :
      contains(local.extension_cases, suffix)
    ])
    error_message = "Every letter case of every image type must start the pipeline."
  }
  assert {
    condition     = length(local.extension_cases) == 72 && length(distinct(local.extension_cases)) == 72
    error_message = "Six extensions have 72 letter cases (three letters have 8, four have 16), and S3 takes 100 rules."
  }
  assert {
    condition = (
      module.bucket.lifecycle_rules["expire-uploads"].expire_days == 30
      && module.bucket.lifecycle_rules["expire-uploads"].prefix == "ingest/"
    )
    error_message = "Uploads expire after 30 days."
  }
  assert {
    condition = (
      module.bucket.lifecycle_rules["remove-leftovers"].noncurrent_days == 1
      && module.bucket.lifecycle_rules["remove-leftovers"].incomplete_upload_days == 1
    )
    error_message = "Older versions and unfinished uploads are removed after a day."
  }
  assert {
    condition     = length(output.alarm_names) == 0
    error_message = "Without alarm there must be no alarms."
  }
}

run "every_object_below_the_prefix" {
  command = plan

  variables {
    suffixes       = "all"
    derivatives    = { twenty-characters-ab = { max_width = 1, max_height = 8192 } }
    lifecycle_days = { ingest = 1, noncurrent = 1, incomplete_upload = 1, rejections = 1 }
    function       = { memory_size_mb = 512 }
    # 63 characters: the longest bucket name.
    name_prefix = "a23456789-123456789-123456789-1234"
  }

  assert {
    condition     = length(module.bucket.bucket.name) == 63
    error_message = "This run must use exactly the limit of 63 characters."
  }
  assert {
    condition = {
      for id, rule in module.notification[0].rules : id => "${rule.filter_prefix}*${rule.filter_suffix}"
    } == { "topic:uploads" = "ingest/*" }
    error_message = "With all suffixes there is one rule for the whole prefix."
  }
}

run "forms_and_limits" {
  command = plan

  variables {
    derivatives = {
      thumbnail = { max_width = 128, max_height = 128 }
      card = {
        max_width     = 400
        max_height    = 300
        format        = "webp"
        quality       = 70
        fit           = "cover"
        position      = "top-left"
        background    = "#0A0b0c"
        cache_control = "public, max-age=31536000, immutable"
      }
      logo = { max_width = 200, max_height = 200, format = "auto" }
    }
    limits         = { max_pixels = 25000000, max_source_bytes = 20000000 }
    lifecycle_days = { ingest = null }
    alarm          = { actions = [], rejections = 1 }

    late_after_seconds = 345599
    # HEIC with its decoder.
    allowed_formats = ["JPEG", "HEIC"]
    package = {
      path         = "../../tests/terraform/packages/function.zip"
      handler      = "create_image_derivative.handler.handler"
      content_hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
      size_bytes   = 22
      runtime      = "python3.13"
      architecture = "arm64"
      extras       = ["heic"]
    }
  }

  assert {
    condition     = !contains(keys(module.bucket.lifecycle_rules), "expire-uploads")
    error_message = "Uploads stay when lifecycle_days.ingest is null."
  }
  assert {
    condition     = length(module.bucket.lifecycle_rules) == 2
    error_message = "Rejection records and leftovers must still expire."
  }
  assert {
    condition     = length(distinct([for derivative in output.pipeline.derivatives : derivative.settings_id])) == 3
    error_message = "Each derivative must have a settings_id."
  }
  assert {
    condition = { for name, derivative in output.pipeline.derivatives : name => derivative.format } == {
      card      = "webp"
      logo      = "auto"
      thumbnail = "jpeg"
    }
    error_message = "The output must have the format of each derivative."
  }
  assert {
    condition     = contains(output.alarm_names, "acme-image-thumbnail-oldest-message-age")
    error_message = "late_after_seconds may be as long as the queue keeps a message."
  }
}

run "forms_that_cannot_be" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    derivatives = { a = { max_width = 1, max_height = 1, format = "gif" } }
    limits      = { max_source_bytes = 400000001 }
  }
  expect_failures = [var.derivatives, var.limits]
}

run "quality_of_png" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    derivatives = { a = { max_width = 1, max_height = 1, format = "png", quality = 80 } }
  }
  expect_failures = [var.derivatives]
}

run "fit_that_is_neither" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    derivatives = { a = { max_width = 1, max_height = 1, fit = "fill" } }
  }
  expect_failures = [var.derivatives]
}

run "position_without_cover" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    derivatives = { a = { max_width = 1, max_height = 1, position = "top" } }
  }
  expect_failures = [var.derivatives]
}

run "background_by_name" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    derivatives = { a = { max_width = 1, max_height = 1, background = "white" } }
  }
  expect_failures = [var.derivatives]
}

run "cache_control_with_a_line_feed" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    derivatives = { a = { max_width = 1, max_height = 1, cache_control = "public\nx" } }
  }
  expect_failures = [var.derivatives]
}

run "bucket_name_too_long" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    name_prefix = "a23456789-123456789-123456789-12345"
  }
  expect_failures = [var.name_prefix]
}

run "output_inside_source" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    output_prefix = "ingest/derived/"
  }
  expect_failures = [var.output_prefix]
}

run "rejections_inside_source" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    rejections_prefix = "ingest/rejections/"
  }
  expect_failures = [var.rejections_prefix]
}

run "rejections_inside_output" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    rejections_prefix = "derived/rejections/"
  }
  expect_failures = [var.rejections_prefix]
}

run "output_without_a_slash" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    output_prefix = "derived"
  }
  expect_failures = [var.output_prefix]
}

run "rejections_below_nothing" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    rejections_prefix = "a//b/"
  }
  expect_failures = [var.rejections_prefix]
}

run "values_that_cannot_work" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    derivatives     = { Thumbnail = { max_width = 128, max_height = 128 } }
    extensions      = [".jpg"]
    allowed_formats = ["EPS"]
    source_prefix   = "/ingest/"
    lifecycle_days  = { ingest = 0 }
    function        = { memory_size_mb = 511 }
    suffixes        = "jpg"
    tolerate        = "everything"
  }
  expect_failures = [
    var.derivatives, var.extensions, var.suffixes, var.allowed_formats, var.source_prefix,
    var.lifecycle_days, var.function, var.tolerate,
  ]
}

run "no_extensions" {
  command = plan
  variables {
    extensions = []
    # Only looks like a name that AWS keeps for itself.
    name_prefix = "sthrees"
  }
  assert {
    condition     = keys(module.notification[0].rules) == ["topic:uploads"]
    error_message = "Without extensions there is one rule for the whole prefix."
  }
  assert {
    condition     = output.pipeline.bucket == "sthrees-image-123456789012-eu-west-1"
    error_message = "The name has no reserved prefix."
  }
}

run "heic_without_its_decoder" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    allowed_formats = ["JPEG", "HEIC"]
  }
  expect_failures = [var.allowed_formats]
}

run "no_derivatives" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    derivatives = {}
  }
  expect_failures = [var.derivatives]
}

run "box_too_large" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    derivatives = { huge = { max_width = 8193, max_height = 1 } }
  }
  expect_failures = [var.derivatives]
}

run "a_name_that_aws_keeps_for_itself" {
  command = plan
  module { source = "./tests/variables" }
  variables {
    name_prefix = "sthree"
  }

  expect_failures = [var.name_prefix]
}
