"""A relay between Terraform and the AWS provider that leaves unused kinds out of the schema.

The schema of 1,500 kinds takes each Terraform process a second of processor time to receive, and as
much per plan to write as JSON, which takes another second to parse. A stack uses some thirty kinds.
All other responses are the provider's own. The wire format is protocol 5 of Terraform's plugins:
gRPC, with messages in Protocol Buffers.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from event_pipelines.local.terraform import PARALLELISM

PROVIDER = "/tfplugin5.Provider/"
# Fields of GetProviderSchema.Response that map the name of a kind to its schema: resources, data
# sources and ephemeral resources. Fields with other numbers are small, and passed on unchanged.
MAPS_OF_KINDS = {2, 3, 8}
# Field of Configure.Request.
CAPABILITIES = 3
VARINT, BYTES = 0, 2


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Returns the number at a position and the position after it."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Yields number, content and encoding of each field. Raises ValueError for an unknown type."""
    at = 0
    while at < len(message):
        start = at
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind not in (VARINT, BYTES):
            raise ValueError(f"field {number} of the provider's schema has wire type {kind}")
        value, content = _varint(message, at)
        at = content + value if kind == BYTES else content
        yield number, message[content:at], message[start:at]


def without(field: int, message: bytes) -> bytes:
    """Returns the message without a field. Raises ValueError if `message` is none."""
    return b"".join(
        encoding for number, _, encoding in _fields(memoryview(message)) if number != field
    )


def with_kinds(schema: bytes, kinds: Set[str]) -> bytes:
    """Returns a GetProviderSchema.Response with only the kinds in `kinds`.

    Raises ValueError if `schema` is no such message.
    """
    return b"".join(
        encoding
        for number, entry, encoding in _fields(memoryview(schema))
        if number not in MAPS_OF_KINDS
        or any(key == 1 and bytes(name).decode() in kinds for key, name, _ in _fields(entry))
    )


class _Relay(grpc.GenericRpcHandler):
    """A handler that returns the provider's responses.

    Whether the configuration of a resource is valid depends on nothing but the request, so the same
    one is answered the same way. A mocked provider gets no other.
    """

    def __init__(self, provider: grpc.Channel, kinds: Set[str]) -> None:
        self.provider = provider
        schema = self._ask(f"{PROVIDER}GetSchema", b"")
        self.answers = {(f"{PROVIDER}GetSchema", b""): with_kinds(schema, kinds)}

    def _ask(self, method: str, request: bytes) -> bytes:
        # Without functions that encode them, messages stay bytes.
        ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self.provider.unary_unary(method)
        return ask(request)

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        method = handler_call_details.method
        # Terraform does not need the services of plugins in general, such as their output.
        if not method.startswith(PROVIDER):
            return None
        return grpc.unary_unary_rpc_method_handler(self._answering(method))

    def _answering(self, method: str) -> Callable[[bytes, Any], bytes]:
        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            question = method, request
            if method == f"{PROVIDER}Configure":
                # A provider that trusts an engine by AWS_CA_BUNDLE fails when it is configured
                # again. What Terraform is capable of differs between a plan and an apply.
                question = method, without(CAPABILITIES, request)
            if question in self.answers:
                return self.answers[question]
            try:
                response = self._ask(method, request)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details() or "no reason given")
            if method.startswith((f"{PROVIDER}Validate", f"{PROVIDER}Configure")):
                self.answers[question] = response
            return response

        return answer


@contextmanager
def schema_of(attachment: str, kinds: Set[str]) -> Iterator[str]:
    """Yields the value of TF_REATTACH_PROVIDERS for a relay to the provider of `attachment`.

    To Terraform, kinds that are not among `kinds` do not exist.
    """
    [(name, provider)] = json.loads(attachment).items()
    with (
        # Short, because the path of a Unix socket has at most 107 bytes.
        tempfile.TemporaryDirectory(prefix="relay") as folder,
        # More than the requests that Terraform makes at once: each lasts as long as the provider's.
        ThreadPoolExecutor(PARALLELISM + 20) as threads,
        grpc.insecure_channel(
            f"unix:{provider['Addr']['String']}",
            options=[("grpc.max_receive_message_length", -1)],
        ) as channel,
    ):
        socket = Path(folder, "socket")
        server = grpc.server(threads)
        server.add_generic_rpc_handlers([_Relay(channel, kinds)])
        server.add_insecure_port(f"unix:{socket}")
        server.start()
        try:
            address = {"Network": "unix", "String": str(socket)}
            yield json.dumps({name: {**provider, "Addr": address}})
        finally:
            server.stop(None).wait()
