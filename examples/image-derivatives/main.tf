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

module "images" {
  # From another repository:
  # source = "git::https://github.com/OWNER/terraform-aws-event-pipelines.git//pipelines/image-derivatives?ref=v0.1.0"
  source = "../../pipelines/image-derivatives"

  name_prefix = var.name_prefix
  package     = local.packages["create_image_derivative"]

  derivatives = {
    thumbnail = { max_width = 128, max_height = 128 }
    mobile    = { max_width = 640, max_height = 640 }
    banner    = { max_width = 1200, max_height = 300 }
  }
  lifecycle_days       = { ingest = 7 }
  force_destroy_bucket = var.force_destroy

  alarm = { actions = [module.on_call.topic_arn] }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

module "on_call" {
  source = "../../modules/sns-filtered-fanout"

  name = "${var.name_prefix}-on-call"
  publishers = {
    alarms = {
      service = "cloudwatch"
      source_arn = join(":", [
        "arn", data.aws_partition.current.partition, "cloudwatch", var.region, data.aws_caller_identity.current.account_id,
        "alarm", "${var.name_prefix}-*",
      ])
    }
  }
}
