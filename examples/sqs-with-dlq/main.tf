provider "aws" {
  region = var.region
}

module "invoices" {
  # From another repository:
  # source = "git::https://github.com/OWNER/terraform-aws-event-pipelines.git//modules/sqs-with-dlq?ref=v0.1.0"
  source = "../../modules/sqs-with-dlq"

  name = "invoices"

  # Rendering an invoice takes up to two minutes. For a Lambda function, set `consumer`
  # instead, which derives this value.
  visibility_timeout_seconds = 300
  max_receive_count          = 3

  alarm = {
    actions     = [module.on_call.topic_arn]
    age_seconds = 1800
  }
}

module "on_call" {
  source = "../../modules/sns-filtered-fanout"

  name       = "invoices-on-call"
  publishers = { alarms = { service = "cloudwatch", source_arn = local.alarm_arns } }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  # One pattern for both alarms; only this queue's alarms match it.
  account_id = data.aws_caller_identity.current.account_id
  alarm_arns = "arn:${data.aws_partition.current.partition}:cloudwatch:${var.region}:${local.account_id}:alarm:invoices-*"
}

# For the role of the queue's consumer. Senders of the same account only need sqs:SendMessage in
# their own policy.
resource "aws_iam_policy" "worker" {
  name        = "invoices-worker-${var.region}"
  description = "Receive, prolong and delete messages of the queue invoices"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
      Resource = module.invoices.queue.arn
    }]
  })
}
