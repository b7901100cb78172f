"""Correction request_actions: which key a permission is asked for."""

from collections.abc import Callable

from botocore.exceptions import ClientError

from local.corrections.cloud import Cloud


def opened(cloud: Cloud, resource: str, *keys: str) -> list[str]:
    """The keys that somebody may write who is allowed to write `resource` of a bucket."""
    bucket = cloud.bucket()
    may_write = {
        "Effect": "Allow",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/{resource}",
    }
    s3 = cloud.client("s3", **cloud.user(may_write))
    written = []
    for key in keys:
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=b"")
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied":
                raise
        else:
            written.append(key)
    return written


def test_a_folder_is_what_lies_in_it_and_its_own_key(corrected: Cloud) -> None:
    seen = opened(corrected, "*/raw/*", "acme/raw/", "acme/raw", "acme/raw/a", "acme/raw//a")

    assert seen == ["acme/raw/", "acme/raw/a", "acme/raw//a"]


def test_two_slashes_in_a_key_are_not_compared_as_one(corrected: Cloud) -> None:
    assert opened(corrected, "acme/a", "acme//a", "acme/a", "acme/a/") == ["acme/a"]


def test_request_actions_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    still_needed("request_actions", opened(uncorrected, "*/raw/*", "acme/raw/") == [])
