data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # Provider 6 renamed the attribute; lookup() is the one form that both majors accept.
  region = lookup(data.aws_region.current, "region", data.aws_region.current.id)

  read  = ["kms:Decrypt"]
  write = ["kms:Decrypt", "kms:GenerateDataKey"]

  # Permissions that DynamoDB requires of readers and writers, according to
  # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html, and without
  # kms:CreateGrant, which only the creator of the table needs.
  read_items = ["kms:Decrypt", "kms:DescribeKey"]
  write_items = [
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
  ]

  uses = {
    read_objects     = { sid = "OpenObjects", service = "s3", actions = local.read }
    write_objects    = { sid = "UseKeyOfObjects", service = "s3", actions = local.write }
    receive_messages = { sid = "OpenMessages", service = "sqs", actions = local.read }
    send_messages    = { sid = "UseKeyOfMessages", service = "sqs", actions = local.write }
    publish          = { sid = "UseKeyOfNotices", service = "sns", actions = local.write }
    read_items       = { sid = "OpenItems", service = "dynamodb", actions = local.read_items }
    write_items      = { sid = "UseKeyOfItems", service = "dynamodb", actions = local.write_items }
  }
}
