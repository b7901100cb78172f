"""The application: which address is which view, and the stream of looks."""

from collections.abc import AsyncIterator, Callable
from importlib import resources
from typing import Any
from urllib.parse import parse_qsl

from botocore.exceptions import BotoCoreError, ClientError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from event_pipelines.errors import UserError, told
from event_pipelines.html_page import STYLE
from event_pipelines.web_console import imports_view, letters_view, object_view, pipelines_view
from event_pipelines.web_console import tenants_view as tenants
from event_pipelines.web_console.markup import note
from event_pipelines.web_console.views import Console, Query, View, page

Show = Callable[[Console, Query], View | Response]
VIEWS: dict[str, Show] = {
    "/": pipelines_view.show,
    "/object": object_view.show,
    "/picture": object_view.picture,
    "/letters": letters_view.show,
    "/letters/redrive": letters_view.confirm_redrive,
    "/letters/export": letters_view.export,
    "/rejections": letters_view.rejections,
    "/rejections/export": letters_view.export_rejections,
    "/imports": imports_view.show,
    "/tenants": tenants.show,
    "/tenants/release": tenants.confirm_release,
}
CHANGES: dict[str, Show] = {
    "/letters/redrive": letters_view.redrive_now,
    "/imports/cancel": imports_view.cancel_now,
    "/tenants/release": tenants.release_now,
}
# No form of ours comes near it.
_MOST_FORM_BYTES = 1 << 16


def application(console: Console) -> Starlette:
    """What a `Guard` stands before."""
    kinds = {"/console.css": "text/css", "/console.js": "text/javascript"}

    def asset(request: Request) -> Response:
        file = resources.files(__package__) / request.url.path.removeprefix("/")
        style = STYLE if request.url.path.endswith("css") else ""
        return Response(style + file.read_text("utf-8"), media_type=kinds[request.url.path])

    def events(_: Request) -> Response:
        return StreamingResponse(_looks(console), media_type="text/event-stream")

    answers = (
        Route(path, _answer(console, show), methods=[method])
        for method, shows in (("GET", VIEWS), ("POST", CHANGES))
        for path, show in shows.items()
    )
    return Starlette(
        routes=[*(Route(path, asset) for path in kinds), Route("/events", events), *answers]
    )


async def _looks(console: Console) -> AsyncIterator[str]:
    """A server-sent event with each look, upon which a page asks for what is new."""
    async for _ in console.looks.updates():
        yield f"data: {console.looks.number}\n\n"


def _answer(console: Console, show: Show) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _MOST_FORM_BYTES:
                return PlainTextResponse("The form is too large.", 413)
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        query = form if request.method == "POST" else dict(request.query_params)
        return await run_in_threadpool(_shown, console, show, query, request.url.path)

    return answer


def _shown(console: Console, show: Show, query: Query, path: str) -> Response:
    """A view, or the sentence that says why there is none."""
    status = 200
    with console.lock:
        console.stack.ration.begin()
        try:
            view = show(console, query)
        except UserError as error:
            why, status = str(error), 409
        except KeyError as error:
            why, status = f"The form lacks {error}: go back and send it again.", 400
        except OSError as error:
            why, status = f"{error}: remove the cause, then try again.", 502
        except (BotoCoreError, ClientError) as error:
            why, status = told(error, f"the view {path}"), 502
        if status != 200:
            view = View("Not shown", note(why, kind="grave"), console.command("status"))
        return (
            view if isinstance(view, Response) else HTMLResponse(page(console, view, path), status)
        )
