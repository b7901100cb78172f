# The registry.

module "groups" {
  source = "../../modules/private-table"

  name                = local.groups_table
  hash_key            = "GroupName"
  deletion_protection = var.registry.deletion_protection
  kms_key             = var.kms_key
  tags                = var.tags
}

module "tenants" {
  source = "../../modules/private-table"

  name                = local.tenants_table
  hash_key            = "Name"
  indexes             = { by_group = { hash_key = "GroupName", range_key = "Name" } }
  deletion_protection = var.registry.deletion_protection
  kms_key             = var.kms_key
  tags                = var.tags
}
