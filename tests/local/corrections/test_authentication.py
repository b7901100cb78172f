"""Who has no credentials of the engine gets nothing from it."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ministack
import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from event_pipelines.local.engine import ACCOUNT_ID, HOST
from local.corrections.cloud import MAY_LOG, REGION, Cloud

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
# What MiniStack itself takes for the root, with whatever secret.
ROOT_TO_MINISTACK = ("test", ACCOUNT_ID)
REFUSAL = re.compile(
    "Token|AccessDenied|InvalidAccessKeyId|UnrecognizedClient|Forbidden|Signature|AWSAccessKeyId"
)
PORTABLE = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def strings(*files: str) -> Iterator[str]:
    """Every text in MiniStack's own modules, from which it routes."""
    for file in files:
        source = (Path(ministack.__file__).parent / file).read_text()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def routes() -> list[str]:
    found = {
        text for text in strings("app.py", "core/router.py") if re.fullmatch(r"/[\w./-]*", text)
    }
    # What ends in a slash is the beginning of routes.
    return sorted(found | {f"{route}x" for route in found if route.endswith("/")})


def hosts() -> list[str]:
    """Names by which MiniStack knows a service, each in the form of a host."""
    names = {text for text in strings("app.py") if re.fullmatch(r"[a-z][a-z0-9-]{1,30}", text)}
    return sorted(f"{name}.{REGION}.localhost" for name in names)


def ask(cloud: Cloud, method: str, path: str, host: str = "", **keys: str) -> Any:
    """Asks with the signature of these keys, or with none."""
    url = f"{cloud.engine.endpoint}{path}"
    request = AWSRequest(method, url, {"Host": host or f"{HOST}:{cloud.engine.port}"})
    if keys:
        signer = Credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"])
        SigV4Auth(signer, "sts", REGION).add_auth(request)
    return pool(str(cloud.engine.ca_bundle)).request(
        method, url, headers=dict(request.headers), redirect=False, retries=False
    )


def pool(authority: str, known: dict[str, urllib3.PoolManager] = {}) -> urllib3.PoolManager:  # noqa: B006
    return known.setdefault(authority, urllib3.PoolManager(ca_certs=authority))


def is_refusal(answer: Any, method: str) -> bool:
    refused = answer.status in (400, 401, 403)
    return refused and (method == "HEAD" or REFUSAL.search(answer.data.decode()) is not None)


@pytest.mark.parametrize("key", ["", *ROOT_TO_MINISTACK])
def test_no_route_of_the_engine_answers_a_stranger(uncorrected: Cloud, key: str) -> None:
    keys = {"aws_access_key_id": key, "aws_secret_access_key": "test"} if key else {}
    found = routes()
    # Some that are known, so that a table which is written otherwise does not go unread.
    assert {"/_ministack/health", "/health", "/_ministack/reset", "/_ministack/config"} <= {*found}
    assert len(found) > 50

    answered = [
        (method, route)
        for route in found
        for method in METHODS
        if not is_refusal(ask(uncorrected, method, route, **keys), method)
    ]

    assert answered == []


def test_no_host_of_the_engine_answers_a_stranger(uncorrected: Cloud) -> None:
    found = hosts()
    assert {f"{name}.{REGION}.localhost" for name in ("lambda", "s3", "appsync-api")} <= {*found}

    answered = [host for host in found if not is_refusal(ask(uncorrected, "GET", "/", host), "GET")]

    assert answered == []


def test_the_engines_own_routes_are_for_root_alone(corrected: Cloud) -> None:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    user = corrected.user(everything)
    own = [route for route in routes() if route.startswith("/_") or route.endswith("health")]
    for route in own:
        assert is_refusal(ask(corrected, "POST", route, **user), "POST"), route
        assert is_refusal(ask(corrected, "GET", route, **user), "GET"), route

    health = ask(corrected, "GET", "/_ministack/health", **corrected.root)
    assert json.loads(health.data)["auth"] == "enabled"


@pytest.mark.parametrize("wrong", ["guessed", "", "test"])
def test_the_root_has_one_secret(corrected: Cloud, wrong: str) -> None:
    for key in (corrected.root["aws_access_key_id"], ACCOUNT_ID, "210987654321"):
        keys = {"aws_access_key_id": key, "aws_secret_access_key": wrong or "x"}
        sts = corrected.client("sts", **keys)
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            sts.get_caller_identity()
        right = keys | {"aws_secret_access_key": corrected.root["aws_secret_access_key"]}
        account = key if key.isdigit() else ACCOUNT_ID
        assert corrected.client("sts", **right).get_caller_identity()["Account"] == account


def test_every_start_has_credentials_of_its_own(corrected: Cloud, uncorrected: Cloud) -> None:
    assert corrected.root.keys() == uncorrected.root.keys()
    assert {*corrected.root.values()}.isdisjoint(uncorrected.root.values())
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        corrected.client("sts", **uncorrected.root).get_caller_identity()


def test_the_environment_names_the_credentials_file_and_no_secret(corrected: Cloud) -> None:
    environment = corrected.engine.process_environment(REGION, {"PATH": os.environ["PATH"]})
    assert not any(secret in environment.values() for secret in corrected.root.values())
    client = "import boto3; boto3.client('sts').get_caller_identity()"
    command = [sys.executable, "-c", client]
    subprocess.run(command, env=environment, check=True)

    # The same as somebody who may not read the file, of which the mode and the folder's see to it.
    stranger = environment | {"AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    refused = subprocess.run(command, env=stranger, capture_output=True, text=True)
    assert "NoCredentialsError" in refused.stderr
    guessed = stranger | dict.fromkeys(PORTABLE, "test")
    refused = subprocess.run(command, env=guessed, capture_output=True, text=True)
    assert "InvalidClientTokenId" in refused.stderr


@pytest.mark.parametrize("engine_of", ["corrected", "uncorrected"])
def test_a_function_inherits_no_credentials_of_root(
    engine_of: str, request: pytest.FixtureRequest
) -> None:
    cloud: Cloud = request.getfixturevalue(engine_of)
    dump = "import os\n\ndef handler(event, context):\n    return dict(os.environ)"
    seen = cloud.invoke(cloud.function(dump, role=cloud.role(MAY_LOG))).payload
    assert seen["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert not any(secret in seen.values() for secret in cloud.root.values())
    assert "AWS_SHARED_CREDENTIALS_FILE" not in seen


def test_an_address_that_is_signed_is_good_for_what_it_was_signed_for(corrected: Cloud) -> None:
    s3, bucket = corrected.client("s3"), corrected.bucket()
    s3.put_object(Bucket=bucket, Key="a key", Body=b"content")
    where = {"Bucket": bucket, "Key": "a key"}
    signed = urlsplit(s3.generate_presigned_url("get_object", where))

    path = f"{signed.path}?{signed.query}"
    assert ask(corrected, "GET", path).data == b"content"
    assert is_refusal(ask(corrected, "GET", path.replace("Signature=", "Signature=0")), "GET")
    assert is_refusal(ask(corrected, "PUT", path), "PUT")
    assert is_refusal(ask(corrected, "GET", f"/_ministack/health?{signed.query}"), "GET")
    assert is_refusal(ask(corrected, "GET", signed.path), "GET")


def test_a_form_is_taken_with_a_signature_only(corrected: Cloud) -> None:
    s3, bucket = corrected.client("s3"), corrected.bucket()
    signed = s3.generate_presigned_post(bucket, "a")

    def post(fields: dict[str, str]) -> int:
        parts: Any = {**fields, "file": ("name", b"content")}
        client = pool(str(corrected.engine.ca_bundle))
        return client.request("POST", signed["url"], fields=parts, retries=False).status

    assert post(signed["fields"]) == 204
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"content"
    for left_out in ("signature", "policy"):
        fields = {name: value for name, value in signed["fields"].items() if name != left_out}
        assert post(fields) in (400, 403)
    assert post({"key": "b"}) == 403
    assert post(signed["fields"] | {"signature": "0" * 28}) == 403
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["a"]


def test_what_looks_like_a_form_is_no_way_round_a_signature(corrected: Cloud) -> None:
    s3, bucket = corrected.client("s3"), corrected.bucket()
    s3.put_object(Bucket=bucket, Key="kept", Body=b"x")
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:*"}
    policy = [{**everybody, "Resource": f"arn:aws:s3:::{bucket}{part}"} for part in ("", "/*")]
    document = {"Version": "2012-10-17", "Statement": policy}
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
    fields = 'Content-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    signature = f"--B\r\n{fields.format('signature', 'x')}--B--\r\n"
    unsigned = "".join(f"--A\r\n{fields.format(*each)}" for each in (("key", "a"), ("file", "x")))
    form, as_form = f"{unsigned}--A--\r\n{signature}", "multipart/form-data; boundary={}"
    deletion = f"<Delete><![CDATA[\r\n{signature}]]><Object><Key>kept</Key></Object></Delete>"
    tries: list[tuple[str, str, list[str]]] = [
        (f"/{bucket}", form, [as_form.format("A"), as_form.format("B")]),
        (f"/{bucket}", form, [as_form.format("B"), as_form.format("A")]),
        (f"/{bucket}?delete", deletion, [as_form.format("B")]),
    ]

    for path, body, types in tries:
        headers = urllib3.HTTPHeaderDict()
        for kind in types:
            headers.add("Content-Type", kind)
        answer = pool(str(corrected.engine.ca_bundle)).request(
            "POST", f"{corrected.engine.endpoint}{path}", body=body, headers=headers, retries=False
        )
        assert answer.status in (400, 403), path
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["kept"]
