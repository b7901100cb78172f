provider "aws" {
  region = var.region
}

module "orders" {
  # From another repository:
  # source = "git::https://github.com/OWNER/terraform-aws-event-pipelines.git//modules/sns-filtered-fanout?ref=v0.1.0"
  source = "../../modules/sns-filtered-fanout"

  name = "orders"

  subscriptions = {
    for name, subscriber in local.subscribers : name => {
      queue_arn     = module.queue[name].queue.arn
      filter_policy = subscriber.filter_policy
      dlq           = { arn = module.queue[name].dlq.arn }
    }
  }
}

locals {
  # The filters of the subscriptions, on the message's body, a JSON object.
  subscribers = {
    search   = { filter_policy = null }
    billing  = { filter_policy = jsonencode({ event = ["paid", "refunded"] }) }
    shipping = { filter_policy = jsonencode({ event = ["paid"], delivery = [{ "anything-but" = "download" }] }) }
  }
}

module "queue" {
  source   = "../../modules/sqs-with-dlq"
  for_each = local.subscribers

  name = "orders-${each.key}"

  # The static ARN has no dependency, so topic and queues can name each other. SNS sends messages
  # that it cannot deliver to the dead-letter queue.
  senders     = { orders = { service = "sns", source_arn = module.orders.topic_arn_static } }
  dlq_senders = { orders = { service = "sns", source_arn = module.orders.topic_arn_static } }
}
