# What variables.tf refers to, and so all that its guards need: tests/variables links to both files.

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  # Provider 5 has no `region` attribute here, provider 6 deprecates the others.
  region     = lookup(data.aws_region.current, "region", data.aws_region.current.id)
  account_id = data.aws_caller_identity.current.account_id
}
