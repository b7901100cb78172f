"""Every request to the engine must be signed.

AWS: a service answers only requests signed with a secret that AWS has issued, except for public
resources. MiniStack accepts any secret with the key `test`, an account's number or no key as the
account's root, and serves its own paths (health, resets, packages of functions) to everybody. Here
root has a secret as well, and requests that are not signed with a secret of root, a user or a
session are refused at the single entry point. MiniStack's own paths are for root only. A request's
signer is verified once; a principal's permissions are cached until IAM changes.
"""

import contextvars
import functools
import re
import uuid
from collections.abc import Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from ministack import app
from ministack.core import iam_evaluator, responses, router, sigv4
from ministack.core.iam_evaluator import AuthError
from ministack.services import iam

from event_pipelines.local.corrections._ministack import around
from event_pipelines.local.repeated_attempts import Application, Message, Receive, Send
from event_pipelines.local.root_credentials import RootCredentials

Response = tuple[int, dict[str, str], bytes]

_ACCOUNT = re.compile(r"\d{12}")
_MISSING = AuthError("MissingAuthenticationToken", "Missing Authentication Token")
_ADMINISTRATION = AuthError("AccessDenied", "Only root may use the engine's own paths.")
_FORM_SIGNATURES = {"x-amz-signature", "signature"}
_READS = ("Get", "List", "Simulate", "Generate")
# The access key whose signature on this request has been verified.
_proven: contextvars.ContextVar[str | None] = contextvars.ContextVar("proven", default=None)
# Resolved principals with their permissions, by access key and account.
_principals: dict[tuple[str, str], Any] = {}


def set_root(root: RootCredentials) -> None:
    """Sets root's credentials. Call before importing services, which keep references.

    Raises CorrectionMismatch.
    """

    def resolve(original: Any, key: str, account: str | None = None, *token: Any) -> Any:
        is_account = bool(_ACCOUNT.fullmatch(key))
        if key and key != root.access_key and not is_account:
            return original(key, account, *token)
        owner = key if is_account else account or responses.get_account_id()
        return iam_evaluator._validate_session_token(
            None, *token or (None,)
        ) or iam_evaluator.ResolvedCredential(
            access_key_id=key,
            secret_access_key=root.secret_key,
            account_id=owner,
            principal_arn=f"arn:aws:iam::{owner}:root",
            principal_id=owner,
            principal_type="Root",
            source_access_key_id=key,
        )

    def is_root(_: Any, key: str) -> bool:
        # Forms have no key and were admitted by `Authentication`, so MiniStack need not check them.
        return not key

    around(iam_evaluator, "resolve_credential", "access_key_id account_id session_token", resolve)
    around(iam_evaluator, "is_root_access_key", "access_key_id", is_root)
    around(app, "pin_signed_request", "method raw_path query_params raw_headers handshake", _pin)
    around(iam_evaluator, "resolve_principal", "access_key_id account_id credential", _principal)
    for action, handler in iam._IAM_HANDLERS.items():
        if not action.startswith(_READS):
            iam._IAM_HANDLERS[action] = _changing(handler)


def _pin(original: Callable[..., None], *request: Any) -> None:
    key = _proven.get()
    if key is None:
        original(*request)
        return
    iam_evaluator._signed_request.set(None)
    iam_evaluator._verified_key.set(key)
    iam_evaluator._anonymous.set(False)


def _principal(original: Callable[..., Any], key: str, account: str, *credential: Any) -> Any:
    # A verified key was checked for validity before the request got here.
    if key != _proven.get():
        return original(key, account, *credential)
    if (found := _principals.get((key, account))) is None:
        found = original(key, account, *credential)
        if not isinstance(found, AuthError):
            _principals[key, account] = found
    return found


def _changing(handler: Callable[..., Any]) -> Callable[..., Any]:
    def change(parameters: Any) -> Any:
        try:
            return handler(parameters)
        finally:
            _principals.clear()

    return change


class Authentication:
    """An ASGI application in front of MiniStack's, which lets only signed requests through."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        _proven.set(None)
        request = _Request(scope)
        # Before the body is read, so that unsigned requests cannot fill the engine's memory.
        failure = request.unknown_signer()
        if failure is None:
            body = await _read(receive)
            if body is None:
                return
            failure = request.failure(body)
        if failure is not None:
            await request.refuse(failure, send)
            return
        left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return left.pop() if left else await receive()

        await self._application(scope, replay, send)


class _Request:
    def __init__(self, scope: MutableMapping[str, Any]) -> None:
        self._method, self._path = scope["method"], scope["path"]
        self._raw_headers = scope["headers"]
        text = scope["query_string"].decode("utf-8", "replace")
        self._query = parse_qs(text, keep_blank_values=True)
        iam_evaluator.pin_signed_request(
            self._method, scope["raw_path"].decode("latin-1"), self._query, self._raw_headers
        )
        self._signed = iam_evaluator._signed_request.get()

    # Most requests are let through without either.
    @functools.cached_property
    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        for raw, value in self._raw_headers:
            # Repeated headers are joined as in MiniStack, so that both see the same value.
            name, text = raw.decode("latin-1").lower(), sigv4.decode_header_value(value)
            headers[name] = f"{headers[name]}, {text}" if name in headers else text
        return headers

    @functools.cached_property
    def _service(self) -> str:
        service: str = router.detect_service(self._method, self._path, self._headers, self._query)
        return service

    def unknown_signer(self) -> AuthError | None:
        if self._signed is None:
            return None if self._may_be_form() else _MISSING
        key = self._signed.access_key_id
        if not key:
            return _MISSING
        responses.set_request_account_id(iam_evaluator.find_iam_access_key_account(key) or key)
        headers = self._signed.headers or self._headers
        responses.set_request_region(router.extract_region(headers, self._query))
        found = iam_evaluator.resolve_credential(key, responses.get_account_id())
        if isinstance(found, iam_evaluator.CredentialResolutionError):
            return AuthError(found.code, found.message)
        return None

    def failure(self, body: bytes) -> AuthError | Response | None:
        """Returns why the request is refused; None if it is not."""
        if self._signed is None:
            return None if self._is_signed_form(body) else _MISSING
        iam_evaluator.pin_signed_body(body)
        is_root = False
        if self._signed.s3_scoped:
            refusal = app._get_module("s3")._verify_presigned_sigv4(
                self._method, self._path, self._headers, self._query
            )
            if refusal or self._service != "s3":
                return refusal or _MISSING
        else:
            account = responses.get_account_id()
            found = iam_evaluator.authenticate(self._signed.access_key_id, account)
            if found is None or isinstance(found, AuthError):
                return found or _MISSING
            is_root = found.principal_type == "Root"
            _proven.set(self._signed.access_key_id)
        own = self._path.startswith("/_") or self._path in app._HEALTH_PATHS
        return _ADMINISTRATION if own and not is_root else None

    def _may_be_form(self) -> bool:
        """Whether S3 handles this only as a browser's form, which is signed in its fields."""
        is_form = self._headers.get("content-type", "").startswith("multipart/form-data")
        other = self._query or app._extract_s3_vhost_bucket(self._headers.get("host", ""))
        if self._method != "POST" or self._service != "s3" or not is_form or other:
            return False
        return self._path.strip("/") in app._get_module("s3")._buckets

    def _is_signed_form(self, body: bytes) -> bool:
        """Whether a form has a signature, which S3 then verifies."""
        parts = app._get_module("s3")._parse_multipart_form(self._headers["content-type"], body)
        return any(name.lower() in _FORM_SIGNATURES for name, *_ in parts)

    async def refuse(self, failure: AuthError | Response, send: Send) -> None:
        if isinstance(failure, AuthError):
            failure = app._credential_failure(
                self._service, "", str(uuid.uuid4()), failure, self._headers
            )
        is_head = self._method == "HEAD"
        await app._send_response(app._with_date_header(send), *failure, head=is_head)


async def _read(receive: Receive) -> bytes | None:
    """Returns the whole body; None if the client has disconnected."""
    parts: list[bytes] = []
    while (message := await receive())["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
    return None
