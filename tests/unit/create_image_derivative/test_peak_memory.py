"""Memory is what decides whether a function of a given size survives its uploads.

Each measurement is a process of its own, as on Lambda; S3 is served over TLS by the test.
"""

import hashlib
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import botocore
import pytest
import trustme

from create_image_derivative.container import ImageRejected
from create_image_derivative.image import SUPPORTED_FORMATS, Recipe, make_derivative
from support.fresh_process import FUNCTIONS, SUPPORT, Upload, invoke_for

HERE = Path(__file__).parent
ROOT = HERE.parents[2]

PROGRAMS = HERE / "peak_memory"
MEGABYTE = 1_000_000


@dataclass
class ObjectStore:
    """As much of S3 as one invocation needs: objects by path, conditional reads, checked writes."""

    endpoint: str
    ca_bundle: Path
    objects: dict[str, bytes] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_CA_BUNDLE": str(self.ca_bundle),
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


def request_handler(objects: dict[str, bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def do_PUT(self) -> None:
            content = self.chunked_body()
            assert self.headers["x-amz-decoded-content-length"] == str(len(content))
            assert self.headers["If-None-Match"] == "*"
            objects[self.key()] = content
            self.send(200, b"", ETag=etag(content))

        def answer(self, *, with_body: bool) -> None:
            content = objects.get(self.key())
            if content is None:
                self.send(404, b"")
                return
            assert self.headers["If-Match"] == etag(content)
            self.send(200, content if with_body else b"", ETag=etag(content))

        def key(self) -> str:
            return unquote(urlsplit(self.path).path).removeprefix("/example-images/")

        def chunked_body(self) -> bytes:
            """Undo HTTP chunks, then those of the AWS encoding that carries the checksum."""
            http = b""
            while size := int(self.rfile.readline(), 16):
                http += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            content = b""
            while True:
                line, _, http = http.partition(b"\r\n")
                size = int(line, 16)
                if size == 0:
                    return content
                content, http = content + http[:size], http[size + 2 :]

        def send(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing: pytest shows what matters."""

    return Handler


def etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    authority = trustme.CA()
    # With the whole bundle that botocore ships, because loading it is part of the footprint.
    bundle = tmp_path_factory.mktemp("tls") / "bundle.pem"
    shipped = Path(botocore.__file__).with_name("cacert.pem").read_bytes()
    bundle.write_bytes(shipped + authority.cert_pem.bytes())
    objects: dict[str, bytes] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), request_handler(objects))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield ObjectStore(f"https://127.0.0.1:{server.server_port}", bundle, objects)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> "PictureMaker":
    return PictureMaker(tmp_path_factory.mktemp("pictures"))


@dataclass(frozen=True)
class PictureMaker:
    directory: Path

    def make(self, name: str) -> Path:
        path = self.directory / name
        if not path.exists():
            program = PROGRAMS / "make_pictures.py"
            subprocess.run([sys.executable, program, self.directory, name], check=True)
        return path


def invoke(store: ObjectStore, key: str, content: bytes, side: int) -> int:
    """Send one upload through a fresh process; returns its peak in bytes."""
    store.objects[key] = content
    upload = Upload("ObjectCreated:Put", "example-images", key, len(content), etag(content))
    environment = {
        **store.environment(),
        "STACK": "acme",
        "PIPELINE": "image-derivatives",
        "DERIVATIVE": "mobile",
        "MAX_WIDTH": str(side),
        "MAX_HEIGHT": str(side),
        "SOURCE_PREFIX": "ingest/",
        "OUTPUT_PREFIX": "derived/mobile/",
        "REJECTIONS_PREFIX": "rejections/mobile/",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
    }
    peaks, printed = invoke_for(upload, "create_image_derivative", environment)
    assert f"derived/mobile/{key.removeprefix('ingest/')}.jpg" in store.objects, printed
    return peaks.whole


def recorded_peak(name: str, side: int) -> float:
    """What the benchmark found for a photograph of about the same size, in bytes."""
    result = json.loads((ROOT / "benchmarks" / "results" / "images.json").read_text())
    found: float = result["figures"]["pictures"][f"{name} {side}"]["peak_mb"]["shipped"]
    return found * MEGABYTE


@pytest.mark.parametrize("side", [128, 640])
def test_a_48_megapixel_photograph_stays_below_95_megabytes(
    store: ObjectStore, pictures: PictureMaker, side: int
) -> None:
    picture = pictures.make("48_megapixels.jpg").read_bytes()

    peak = invoke(store, f"ingest/{side}/baseline.jpg", picture, side)

    assert peak < 95 * MEGABYTE
    assert peak < 1.1 * recorded_peak("48_megapixels.jpg", side)


def test_a_24_megapixel_progressive_photograph_stays_below_150_megabytes(
    store: ObjectStore, pictures: PictureMaker
) -> None:
    picture = pictures.make("24_megapixels_progressive.jpg").read_bytes()

    peak = invoke(store, "ingest/progressive.jpg", picture, 640)

    assert peak < 150 * MEGABYTE
    assert peak < 1.1 * recorded_peak("24_megapixels_progressive.jpg", 640)


@pytest.mark.parametrize("side", [128, 640])
@pytest.mark.parametrize(
    "name", ["11_megapixels.png", "11_megapixels_palette.png", "11_megapixels.webp"]
)
def test_no_png_or_webp_is_held_whole(
    store: ObjectStore, pictures: PictureMaker, name: str, side: int
) -> None:
    picture = pictures.make(name).read_bytes()

    peak = invoke(store, f"ingest/{side}/{name}", picture, side)

    assert peak < 85 * MEGABYTE


@pytest.mark.parametrize("side", [320, 2400])
@pytest.mark.parametrize(
    "name",
    [
        "baseline.jpg",
        "progressive_cmyk.jpg",
        "colour.png",
        "colour_key.png",
        "alpha.png",
        "palette_alpha.png",
        "grey_16_bit.png",
        "palette.gif",
        "lossy_alpha.webp",
        "lossless.webp",
        "alpha.avif",
        "lzw.tif",
    ],
)
def test_no_picture_takes_more_memory_than_it_was_let_in_with(
    pictures: PictureMaker, name: str, side: int
) -> None:
    assert_let_in_with_enough(pictures.make(name), side, "jpeg")


@pytest.mark.parametrize("output_format", ["webp", "avif", "png", "auto"])
@pytest.mark.parametrize("name", ["alpha.png", "baseline.jpg"])
def test_no_form_takes_more_memory_than_was_allowed_for(
    pictures: PictureMaker, name: str, output_format: str
) -> None:
    assert_let_in_with_enough(pictures.make(name), 2400, output_format)


def assert_let_in_with_enough(path: Path, side: int, output_format: str) -> None:
    program = [sys.executable, "-m", "support.decode_picture"]
    measured = subprocess.run(
        [*program, FUNCTIONS, path, str(side), output_format],
        cwd=SUPPORT.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    recipe = Recipe(
        side,
        side,
        formats=SUPPORTED_FORMATS,
        memory_bytes=int(measured.stdout),
        output_format=output_format,
    )
    with path.open("rb") as source, pytest.raises(ImageRejected, match="memory_limit"):
        make_derivative(source, path.stat().st_size, recipe)
