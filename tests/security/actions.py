"""The actions that this project grants, and the kind of resource that each can be granted on.

Source: the Service Authorization Reference, one page per service,
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html and likewise
list_amazonsqs, list_amazonsns, list_amazondynamodb, list_awslambda, list_amazoncloudwatchlogs,
list_awssecuritytokenservice, list_awssystemsmanager, list_awskeymanagementservice, list_awsx-ray.
An action without a type in the column "Resource types" is NOTHING here: it is granted on "*".
"""

NOTHING = "nothing"

# Patterns of what a policy may say for each type; `name` is what has to begin with the name prefix.
_HERE = "[a-z0-9-]+:[0-9]{12}"
TYPES = {
    "bucket": r"arn:aws:s3:::(?P<name>[^/]+)",
    "object": r"arn:aws:s3:::(?P<name>[^/]+)/.+",
    "queue": rf"arn:aws:sqs:{_HERE}:(?P<name>[^:/]+)",
    "topic": rf"arn:aws:sns:{_HERE}:(?P<name>[^:/]+)",
    "table": rf"arn:aws:dynamodb:{_HERE}:table/(?P<name>[^/]+)",
    "table or index": rf"arn:aws:dynamodb:{_HERE}:table/(?P<name>[^/]+)(/index/[^/*]+)?",
    "mapping": rf"arn:aws:lambda:{_HERE}:event-source-mapping:(?P<name>[^:]+)",
    "log stream": rf"arn:aws:logs:{_HERE}:log-group:/aws/lambda/(?P<name>[^:/*]+):\*",
    "role": r"arn:aws:iam::[0-9]{12}:role/(?P<name>[^/]+)",
    "parameter": rf"arn:aws:ssm:{_HERE}:parameter/(?P<name>.+)",
}

# Whose resources say less than this condition key, so that they are granted on "*" and bounded by
# it: a mapping's ARN has a name of AWS's own, and one that is still to be made has none.
BOUND_BY = {
    "lambda:CreateEventSourceMapping": "lambda:FunctionArn",
    "lambda:DeleteEventSourceMapping": "lambda:FunctionArn",
    "lambda:UpdateEventSourceMapping": "lambda:FunctionArn",
}

ACTIONS = {
    "dynamodb:BatchGetItem": "table",
    "dynamodb:BatchWriteItem": "table",
    "dynamodb:ConditionCheckItem": "table",
    "dynamodb:DeleteItem": "table",
    "dynamodb:GetItem": "table",
    "dynamodb:PutItem": "table",
    "dynamodb:Query": "table or index",
    "dynamodb:Scan": "table or index",
    "dynamodb:UpdateItem": "table",
    "iam:GetRole": "role",
    "lambda:CreateEventSourceMapping": NOTHING,
    "lambda:DeleteEventSourceMapping": "mapping",
    "lambda:ListEventSourceMappings": NOTHING,
    "lambda:ListTags": "mapping",
    "lambda:TagResource": "mapping",
    "lambda:UpdateEventSourceMapping": "mapping",
    "logs:CreateLogStream": "log stream",
    "logs:PutLogEvents": "log stream",
    "s3:AbortMultipartUpload": "object",
    "s3:CreateBucket": "bucket",
    "s3:DeleteBucket": "bucket",
    "s3:DeleteObject": "object",
    "s3:DeleteObjectVersion": "object",
    "s3:GetBucketNotification": "bucket",
    "s3:GetBucketOwnershipControls": "bucket",
    "s3:GetBucketPolicy": "bucket",
    "s3:GetBucketPublicAccessBlock": "bucket",
    "s3:GetBucketTagging": "bucket",
    "s3:GetBucketVersioning": "bucket",
    "s3:GetEncryptionConfiguration": "bucket",
    "s3:GetLifecycleConfiguration": "bucket",
    "s3:GetObject": "object",
    "s3:GetObjectVersion": "object",
    "s3:ListAllMyBuckets": NOTHING,
    "s3:ListBucket": "bucket",
    "s3:ListBucketMultipartUploads": "bucket",
    "s3:ListBucketVersions": "bucket",
    "s3:PutBucketNotification": "bucket",
    "s3:PutBucketOwnershipControls": "bucket",
    "s3:PutBucketPolicy": "bucket",
    "s3:PutBucketPublicAccessBlock": "bucket",
    "s3:PutBucketTagging": "bucket",
    "s3:PutBucketVersioning": "bucket",
    "s3:PutEncryptionConfiguration": "bucket",
    "s3:PutLifecycleConfiguration": "bucket",
    "s3:PutObject": "object",
    "s3:PutObjectTagging": "object",
    "sns:Publish": "topic",
    "sqs:ChangeMessageVisibility": "queue",
    "sqs:CreateQueue": "queue",
    "sqs:DeleteMessage": "queue",
    "sqs:DeleteQueue": "queue",
    "sqs:GetQueueAttributes": "queue",
    "sqs:GetQueueUrl": "queue",
    "sqs:ListQueueTags": "queue",
    "sqs:ListQueues": NOTHING,
    "sqs:ReceiveMessage": "queue",
    "sqs:SendMessage": "queue",
    "sqs:SetQueueAttributes": "queue",
    "sqs:TagQueue": "queue",
    "ssm:GetParameter": "parameter",
    "sts:AssumeRole": "role",
    "sts:TagSession": "role",
}
