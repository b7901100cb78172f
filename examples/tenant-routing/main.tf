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

module "tenants" {
  # From another repository:
  # source = "git::https://github.com/OWNER/terraform-aws-event-pipelines.git//pipelines/tenant-routing?ref=v0.1.0"
  source = "../../pipelines/tenant-routing"

  name_prefix = var.name_prefix
  packages = {
    route   = local.packages["route_tenant_event"]
    process = local.packages["process_tenant_file"]
  }

  # Many small tenants: one fair queue for each group.
  queue_mode = "shared_fair"
  consumer   = { max_file_mb = 20, maximum_concurrency = 5 }
  # Enable it once there are tenants.
  registry = { deletion_protection = false }
}
