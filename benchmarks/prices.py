"""List prices in US dollars, without free tiers, volume discounts and taxes."""

# Region and month of the prices below.
REGION = "us-east-1"
LISTED = "2025-11"

_MILLION = 1_000_000

# https://aws.amazon.com/lambda/pricing/ (arm64)
LAMBDA_REQUEST = 0.20 / _MILLION
LAMBDA_GB_SECOND = 0.0000133334

# https://aws.amazon.com/sqs/pricing/ - a request carries 64 KB, a larger one counts as several.
SQS_REQUEST = 0.40 / _MILLION
SQS_REQUEST_BYTES = 65_536

# https://aws.amazon.com/s3/pricing/ - S3 Standard.
S3_PUT = 5.00 / _MILLION
S3_GET = 0.40 / _MILLION

# https://aws.amazon.com/dynamodb/pricing/ - on demand, Standard table class.
DYNAMODB_WRITE_UNIT = 0.625 / _MILLION
DYNAMODB_READ_UNIT = 0.125 / _MILLION
