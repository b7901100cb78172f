"""The ASGI application: the routes of views, files and changes, and the stream of looks."""

import time
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from importlib import resources
from typing import Any, cast
from urllib.parse import parse_qsl

from botocore.exceptions import BotoCoreError, ClientError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from event_pipelines.errors import UserError, denied, told
from event_pipelines.html_page import STYLE
from event_pipelines.stack import error_code
from event_pipelines.web_console import imports_view, letters_view, object_view, pipelines_view
from event_pipelines.web_console import tenants_view as tenants
from event_pipelines.web_console.markup import note
from event_pipelines.web_console.ration import Postponed, Work
from event_pipelines.web_console.views import HIDDEN, Console, Query, View, asked_of, page

Show = Callable[[Console, Query], View | Response]
VIEWS: dict[str, Show] = {
    "/": pipelines_view.show,
    "/object": object_view.show,
    "/letters": letters_view.show,
    "/letters/redrive": letters_view.confirm_redrive,
    "/rejections": letters_view.rejections,
    "/imports": imports_view.show,
    "/imports/cancel": imports_view.confirm_cancel,
    "/tenants": tenants.show,
    "/tenants/release": tenants.confirm_release,
}
FILES: dict[str, Show] = {
    "/picture": object_view.picture,
    "/letters/export": letters_view.export,
    "/rejections/export": letters_view.export_rejections,
}
CHANGES: dict[str, Show] = {
    "/letters/redrive": letters_view.redrive_now,
    "/imports/cancel": imports_view.cancel_now,
    "/tenants/release": tenants.release_now,
}
# Far more than any form of the console has.
_MOST_FORM_BYTES = 1 << 16
# Seconds between two looks of an unfinished view, seconds that a look may take and that a view is
# kept for a reload, less than `Work` waits for a look, and how many views are remembered.
_AT_ONCE, _LOOK_SECONDS, _KEPT_SECONDS, _WORKS = 0.05, 1.0, 4.0, 20


def application(console: Console) -> Starlette:
    """Returns the application, which a `Guard` must wrap."""
    kinds = {"/console.css": "text/css", "/console.js": "text/javascript"}

    def asset(request: Request) -> Response:
        file = resources.files(__package__) / request.url.path.removeprefix("/")
        style = STYLE if request.url.path.endswith("css") else ""
        return Response(style + file.read_text("utf-8"), media_type=kinds[request.url.path])

    def events(_: Request) -> Response:
        return StreamingResponse(_looks(console), media_type="text/event-stream")

    answers = (
        Route(path, _answer(console, show), methods=[method])
        for method, shows in (("GET", VIEWS | FILES), ("POST", CHANGES))
        for path, show in shows.items()
    )
    return Starlette(
        routes=[*(Route(path, asset) for path in kinds), Route("/events", events), *answers]
    )


async def _looks(console: Console) -> AsyncIterator[str]:
    """Yields a server-sent event at each look, upon which a page reloads its content."""
    async for _ in console.looks.updates():
        yield f"data: {console.looks.number}\n\n"


def _answer(console: Console, show: Show) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _MOST_FORM_BYTES:
                return PlainTextResponse("The form is too large.", 413)
        path = request.url.path
        if request.method == "POST":
            form = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
            return await run_in_threadpool(_changed, console, show, _query(form), path)
        query = _query(request.query_params.multi_items())
        return await run_in_threadpool(_shown, console, show, query, path)

    return answer


def _query(pairs: Iterable[tuple[str, str]]) -> Query:
    """Returns a query; values of one name, such as selected ids, are joined by spaces."""
    query: dict[str, str] = {}
    for name, value in pairs:
        query[name] = f"{query[name]} {value}" if name in query else value
    return query


def _changed(console: Console, show: Show, query: Query, path: str) -> Response:
    # Views made before the change are out of date.
    with console.lock:
        console.works.clear()
    return _made(console, show, query, path, None)


def _shown(console: Console, show: Show, query: Query, path: str) -> Response:
    """Returns a view as soon as it is made; before that a page that reloads for the next look."""
    key, works = (path, *sorted(query.items())), console.works
    with console.lock:
        # The views last asked for are the last in `works`, and are kept.
        work = works.pop(key, None)
        if work is None or (work.made.done() and time.monotonic() > max(work.fresh, work.kept)):
            work = Work(console.stack, partial(_made, console, show, query, path))
        works[key] = work
        for old in list(works)[:-_WORKS]:
            del works[old]
    while not work.look(_LOOK_SECONDS):
        if path not in FILES:
            asked = note(f"{asked_of(work.calls)} so far.")
            view = View("Asking AWS …", asked, console.command("status"), _AT_ONCE)
            # Or a view that takes a bit longer than a look would begin anew at each reload.
            work.kept = time.monotonic() + _KEPT_SECONDS
            return HTMLResponse(page(console, view, path))
    work.kept = 0.0
    return cast("Response", work.made.result())


def _made(console: Console, show: Show, query: Query, path: str, work: Work | None) -> Response:
    """Returns a view, or a page with the sentence that says why there is none."""
    status, place = 200, path + "?queue" * ("queue" in query)
    try:
        view = show(console, query)
        console.refused.pop(place, None)
    except Postponed:
        why, status = "No page wanted the rest of it: open it again.", 503
    except UserError as error:
        why, status = str(error), 409
    except KeyError as error:
        why, status = f"The form lacks {error}: go back and send it again.", 400
    except OSError as error:
        why, status = f"{error}: remove the cause, then try again.", 502
    except (BotoCoreError, ClientError) as error:
        why, status = told(error, f"the view {path}"), 502
        if isinstance(error, ClientError) and denied(error_code(error)) and place in HIDDEN:
            console.refused[place] = error.operation_name
    if status != 200:
        view = View("Not shown", note(why, kind="grave"), console.command("status"))
    if isinstance(view, Response):
        return view
    asked = ""
    if work and view.refresh != 0:
        # A page that waited through several looks reloads once more to get the view.
        work.fresh = time.monotonic() + (view.refresh or (2.0 if work.looks > 1 else 0.0))
        several = f" in {work.looks} looks" if work.looks > 1 else ""
        asked = f"This view asked {asked_of(work.calls)}{several}."
    return HTMLResponse(page(console, view, path, asked), status)
