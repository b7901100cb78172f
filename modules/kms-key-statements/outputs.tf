output "statements" {
  description = <<-EOT
    Lists of IAM policy statements by use, each to `concat` with the statements that grant the use itself; empty without a key.
    - `read_objects`, `write_objects`: objects in S3. Writing includes reading, as everywhere below.
    - `receive_messages`, `send_messages`: messages in SQS.
    - `publish`: messages to an SNS topic.
    - `read_items`, `write_items`: items in DynamoDB.
  EOT
  # Grants apply only through the named service.
  value = {
    for use, terms in local.uses : use => [
      for key in var.kms_key[*] : {
        Sid       = terms.sid
        Effect    = "Allow"
        Action    = terms.actions
        Resource  = key.arn
        Condition = { StringEquals = { "kms:ViaService" = "${terms.service}.${local.region}.${data.aws_partition.current.dns_suffix}" } }
      }
    ]
  }
}
