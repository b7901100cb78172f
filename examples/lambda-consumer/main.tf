provider "aws" {
  region = var.region
}

locals {
  zip     = "${path.module}/build/price_order.zip"
  timeout = 20
}

module "price_order" {
  # From another repository:
  # source = "git::https://github.com/OWNER/terraform-aws-event-pipelines.git//modules/lambda-consumer?ref=v0.1.0"
  source = "../../modules/lambda-consumer"

  name        = "price-order"
  description = "Computes and stores an order's total"
  handler     = "price_order.handler.handler"

  package = {
    path = local.zip
    # Of the sources, not of the zip, which has its creation time: the same sources then always
    # have the same hash.
    content_hash = base64sha256(join("", [
      for file in sort(fileset("${path.module}/src", "**/*.py")) : "${file}:${filesha256("${path.module}/src/${file}")}"
    ]))
  }
  runtime      = var.runtime
  architecture = var.architecture

  timeout_seconds     = local.timeout
  queue               = module.orders.queue
  maximum_concurrency = 10

  environment = { TABLE_NAME = aws_dynamodb_table.totals.name }
  policies = {
    totals = jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = "dynamodb:PutItem"
        Resource = aws_dynamodb_table.totals.arn
      }]
    })
  }
}

module "orders" {
  source = "../../modules/sqs-with-dlq"

  name              = "orders-to-price"
  consumer          = { timeout_seconds = local.timeout } # sets the visibility timeout
  max_receive_count = 3
}

resource "aws_dynamodb_table" "totals" {
  name         = "order-totals"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "order"

  attribute {
    name = "order"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }
}
