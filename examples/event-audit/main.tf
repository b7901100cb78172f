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

module "audit" {
  # From another repository:
  # source = "git::https://github.com/OWNER/terraform-aws-event-pipelines.git//pipelines/event-audit?ref=v0.1.0"
  source = "../../pipelines/event-audit"

  name_prefix = var.name_prefix
  package     = local.packages["log_object_event"]

  # The route `other` logs events that no route lists.
  routes = {
    upload  = { events = ["ObjectCreated:Put", "ObjectCreated:Post", "ObjectCreated:CompleteMultipartUpload"] }
    copy    = { events = ["ObjectCreated:Copy"] }
    removal = { events = ["ObjectRemoved:*"] }
    tagging = { events = ["ObjectTagging:*"] }
  }
  trail                 = { retention_days = 365 }
  force_destroy_buckets = var.force_destroy
}
