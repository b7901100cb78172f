"""Admits browsers that opened the printed address, and no requests that other sites caused.

Another site may have a name that resolves to loopback (so `Host` is checked), forms that post here
(so `Origin` is) and links that lead here (so `Sec-Fetch-Site` is: a view may receive messages).
Another server on this machine shares the site of the cookie, not the origin.
"""

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, RedirectResponse, Response

from event_pipelines.web_console.markup import doc, el

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # With no-referrer a browser would send no origin with the console's own forms.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass
class Guard:
    """ASGI middleware around an application that is served on loopback at `port`."""

    application: Any
    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    _session: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def address(self) -> str:
        """The URL to open, with the token."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._answer(scope) or self.application
        await answer(scope, receive, with_headers)

    def _answer(self, scope: Any) -> Response | None:
        """Returns a response instead of the application's; None admits the request."""
        headers = Headers(scope=scope)
        host, origin = headers.getlist("host"), headers.get("origin")
        if host not in ([f"127.0.0.1:{self.port}"], [f"localhost:{self.port}"]):
            return _refusal(scope, "This console answers to 127.0.0.1 and localhost alone.")
        changes = scope["method"] not in ("GET", "HEAD")
        if origin != f"http://{host[0]}" and (changes or origin is not None):
            return _refusal(scope, "A page of another site asked for this.")
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        # Cookies ignore ports: with one name, two consoles would overwrite each other's.
        cookie = f"event-pipelines-console-{self.port}"
        if not changes and _equal(dict(query).get("token", ""), self.token):
            # Redirects to the address without the token, which would stay in the browser's history;
            # two slashes at the beginning would be another host.
            rest = urlencode([(name, value) for name, value in query if name != "token"])
            opened = RedirectResponse(
                f"/{scope['path'].lstrip('/')}" + f"?{rest}" * bool(rest), 303
            )
            opened.set_cookie(cookie, self._session, httponly=True, samesite="strict")
            return opened
        parts = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
        if not _equal({name: value for name, _, value in parts}.get(cookie, ""), self._session):
            return _refusal(scope, "Open the address that `event-pipelines console` printed.")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return _refusal(scope, "A link of another site led here.")
        return None


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _refusal(scope: Any, why: str) -> Response:
    """Returns a refusal with a link to the same view, which works with the cookie."""
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    path = path.lstrip("/\\")
    again = el("a", "Open this view", href=f"/{path}" + f"?{query}" * bool(query))
    return HTMLResponse(
        doc("Not allowed", el("main", el("h1", "Not allowed"), el("p", why), again)), 403
    )
