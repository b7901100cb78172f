from shared.contracts.tenant_registry import ACTIVE, PER_TENANT, Group, Tenant


def test_a_tenant_is_what_the_registry_says() -> None:
    item = {
        "Name": {"S": "acme"},
        "GroupName": {"S": "retail"},
        "RootS3Bucket": {"S": "example-retail"},
        "BasePrefix": {"S": "acme/"},
        "Region": {"S": "eu-west-1"},
        "Status": {"S": "ACTIVE"},
        "QueueMode": {"S": "per_tenant"},
        "TargetQueueForRawFile": {"S": "https://sqs.example/1/acme-raw"},
        "TargetQueueArn": {"S": "arn:aws:sqs:eu-west-1:1:acme-raw"},
    }

    assert Tenant.from_item(item) == Tenant(
        name="acme",
        group="retail",
        bucket="example-retail",
        status=ACTIVE,
        queue_mode=PER_TENANT,
        queue_url="https://sqs.example/1/acme-raw",
        queue_arn="arn:aws:sqs:eu-west-1:1:acme-raw",
        region="eu-west-1",
        base_prefix="acme/",
    )


def test_a_group_is_what_the_registry_says() -> None:
    item = {
        "GroupName": {"S": "retail"},
        "BucketName": {"S": "example-retail"},
        "Status": {"S": "ACTIVE"},
        "QueueURL": {"S": "https://sqs.example/1/retail-ingest"},
    }

    assert Group.from_item(item) == Group(
        name="retail",
        bucket="example-retail",
        status=ACTIVE,
        queue_url="https://sqs.example/1/retail-ingest",
    )


def test_what_a_record_does_not_say_is_empty() -> None:
    assert Tenant.from_item({"Name": {"S": "acme"}}) == Tenant(name="acme")
    assert Group.from_item({}) == Group(name="")
    assert Tenant.from_item({"Name": {"S": "acme"}, "Status": {"N": "1"}}).status == ""
