provider "aws" {
  region = var.region
}

locals {
  iam_path  = "/workloads/corp/"
  documents = "documents-${data.aws_caller_identity.current.account_id}-${var.region}"
  vpc       = { subnet_ids = aws_subnet.private[*].id, security_group_ids = [aws_security_group.functions.id] }
}

# CSV files arrive by an EventBridge rule, without a change of the bucket's notification.
module "import" {
  # From another repository:
  # source = "git::https://github.com/OWNER/terraform-aws-event-pipelines.git//pipelines/csv-import?ref=v0.1.0"
  source = "../../pipelines/csv-import"

  name_prefix   = "corp"
  packages      = { split = local.packages["split_csv"], load = local.packages["load_csv_rows"] }
  source_bucket = { name = local.documents }

  permissions_boundary_arn = aws_iam_policy.boundary.arn
  iam_path                 = local.iam_path
  vpc                      = local.vpc
  kms_key                  = { arn = aws_kms_key.workload.arn }
  force_destroy_bucket     = var.force_destroy
}

# Pictures arrive by rules that the bucket's owner adds to its notification below.
module "images" {
  # From another repository:
  # source = "git::https://github.com/OWNER/terraform-aws-event-pipelines.git//pipelines/image-derivatives?ref=v0.1.0"
  source = "../../pipelines/image-derivatives"

  name_prefix   = "corp"
  package       = local.packages["create_image_derivative"]
  source_bucket = { name = local.documents, via = "s3" }

  permissions_boundary_arn = aws_iam_policy.boundary.arn
  iam_path                 = local.iam_path
  vpc                      = local.vpc
  kms_key                  = { arn = aws_kms_key.workload.arn }
  force_destroy_bucket     = var.force_destroy
}

# The owner's notification, with its existing rule and those of the pipeline.
module "notification" {
  source = "../../modules/bucket-notification"

  bucket      = module.documents.bucket.name
  queues      = { removals = { arn = module.removals.queue.arn, events = ["s3:ObjectRemoved:*"] } }
  topics      = module.images.pipeline.source.notification.topics
  eventbridge = true

  # S3 tests each target when it is set, and the topic is encrypted.
  depends_on = [aws_kms_key_policy.workload]
}

# A custom function with the same restrictions, which logs to the group that all teams share.
module "removal_log" {
  source = "../../modules/lambda-consumer"

  name         = "corp-removal-log"
  description  = "Writes a line for every document that is removed"
  package      = local.packages["log_object_event"]
  handler      = local.packages["log_object_event"].handler
  runtime      = local.manifest.runtime
  architecture = local.manifest.architecture
  queue        = module.removals.queue
  log_group    = { name = aws_cloudwatch_log_group.shared.name, create = false }

  permissions_boundary_arn = aws_iam_policy.boundary.arn
  iam_path                 = local.iam_path
  vpc                      = local.vpc

  environment = {
    STACK             = "corp"
    PIPELINE          = "removal-log"
    ROUTE             = "removal"
    ROUTE_EVENTS      = "ObjectRemoved:Delete,ObjectRemoved:DeleteMarkerCreated"
    REJECTIONS_BUCKET = module.import.pipeline.bucket
    REJECTIONS_PREFIX = "removal-log/"
  }
  policies = {
    rejections = jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = "s3:PutObject"
        Resource = "arn:${data.aws_partition.current.partition}:s3:::${module.import.pipeline.bucket}/removal-log/*"
      }]
    })
  }
}

locals {
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
