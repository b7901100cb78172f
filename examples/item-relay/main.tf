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

module "relay" {
  # From another repository:
  # source = "git::https://github.com/OWNER/terraform-aws-event-pipelines.git//pipelines/item-relay?ref=v0.1.0"
  source = "../../pipelines/item-relay"

  name_prefix = var.name_prefix
  package     = local.packages["update_item"]

  # Existing users, by group.
  members = {
    script  = var.script_users
    service = var.service_users
  }
  service              = { visibility_timeout_seconds = 300 }
  lifecycle_days       = { files = 365 }
  force_destroy_bucket = var.force_destroy
}
