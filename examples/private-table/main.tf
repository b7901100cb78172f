provider "aws" {
  region = var.region
}

module "orders" {
  # From another repository:
  # source = "git::https://github.com/OWNER/terraform-aws-event-pipelines.git//modules/private-table?ref=v0.1.0"
  source = "../../modules/private-table"

  name                = "acme-orders"
  hash_key            = "customer"
  range_key           = "order"
  ttl_attribute       = "expires_at"
  indexes             = { by_day = { hash_key = "day", range_key = "order" } }
  deletion_protection = var.deletion_protection
}
