"""What must be denied on the engine, each beside what the same principal may do."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from event_pipelines.local.engine import ACCOUNT_ID
from event_pipelines.local.stack import LocalStack
from event_pipelines.pipelines.tenant_names import Names
from event_pipelines.pipelines.tenant_platform import GroupAccess
from event_pipelines.tenants import policies
from security.conftest import read_calls
from security.operations import Done, key_of
from support.stacks import PREFIX, REGION

pytestmark = pytest.mark.xdist_group("security")

FOREIGN_ACCOUNT = "210987654321"
SUFFIX = f"{ACCOUNT_ID}-{REGION}"

# Runs as a function in a role of the stack, as code that somebody smuggled in would.
PROBE = """
import boto3
from botocore.exceptions import ClientError

def handler(event, context):
    found = {}
    for name, attempt in event.items():
        client = boto3.client(attempt["service"])
        try:
            getattr(client, attempt["call"])(**attempt["arguments"])
            found[name] = "allowed"
        except ClientError as error:
            found[name] = error.response["Error"]["Code"]
    return found
"""


@dataclass(frozen=True)
class Attempt:
    """A call as boto3 takes it."""

    service: str
    call: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def asks_for(self) -> tuple[str, str]:
        """The action as policies name it, and how the ARN of what it is on ends."""
        verb = "".join(word.title() for word in self.call.split("_"))
        action = "lambda:InvokeFunction" if verb == "Invoke" else f"{self.service}:{verb}"
        names = [str(value) for name, value in self.arguments.items() if name != "Body"]
        end = "/".join(names) if self.service == "s3" else names[0]
        return action, end.rpartition("/")[2] if self.service == "sqs" else end


def read(bucket: str, key: str) -> Attempt:
    return Attempt("s3", "get_object", {"Bucket": f"{PREFIX}-{bucket}-{SUFFIX}", "Key": key})


def write(bucket: str, key: str) -> Attempt:
    where = {"Bucket": f"{PREFIX}-{bucket}-{SUFFIX}", "Key": key}
    return Attempt("s3", "put_object", {**where, "Body": "probe"})


def send(queue: str) -> Attempt:
    url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT_ID}/{PREFIX}-{queue}"
    group = {"MessageGroupId": "probe", "MessageDeduplicationId": "probe"}
    arguments = {"QueueUrl": url, "MessageBody": "probe"}
    return Attempt("sqs", "send_message", arguments | (group if "fifo" in queue else {}))


def receive(queue: str) -> Attempt:
    return Attempt("sqs", "receive_message", {"QueueUrl": send(queue).arguments["QueueUrl"]})


def table(call: str, name: str, **arguments: Any) -> Attempt:
    return Attempt("dynamodb", call, {"TableName": f"{PREFIX}-{name}", **arguments})


def assume_tenant(*tags: str) -> Attempt:
    arguments = {
        "RoleArn": f"arn:aws:iam::{ACCOUNT_ID}:role/{PREFIX}-tenants-files-{REGION}",
        "RoleSessionName": "probe",
        "Tags": [{"Key": tag, "Value": "probe"} for tag in tags],
    }
    return Attempt("sts", "assume_role", arguments)


EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def escalate(role: str) -> Attempt:
    document = json.dumps({"Version": "2012-10-17", "Statement": [EVERYTHING]})
    arguments = {"RoleName": role, "PolicyName": "more", "PolicyDocument": document}
    return Attempt("iam", "put_role_policy", arguments)


def publish(topic: str) -> Attempt:
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:{PREFIX}-{topic}"
    return Attempt("sns", "publish", {"TopicArn": arn, "Message": "probe"})


LEDGER_KEY = {"import_id": {"S": "probe"}, "part": {"S": "IMPORT"}}

# By role: what its code may do, and what it must not.
ROLES: dict[str, tuple[dict[str, Attempt], dict[str, Attempt]]] = {
    "image-thumbnail": (
        {
            "reads an upload": read("image", "ingest/marked.jpg"),
            "writes its derivative": write("image", "derived/thumbnail/probe"),
        },
        {
            "reads another pipeline's bucket": read("relay", "files/thing.json"),
            "writes another derivative": write("image", "derived/mobile/probe"),
            "writes what would start it": write("image", "ingest/probe.jpg"),
            "publishes to its own topic": publish("image-uploads"),
            "becomes a tenant": assume_tenant("tenant", "group"),
            "calls another function": Attempt(
                "lambda", "invoke", {"FunctionName": f"{PREFIX}-image-mobile"}
            ),
            "grants itself everything": escalate(f"{PREFIX}-image-thumbnail-{REGION}"),
        },
    ),
    "audit-upload": (
        {"keeps a rejection": write("audit-rejections", "upload/probe")},
        {
            "reads what it audits": read("audit", "letter"),
            "keeps a rejection of another route": write("audit-rejections", "copy/probe"),
            "forgets what was seen": table(
                "delete_item",
                "audit-trail",
                Key={"object": {"S": "probe"}, "event": {"S": "probe"}},
            ),
        },
    ),
    "csv-split": (
        {
            "reads an upload": read("csv", "import/long.csv"),
            "sends rows": send("csv-rows"),
        },
        {
            "writes what would start it": write("csv", "import/probe.csv"),
            "reads what is loaded": table("get_item", "csv-items", Key={"id": {"S": "1"}}),
            "takes rows back": receive("csv-rows"),
            "asks for another pipeline's update": send("relay-updates"),
            "publishes uploads": publish("image-uploads"),
        },
    ),
    "csv-load": (
        {
            "reads the ledger": table("get_item", "csv-ledger", Key=LEDGER_KEY),
            "keeps a rejection": write("csv", "rejections/probe"),
        },
        {
            "reads an upload": read("csv", "import/long.csv"),
            "deletes an item": table("delete_item", "csv-items", Key={"id": {"S": "probe"}}),
            "reads all items": table("scan", "csv-items"),
            "sends itself rows": send("csv-rows"),
        },
    ),
    "relay-update": (
        {"announces an update": send("relay-finished.fifo")},
        {
            "takes what it announced": receive("relay-finished.fifo"),
            "takes from another pipeline's queue": receive("csv-rows"),
            "reads the dead letters": receive("relay-updates-dlq"),
            "creates an item": table("put_item", "relay-items", Item={"id": {"S": "probe"}}),
        },
    ),
    "tenants-route": (
        {
            "looks a tenant up": Attempt(
                "dynamodb",
                "batch_get_item",
                {"RequestItems": {f"{PREFIX}-Tenants": {"Keys": [{"Name": {"S": "probe"}}]}}},
            ),
        },
        {
            "changes the registry": table("put_item", "Tenants", Item={"Name": {"S": "probe"}}),
            "becomes a tenant": assume_tenant("tenant", "group"),
            "takes from quarantine": receive("tenants-quarantine"),
            "sends another pipeline rows": send("csv-rows"),
        },
    ),
    "tenants-process": (
        {"becomes a tenant": assume_tenant("tenant", "group")},
        {
            "becomes nobody": assume_tenant(),
            "becomes a tenant of no group": assume_tenant("tenant"),
            "becomes a tenant with another tag": assume_tenant("tenant", "group", "more"),
            "changes the registry": table("put_item", "Tenants", Item={"Name": {"S": "probe"}}),
            "reads the platform": Attempt(
                "ssm", "get_parameter", {"Name": f"/{PREFIX}/tenants/platform"}
            ),
        },
    ),
}


@pytest.fixture(autouse=True)
def _after_the_run(here: LocalStack, calls: object) -> None:
    """What is tried here must not be taken for something that a function needs."""
    assert here
    assert calls


def as_function(role: str, attempts: Mapping[str, Attempt], runtime: Any) -> dict[str, str]:
    """What code in the role gets for each attempt: "allowed", or the code of the refusal."""
    functions, name = boto3.client("lambda"), f"probe-{role}"
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("probe.py", PROBE)
    functions.create_function(
        FunctionName=name,
        Runtime=runtime,
        Role=f"arn:aws:iam::{ACCOUNT_ID}:role/{PREFIX}-{role}-{REGION}",
        Handler="probe.handler",
        Timeout=60,
        Code={"ZipFile": package.getvalue()},
    )
    try:
        payload = json.dumps({name: vars(attempt) for name, attempt in attempts.items()})
        answer = functions.invoke(FunctionName=name, Payload=payload)
        found: dict[str, str] = json.loads(answer["Payload"].read())
        return found
    finally:
        functions.delete_function(FunctionName=name)


def result(attempt: Callable[[], Any]) -> str:
    try:
        attempt()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "allowed"


def is_denial(code: str) -> bool:
    return "AccessDenied" in code or code == "AuthorizationError"


def unasked(who: str, attempts: Mapping[str, Attempt], recorded: Path) -> dict[str, Attempt]:
    """Attempts that no policy has decided on, because the call did not get that far."""
    asked = [call for call in read_calls(recorded) if call.who == who]
    return {
        name: attempt
        for name, attempt in attempts.items()
        if not any(
            call.action == attempt.asks_for[0] and call.resource.endswith(attempt.asks_for[1])
            for call in asked
        )
    }


@pytest.mark.parametrize("role", ROLES)
def test_code_in_a_role_does_its_own_and_nothing_else(
    role: str, here: LocalStack, recorded_calls: Path
) -> None:
    may, must_not = ROLES[role]

    found = as_function(role, may | must_not, here.engine.lambda_runtime)

    assert {name: found[name] for name in may} == dict.fromkeys(may, "allowed")
    assert {name: code for name, code in found.items() if not is_denial(code)}.keys() == may.keys()
    assert unasked(f"{PREFIX}-{role}-{REGION}", must_not, recorded_calls) == {}


@contextmanager
def user(
    *statements: Mapping[str, Any], policy: str | None = None, boundary: str | None = None
) -> Iterator[Any]:
    """A session of a new user whom the statements, or the policy with this ARN, allow.

    `boundary` is the ARN of a policy.
    """
    iam, name = boto3.client("iam"), policy.rpartition("/")[2] if policy else "somebody"
    with key_of(name) as key:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=document)
        if policy:
            iam.attach_user_policy(UserName=name, PolicyArn=policy)
        if boundary:
            iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=boundary)
        try:
            yield boto3.Session(
                aws_access_key_id=key["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=key["AWS_SECRET_ACCESS_KEY"],
            )
        finally:
            if policy:
                iam.detach_user_policy(UserName=name, PolicyArn=policy)
            if statements:
                iam.delete_user_policy(UserName=name, PolicyName="all")


def attempted(client: Any, attempt: Attempt) -> str:
    return result(lambda: getattr(client, attempt.call)(**attempt.arguments))


ITEM_KEY = {"id": {"S": "thing"}}
# By the policy that people and processes are given: what they may do, and what they must not.
PEOPLE: dict[str, tuple[dict[str, Attempt], dict[str, Attempt]]] = {
    "relay-script": (
        {"reads its item": table("get_item", "relay-items", Key=ITEM_KEY)},
        {
            "deletes an item": table("delete_item", "relay-items", Key=ITEM_KEY),
            "reads all items": table("scan", "relay-items"),
            "takes what is finished": receive("relay-finished.fifo"),
            "announces an update itself": send("relay-finished.fifo"),
            "reads what was refused": read("relay", "rejections/probe"),
        },
    ),
    "relay-service": (
        {"reads an item": table("get_item", "relay-items", Key=ITEM_KEY)},
        {
            "changes an item": table("put_item", "relay-items", Item=ITEM_KEY),
            "changes a file": write("relay", "files/thing.json"),
            "asks for an update": send("relay-updates"),
            "reads the dead letters": receive("relay-finished-dlq.fifo"),
        },
    ),
    "tenants-manager": (
        {
            "reads the platform": Attempt(
                "ssm", "get_parameter", {"Name": f"/{PREFIX}/tenants/platform"}
            )
        },
        {
            "reads a tenant's file": read("tg-north", "alice/raw/good.csv"),
            "becomes a tenant": assume_tenant("tenant", "group"),
            "reads another pipeline's bucket": read("relay", "files/thing.json"),
            "calls the function": Attempt(
                "lambda", "invoke", {"FunctionName": f"{PREFIX}-tenants-process"}
            ),
            "grants itself everything": escalate(f"{PREFIX}-tenants-process-{REGION}"),
        },
    ),
}


@pytest.fixture
def a_tenants_file() -> Iterator[None]:
    """In a bucket that is named as a group's; those of the run are deleted."""
    s3, where = boto3.client("s3"), read("tg-north", "alice/raw/good.csv").arguments
    s3.create_bucket(
        Bucket=where["Bucket"], CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    s3.put_object(**where)
    yield
    s3.delete_object(**where)
    s3.delete_bucket(Bucket=where["Bucket"])


@pytest.mark.usefixtures("a_tenants_file")
@pytest.mark.parametrize("policy", PEOPLE)
def test_users_with_a_policy_do_what_it_allows_and_nothing_else(
    policy: str, recorded_calls: Path
) -> None:
    may, must_not = PEOPLE[policy]
    name = f"{PREFIX}-{policy}-{REGION}"

    with user(policy=f"arn:aws:iam::{ACCOUNT_ID}:policy/{name}") as session:
        found = {
            what: attempted(session.client(attempt.service), attempt)
            for what, attempt in (may | must_not).items()
        }

    assert {what: found[what] for what in may} == dict.fromkeys(may, "allowed")
    assert {what: code for what, code in found.items() if not is_denial(code)}.keys() == may.keys()
    assert unasked(name, must_not, recorded_calls) == {}


SOMEBODY = f"arn:aws:iam::{ACCOUNT_ID}:user/somebody"
RAW = "tenant-alice-raw"


def opened(resource: str, action: str) -> str:
    """A policy that lets somebody in and denies nothing."""
    statement = {"Effect": "Allow", "Principal": {"AWS": SOMEBODY}, "Action": action}
    document = statement | ({"Resource": resource} if resource else {})
    return json.dumps({"Version": "2012-10-17", "Statement": document})


BUCKET = read("tg-north", "").arguments["Bucket"]
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{PREFIX}-{RAW}"
OPEN_QUEUE = {"Policy": opened(QUEUE_ARN, "sqs:ReceiveMessage")}
OPEN_BUCKET = opened(f"arn:aws:s3:::{BUCKET}/*", "s3:GetObject")
# Ways round what the manager is denied: what it changes first, and what it is after.
WAYS_ROUND: dict[str, tuple[Attempt, Attempt]] = {
    "bucket": (
        Attempt("s3", "put_bucket_policy", {"Bucket": BUCKET, "Policy": OPEN_BUCKET}),
        read("tg-north", "alice/raw/good.csv"),
    ),
    "queue": (
        Attempt(
            "sqs",
            "set_queue_attributes",
            {"QueueUrl": receive(RAW).arguments["QueueUrl"], "Attributes": OPEN_QUEUE},
        ),
        receive(RAW),
    ),
    "role": (
        Attempt(
            "iam",
            "update_assume_role_policy",
            {
                "RoleName": f"{PREFIX}-tenants-files-{REGION}",
                "PolicyDocument": opened("", "sts:AssumeRole"),
            },
        ),
        assume_tenant(),
    ),
    "boundary": (
        Attempt("iam", "delete_user_permissions_boundary", {"UserName": "somebody"}),
        read("tg-north", "alice/raw/good.csv"),
    ),
}


@contextmanager
def closed(administrators: list[str]) -> Iterator[None]:
    """The bucket of a group and a tenant's queue have the policies that `tenants` writes."""
    names = Names(PREFIX, ACCOUNT_ID, REGION, "aws", "", 40)
    access = GroupAccess(administrators, [])
    s3, sqs, iam = boto3.client("s3"), boto3.client("sqs"), boto3.client("iam")
    policy = policies.of_bucket(names, access, f"arn:aws:s3:::{BUCKET}")
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    policy = policies.of_queue(names, access, QUEUE_ARN, "process", [])
    url = sqs.create_queue(QueueName=f"{PREFIX}-{RAW}", Attributes={"Policy": json.dumps(policy)})[
        "QueueUrl"
    ]
    role = names.role("files")
    trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    try:
        yield
    finally:
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))
        sqs.delete_queue(QueueUrl=url)


@contextmanager
def boundary_of_the_manager(outputs: Mapping[str, Any]) -> Iterator[str]:
    iam = boto3.client("iam")
    arn = iam.create_policy(
        PolicyName="boundary", PolicyDocument=outputs["tenant_manager_boundary"]
    )["Policy"]["Arn"]
    try:
        yield arn
    finally:
        iam.delete_policy(PolicyArn=arn)


@pytest.mark.usefixtures("a_tenants_file")
@pytest.mark.parametrize("way", WAYS_ROUND)
def test_the_boundary_closes_each_way_round_the_managers_policy(way: str, here: LocalStack) -> None:
    """Even of a manager who is allowed everything, and whom somebody else opens the door for."""
    change, reach = WAYS_ROUND[way]
    with closed([]), boundary_of_the_manager(here.outputs) as boundary:
        with user(EVERYTHING, boundary=boundary) as manager:
            changed = attempted(manager.client(change.service), change)
            # Provisioning needs the first two.
            assert is_denial(changed) == (change.service == "iam"), changed
            if way == "role":
                attempted(boto3.client("iam"), change)
            assert is_denial(attempted(manager.client(reach.service), reach))
        with user(EVERYTHING) as unbound:
            attempted(unbound.client(change.service), change)
            found = attempted(unbound.client(reach.service), reach)
            # A boundary that is not there cannot be removed, and the bucket's policy still denies.
            assert (found == "allowed") == (way != "boundary")


@pytest.mark.usefixtures("a_tenants_file", "here")
@pytest.mark.parametrize("way", ["bucket", "queue"])
def test_who_may_everything_opens_no_group_that_administrators_keep(way: str) -> None:
    change, reach = WAYS_ROUND[way]
    with closed([f"arn:aws:iam::{ACCOUNT_ID}:user/admin"]), user(EVERYTHING) as somebody:
        for attempt in (change, reach):
            assert is_denial(attempted(somebody.client(attempt.service), attempt))
    with closed([SOMEBODY]), user(EVERYTHING) as administrator:
        for attempt in (reach, change):
            assert attempted(administrator.client(attempt.service), attempt) == "allowed"


ENTRANCES = {
    "topic": publish("image-uploads"),
    "queue": send("csv-imports"),
    "dead letters": receive("csv-imports-dlq"),
    "bucket": read("image", "ingest/marked.jpg"),
}


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_a_stranger_is_not_let_in(entrance: str) -> None:
    attempt = ENTRANCES[entrance]
    with user() as stranger:
        client = stranger.client(attempt.service)
        assert stranger.client("sts").get_caller_identity()["Arn"].endswith("/somebody")
        assert is_denial(attempted(client, attempt))


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_who_may_everything_may_nothing_by_plain_http(entrance: str) -> None:
    """The engine speaks TLS only, and takes a proxy's word for what the client spoke."""
    attempt = ENTRANCES[entrance]
    with user(EVERYTHING) as owner:
        client = owner.client(attempt.service)
        over_tls = attempted(client, attempt)
        client.meta.events.register("before-sign.*", _by_plain_http)
        assert (over_tls, is_denial(attempted(client, attempt))) == ("allowed", True)


def _by_plain_http(request: Any, **_: Any) -> None:
    request.headers["X-Forwarded-Proto"] = "http"


@pytest.mark.parametrize("account", [ACCOUNT_ID, FOREIGN_ACCOUNT])
@pytest.mark.parametrize("target", ["topic", "queue"])
def test_the_bucket_of_somebody_else_cannot_send_events(
    account: str, target: str, done: Done, stack: LocalStack
) -> None:
    """Of another account, and one of this account that the stack does not watch."""
    assert done
    # To the engine, twelve digits are the root key of that account.
    secret = stack.engine.credentials.secret_key
    s3 = boto3.client("s3", aws_access_key_id=account, aws_secret_access_key=secret)
    bucket = f"somebody-elses-{account}-{target}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    kinds = {
        "topic": ("Topic", f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:{PREFIX}-image-uploads"),
        "queue": ("Queue", f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{PREFIX}-csv-imports"),
    }
    kind, arn = kinds[target]
    settings: Any = {
        f"{kind}Configurations": [{f"{kind}Arn": arn, "Events": ["s3:ObjectCreated:*"]}]
    }

    try:
        # What S3 says of a target that does not let it in, and of nothing else.
        with pytest.raises(ClientError, match="validate the following destination"):
            s3.put_bucket_notification_configuration(
                Bucket=bucket, NotificationConfiguration=settings
            )
    finally:
        s3.delete_bucket(Bucket=bucket)
