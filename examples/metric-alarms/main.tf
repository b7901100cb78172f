provider "aws" {
  region = var.region
}

module "alarms" {
  # From another repository:
  # source = "git::https://github.com/OWNER/terraform-aws-event-pipelines.git//modules/metric-alarms?ref=v0.1.0"
  source = "../../modules/metric-alarms"

  name    = "shop"
  actions = [module.topic.topic_arn]
  alarms = {
    refused-orders = {
      description = "10 or more orders were refused within 5 minutes. Search the shop's log for outcome = refused."
      namespace   = "Shop"
      metric_name = "OrdersRefused"
      dimensions  = { shop = "main" }
      threshold   = 10
    }
    no-orders = {
      description         = "No order was placed for an hour. Check whether the shop is reachable."
      namespace           = "Shop"
      metric_name         = "OrdersPlaced"
      dimensions          = { shop = "main" }
      comparison_operator = "LessThanThreshold"
      evaluation_periods  = 12
      treat_missing_data  = "breaching"
    }
  }
}

data "aws_caller_identity" "current" {}

module "topic" {
  source = "../../modules/sns-filtered-fanout"

  name = "shop-alarms"
  publishers = {
    alarms = {
      service    = "cloudwatch"
      source_arn = "arn:aws:cloudwatch:${var.region}:${data.aws_caller_identity.current.account_id}:alarm:shop-*"
    }
  }
  email_subscribers = var.email_subscribers
}
