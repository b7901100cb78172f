# Resources that such an account has already: in yours, replace them by data sources or names.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

# --- Identities: every role needs this boundary and this path

resource "aws_iam_policy" "boundary" {
  #checkov:skip=CKV_AWS_288:A boundary grants nothing, it limits the permissions of roles.
  #checkov:skip=CKV_AWS_290:As above.
  #checkov:skip=CKV_AWS_355:As above.
  name = "corp-workload-boundary"
  path = local.iam_path
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Action = [
        "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem",
        "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
        "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncryptFrom", "kms:ReEncryptTo",
        "logs:CreateLogStream", "logs:PutLogEvents",
        "s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:PutObject",
        "sns:Publish",
        "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage",
      ]
      Resource = "*"
    }]
  })
}

# --- Network: two subnets without internet access, and the endpoints that docs/security.md lists

resource "aws_vpc" "workloads" {
  #checkov:skip=CKV2_AWS_11:The network's owner enables flow logs.
  #checkov:skip=CKV2_AWS_12:As above.
  cidr_block           = "10.20.0.0/24"
  enable_dns_hostnames = true
  enable_dns_support   = true
}

resource "aws_subnet" "private" {
  count = 2

  vpc_id            = aws_vpc.workloads.id
  cidr_block        = cidrsubnet(aws_vpc.workloads.cidr_block, 2, count.index)
  availability_zone = "${var.region}${["a", "b"][count.index]}"
}

resource "aws_security_group" "functions" {
  #checkov:skip=CKV2_AWS_5:The functions of three modules are in it.
  name        = "corp-functions"
  description = "Functions reach endpoints by TLS, and nothing else"
  vpc_id      = aws_vpc.workloads.id
}

resource "aws_vpc_security_group_egress_rule" "functions" {
  security_group_id = aws_security_group.functions.id
  description       = "TLS"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_security_group" "endpoints" {
  name        = "corp-endpoints"
  description = "Endpoints take TLS from functions"
  vpc_id      = aws_vpc.workloads.id
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  security_group_id            = aws_security_group.endpoints.id
  description                  = "TLS"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.functions.id
}

resource "aws_vpc_endpoint" "gateway" {
  for_each = toset(["dynamodb", "s3"])

  vpc_id          = aws_vpc.workloads.id
  service_name    = "com.amazonaws.${var.region}.${each.key}"
  route_table_ids = [aws_vpc.workloads.main_route_table_id]
}

resource "aws_vpc_endpoint" "interface" {
  for_each = toset(["sqs"])

  vpc_id              = aws_vpc.workloads.id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = aws_subnet.private[*].id
  security_group_ids  = [aws_security_group.endpoints.id]
}

# --- The key of this workload, and the log group that all teams share

resource "aws_kms_key" "workload" {
  description         = "Everything that corp stores"
  enable_key_rotation = true
}

# Identities by their own policies, and the services that send to what is encrypted.
resource "aws_kms_key_policy" "workload" {
  key_id = aws_kms_key.workload.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "IdentitiesOfThisAccount"
        Effect    = "Allow"
        Action    = "kms:*"
        Resource  = "*"
        Principal = { AWS = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root" }
      }],
      [
        for service, arns in {
          events = module.import.key_sources.events
          s3     = module.images.key_sources.s3
          sns    = module.images.key_sources.sns
          } : {
          Sid       = "Sends-${service}"
          Effect    = "Allow"
          Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
          Resource  = "*"
          Principal = { Service = "${service}.amazonaws.com" }
          Condition = {
            ArnEquals    = { "aws:SourceArn" = arns }
            StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id }
          }
        }
      ],
    )
  })
}

resource "aws_cloudwatch_log_group" "shared" {
  #checkov:skip=CKV_AWS_158:With a key of all teams, which is not this one's.
  name              = "/corp/audit"
  retention_in_days = 400
}

# --- A bucket of another team, whose notification sends removals to its queue

module "documents" {
  source = "../../modules/private-bucket"

  name          = local.documents
  force_destroy = var.force_destroy
}

module "removals" {
  source = "../../modules/sqs-with-dlq"

  name     = "documents-removals"
  consumer = { timeout_seconds = 30 }
  senders  = { bucket = { service = "s3", source_arn = module.documents.bucket_arn_static } }
}
