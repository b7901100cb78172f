"""Pictures, and a bucket with the pipeline behind it."""

import io
import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from moto import mock_aws
from PIL import Image

from create_image_derivative.derivative import DerivativeMaker
from create_image_derivative.image import Derivative, Recipe, make_derivative
from create_image_derivative.settings import Settings
from shared.batch import Message, Outcome
from shared.configuration import Environment
from shared.contracts.events import ObjectEvent

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "example-images"
ENVIRONMENT = {
    "STACK": "acme",
    "PIPELINE": "image-derivatives",
    "DERIVATIVE": "thumbnail",
    "MAX_WIDTH": "64",
    "MAX_HEIGHT": "64",
    "SOURCE_PREFIX": "ingest/",
    "OUTPUT_PREFIX": "derived/thumbnail/",
    "REJECTIONS_PREFIX": "rejections/thumbnail/",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
}

Render = Callable[..., tuple[Image.Image, Derivative]]


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment that the pipeline gives the function."""
    return dict(ENVIRONMENT)


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    """Encodes a picture: encoded(picture, "JPEG", quality=90)."""

    def encode(picture: Image.Image, format: str, **options: object) -> bytes:
        buffer = io.BytesIO()
        picture.save(buffer, format, **options)
        return buffer.getvalue()

    return encode


@pytest.fixture(scope="session")
def render() -> Render:
    """Makes a derivative of encoded bytes; returns it decoded, and as it came."""

    def make(content: bytes, recipe: Recipe | None = None) -> tuple[Image.Image, Derivative]:
        recipe = recipe or Recipe(64, 64, quality=95)
        derivative = make_derivative(io.BytesIO(content), len(content), recipe)
        picture = Image.open(io.BytesIO(derivative.content))
        picture.load()
        assert picture.format == "JPEG"
        assert picture.size == (derivative.width, derivative.height)
        return picture, derivative

    return make


@pytest.fixture(scope="session")
def photograph() -> Callable[..., Image.Image]:
    """A picture with smooth colours under grain: photograph(width, height, mode)."""

    def make(width: int, height: int, mode: str = "RGB") -> Image.Image:
        noise = random.Random(0)
        size = (width, height)
        coarse = Image.frombytes("RGB", (8, 6), noise.randbytes(8 * 6 * 3))
        fine = Image.frombytes("L", (160, 120), noise.randbytes(160 * 120))
        colours = coarse.resize(size, Image.Resampling.BICUBIC)
        grain = fine.resize(size, Image.Resampling.BICUBIC).convert("RGB")
        return Image.blend(colours, grain, 0.2).convert(mode)

    return make


@dataclass
class Pipeline:
    """A bucket of uploads, and the function that watches it."""

    s3: "S3Client"
    environment: dict[str, str]
    hooks: ExitStack
    sequence: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    message_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def maker(self) -> DerivativeMaker:
        return DerivativeMaker(Settings.from_environment(Environment(self.environment)), self.s3)

    def upload(self, key: str, content: bytes) -> ObjectEvent:
        """Store an object; returns the event that S3 would send about it."""
        put = self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        return ObjectEvent(
            event_name="ObjectCreated:Put",
            event_version="2.1",
            event_time="2026-03-01T09:30:00.123Z",
            region="eu-west-1",
            bucket=BUCKET,
            key=key,
            version_id=put.get("VersionId"),
            etag=put["ETag"].strip('"'),
            size=len(content),
            sequencer=f"{next(self.sequence):016X}",
        )

    def receive(self, event: ObjectEvent) -> Outcome:
        """Deliver an event, in a message of its own."""
        message = Message(f"message-{next(self.message_ids)}", "{}", 1)
        return self.maker.handle(event, message)

    def keys(self, prefix: str = "") -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"] for item in listed.get("Contents", [])]

    def writes(self, key: str) -> int:
        """How often an object was written, counting what was overwritten since."""
        listed = self.s3.list_object_versions(Bucket=BUCKET, Prefix=key)
        return sum(version["Key"] == key for version in listed.get("Versions", []))

    def colour(self, key: str) -> tuple[int, int, int]:
        """The colour in the middle of a stored picture."""
        body = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        with Image.open(io.BytesIO(body)) as picture:
            red, green, blue = picture.convert("RGB").getpixel(  # type: ignore[misc]
                (picture.width // 2, picture.height // 2)
            )
        return red, green, blue

    def before(self, operation: str, act: Callable[[], Any], times: int = 1) -> None:
        """Act before the next calls of an operation; an answer that is returned replaces S3's."""
        self.hooks.callback(act_before(self.s3, operation, act, times=times))

    def fail(self, operation: str, status: int, code: str, times: int = 1) -> None:
        """Let the next calls of an operation fail as S3 would."""
        self.before(operation, lambda: failure(status, code), times)


def failure(status: int, code: str) -> tuple[AWSResponse, dict[str, Any]]:
    parsed = {
        "Error": {"Code": code, "Message": code},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return AWSResponse("https://s3.example", status, HTTPHeaders(), None), parsed


def act_before(
    s3: "S3Client", operation: str, act: Callable[[], Any], *, key: str = "", times: int = 1
) -> Callable[[], None]:
    """Hook into a client's calls about keys that end in ``key``; returns how to let go."""
    remaining = [None] * times

    def hook(params: dict[str, Any], **_: object) -> Any:
        if not remaining or not params["url_path"].endswith(key):
            return None
        remaining.pop()
        return act()

    name = f"before-call.s3.{operation}"
    s3.meta.events.register(name, hook)
    return lambda: s3.meta.events.unregister(name, hook)


@pytest.fixture
def throttle() -> Callable[["S3Client", str], None]:
    """Lets S3 refuse once to give out an object."""

    def refuse(s3: "S3Client", key: str) -> None:
        act_before(s3, "GetObject", lambda: failure(503, "SlowDown"), key=key)

    return refuse


@pytest.fixture(scope="session")
def client() -> "S3Client":
    """One for all tests, because making one takes longer than most of them."""
    return boto3.client(
        "s3",
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def pipeline(client: "S3Client", environment: dict[str, str]) -> Iterator[Pipeline]:
    with mock_aws(), ExitStack() as hooks:
        client.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield Pipeline(client, environment, hooks)


@pytest.fixture
def swatch(encoded: Callable[..., bytes]) -> Callable[[str], bytes]:
    """A JPEG of one colour."""

    def make(colour: str) -> bytes:
        return encoded(Image.new("RGB", (96, 80), colour), "JPEG", quality=95)

    return make
