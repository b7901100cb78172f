# What the AWS provider would answer in account 123456789012, eu-west-1, for every module's tests:
#
#   mock_provider "aws" {
#     source = "../../tests/terraform/mocks"
#   }
#
# Without these, Terraform invents random strings, and a plan breaks wherever one has to be an ARN.
# A default belongs to a type, not to one resource: two queues answer with the same ARN. A test that
# must tell them apart, or that applies a module comparing an ARN with its own name, adds
# override_resource for the resource in question.

mock_data "aws_caller_identity" {
  defaults = {
    account_id = "123456789012"
    arn        = "arn:aws:iam::123456789012:user/test"
    id         = "123456789012"
    user_id    = "AIDAEXAMPLEEXAMPLE123"
  }
}

# "region" is what provider 6 calls it; provider 5 has no such attribute and ignores the line.
mock_data "aws_region" {
  defaults = {
    description = "Europe (Ireland)"
    endpoint    = "ec2.eu-west-1.amazonaws.com"
    id          = "eu-west-1"
    name        = "eu-west-1"
    region      = "eu-west-1"
  }
}

mock_data "aws_partition" {
  defaults = {
    dns_suffix         = "amazonaws.com"
    id                 = "aws"
    partition          = "aws"
    reverse_dns_prefix = "com.amazonaws"
  }
}

mock_data "aws_iam_policy_document" {
  defaults = {
    json          = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
    minified_json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
  }
}

mock_data "aws_s3_bucket" {
  defaults = {
    arn    = "arn:aws:s3:::mock-bucket"
    bucket = "mock-bucket"
    id     = "mock-bucket"
    region = "eu-west-1"
  }
}

mock_resource "aws_sqs_queue" {
  defaults = {
    arn = "arn:aws:sqs:eu-west-1:123456789012:mock-queue"
    id  = "https://sqs.eu-west-1.amazonaws.com/123456789012/mock-queue"
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/mock-queue"
  }
}

mock_resource "aws_sns_topic" {
  defaults = {
    arn   = "arn:aws:sns:eu-west-1:123456789012:mock-topic"
    id    = "arn:aws:sns:eu-west-1:123456789012:mock-topic"
    owner = "123456789012"
  }
}

mock_resource "aws_sns_topic_subscription" {
  defaults = {
    arn                            = "arn:aws:sns:eu-west-1:123456789012:mock-topic:00000000-0000-4000-8000-000000000001"
    confirmation_was_authenticated = true
    id                             = "arn:aws:sns:eu-west-1:123456789012:mock-topic:00000000-0000-4000-8000-000000000001"
    owner_id                       = "123456789012"
    pending_confirmation           = false
    filter_policy_scope            = "MessageAttributes"
  }
}

mock_resource "aws_lambda_function" {
  defaults = {
    arn                  = "arn:aws:lambda:eu-west-1:123456789012:function:mock-function"
    code_sha256          = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    id                   = "mock-function"
    invoke_arn           = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:mock-function/invocations"
    last_modified        = "2026-01-01T00:00:00.000+0000"
    qualified_arn        = "arn:aws:lambda:eu-west-1:123456789012:function:mock-function:1"
    qualified_invoke_arn = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:mock-function:1/invocations"
    source_code_size     = 1024
    version              = "1"
  }
}

mock_resource "aws_lambda_event_source_mapping" {
  defaults = {
    arn          = "arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:00000000-0000-4000-8000-000000000002"
    function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:mock-function"
    id           = "00000000-0000-4000-8000-000000000002"
    state        = "Enabled"
    uuid         = "00000000-0000-4000-8000-000000000002"
  }
}

mock_resource "aws_iam_role" {
  defaults = {
    arn         = "arn:aws:iam::123456789012:role/mock-role"
    create_date = "2026-01-01T00:00:00Z"
    id          = "mock-role"
    unique_id   = "AROAEXAMPLEEXAMPLE123"
  }
}

mock_resource "aws_iam_policy" {
  defaults = {
    arn       = "arn:aws:iam::123456789012:policy/mock-policy"
    id        = "arn:aws:iam::123456789012:policy/mock-policy"
    policy_id = "ANPAEXAMPLEEXAMPLE123"
  }
}

mock_resource "aws_cloudwatch_log_group" {
  defaults = {
    arn = "arn:aws:logs:eu-west-1:123456789012:log-group:mock-log-group"
    id  = "mock-log-group"
  }
}

mock_resource "aws_cloudwatch_metric_alarm" {
  defaults = {
    arn = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:mock-alarm"
    id  = "mock-alarm"
  }
}

mock_resource "aws_cloudwatch_dashboard" {
  defaults = {
    dashboard_arn = "arn:aws:cloudwatch::123456789012:dashboard/mock-dashboard"
    id            = "mock-dashboard"
  }
}

mock_resource "aws_s3_bucket" {
  defaults = {
    arn                         = "arn:aws:s3:::mock-bucket"
    bucket_domain_name          = "mock-bucket.s3.amazonaws.com"
    bucket_regional_domain_name = "mock-bucket.s3.eu-west-1.amazonaws.com"
    hosted_zone_id              = "Z1BKCTXD74EZPE"
    id                          = "mock-bucket"
    region                      = "eu-west-1"
  }
}

mock_resource "aws_s3_object" {
  defaults = {
    arn        = "arn:aws:s3:::mock-bucket/mock-key"
    etag       = "d41d8cd98f00b204e9800998ecf8427e"
    id         = "mock-key"
    version_id = "mock-version"
  }
}

mock_resource "aws_s3_bucket_notification" {
  defaults = {
    id = "mock-bucket"
  }
}

mock_resource "aws_dynamodb_table" {
  defaults = {
    arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/mock-table"
    id  = "mock-table"
  }
}

mock_resource "aws_kms_key" {
  defaults = {
    arn    = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-4000-8000-000000000003"
    id     = "00000000-0000-4000-8000-000000000003"
    key_id = "00000000-0000-4000-8000-000000000003"
  }
}
