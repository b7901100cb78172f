# What variables.tf refers to, and so all that its guards need: tests/variables links to both files.

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  # Provider 5 has no `region` attribute here, provider 6 deprecates the others.
  region     = lookup(data.aws_region.current, "region", data.aws_region.current.id)
  account_id = data.aws_caller_identity.current.account_id

  quarantine_retention_seconds = 1209600

  # A file may be overwritten while the event of its older version waits: in the ingest queue, in
  # quarantine, once more in the ingest queue, and in the queue of its tenant.
  longest_wait_seconds = local.quarantine_retention_seconds + 3 * var.queues.message_retention_seconds
}
