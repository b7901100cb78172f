provider "aws" {
  region = var.region
}

locals {
  # The zips, and what they were built for.
  manifest = jsondecode(file("${var.package_directory}/manifest.json"))

  packages = {
    for name, function in local.manifest.functions : name => {
      path         = "${var.package_directory}/${function.package}"
      handler      = function.handler
      content_hash = function.content_hash
      size_bytes   = function.size_bytes
      runtime      = local.manifest.runtime
      architecture = local.manifest.architecture
    }
  }
}

module "customers" {
  # From another repository:
  # source = "git::https://github.com/OWNER/terraform-aws-event-pipelines.git//pipelines/csv-import?ref=v0.1.0"
  source = "../../pipelines/csv-import"

  name_prefix = var.name_prefix
  packages = {
    split = local.packages["split_csv"]
    load  = local.packages["load_csv_rows"]
  }

  key_columns = ["customer_number"]
  columns     = { balance = "number", active = "bool", signed_up = "timestamp" }
  write_mode  = "last_row_wins"

  pace                 = { table_write_capacity = 50 }
  expected_rows        = 500000 # the plan fails if this takes too long
  max_rejected_percent = 5
  notices              = {}
  force_destroy_bucket = var.force_destroy
}
