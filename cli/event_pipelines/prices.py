"""List prices in US dollars, without free tiers, volume discounts, savings plans and taxes.

No other module has prices. To update them, read the pages named here and change `LISTED`.
"""

# Region and month of the prices below.
REGION = "us-east-1"
LISTED = "2025-11"

_MILLION = 1_000_000

# https://aws.amazon.com/lambda/pricing/
LAMBDA_REQUEST = 0.20 / _MILLION
LAMBDA_GB_SECOND = {"arm64": 0.0000133334, "x86_64": 0.0000166667}

# https://aws.amazon.com/sqs/pricing/ - a request carries 64 KB, a larger one counts as several.
SQS_REQUEST = 0.40 / _MILLION
SQS_FIFO_REQUEST = 0.50 / _MILLION
SQS_REQUEST_BYTES = 65_536

# https://aws.amazon.com/sns/pricing/ - deliveries to SQS cost nothing.
SNS_PUBLISH = 0.50 / _MILLION

# https://aws.amazon.com/s3/pricing/ - S3 Standard.
S3_PUT = 5.00 / _MILLION
S3_GET = 0.40 / _MILLION

# https://aws.amazon.com/dynamodb/pricing/ - Standard table class.
DYNAMODB_WRITE_UNIT = 0.625 / _MILLION
DYNAMODB_READ_UNIT = 0.125 / _MILLION
DYNAMODB_PROVISIONED_WRITE_UNIT_HOUR = 0.00065

# https://aws.amazon.com/cloudwatch/pricing/ - logs taken in, Standard class; an alarm of standard
# resolution for each metric that it watches.
LOGS_BYTE = 0.50 / 1024**3
ALARM_MONTH = 0.10
COMPOSITE_ALARM_MONTH = 0.50
DASHBOARD_MONTH = 3.00

# https://aws.amazon.com/kms/pricing/ - a customer managed key.
KEY_MONTH = 1.00
