"""`event-pipelines console`: serves the web console on loopback until Ctrl-C."""

import argparse
import socket
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from event_pipelines import times
from event_pipelines.console import add_since, flush, print_json, print_line, say
from event_pipelines.errors import UserError
from event_pipelines.stack import Stack
from event_pipelines.status.commands import check_interval

if TYPE_CHECKING:
    import uvicorn

    from event_pipelines.web_console.guard import Guard
    from event_pipelines.web_console.views import Console


def add_arguments(console: argparse.ArgumentParser) -> None:
    """Adds the options of `console`."""
    console.set_defaults(run=_console)
    console.add_argument("--port", type=int, default=0, help="loopback port (default: a free one)")
    add_since(console, "1h", "count what ended since")
    text = "between two looks, each of at most 12 API calls: 10s, 1m (default: %(default)s s)"
    console.add_argument("--interval", type=times.seconds, default=2, metavar="TIME", help=text)
    text = "offer redrives, releases and the end of imports (default: read-only)"
    console.add_argument("--allow-changes", action="store_true", help=text)
    text = "where changes are written down (default: ~/.local/state/event-pipelines/console.jsonl)"
    console.add_argument("--log", type=Path, metavar="FILE", help=text)
    console.add_argument("--open", action="store_true", help="open the address in a browser")


def _console(arguments: argparse.Namespace) -> int:
    check_interval(arguments.interval)
    times.ago_or_at(arguments.since)
    stack = Stack(arguments.prefix)
    origin = {"stack": stack.prefix, "account": stack.account, "region": stack.region}
    with listening(arguments.port) as listener:
        server, guard, _ = make(arguments, origin, listener.getsockname()[1])
        if arguments.json:
            print_json({"address": guard.address})
        else:
            print_line(guard.address)
            say("Whoever has this address sees the stack. Ctrl-C ends the console.")
        flush()
        if arguments.open:
            webbrowser.open(guard.address)
        server.run(sockets=[listener])
    return 0


def listening(port: int) -> socket.socket:
    """Returns a socket on loopback. Raises UserError if the port is invalid or taken."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        # A browser that is quicker than the server waits then.
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise UserError(f"--port {port} cannot be used ({error}): name another.") from error
    return listener


def make(
    arguments: argparse.Namespace, origin: dict[str, str], port: int
) -> "tuple[uvicorn.Server, Guard, Console]":
    """Returns server, guard and console. AWS is not called before a page is opened."""
    # Imported late, because the help must not need a web server.
    import uvicorn

    from event_pipelines.web_console.app import application
    from event_pipelines.web_console.changes import Changes, default_log
    from event_pipelines.web_console.guard import Guard
    from event_pipelines.web_console.looks import Looks
    from event_pipelines.web_console.ration import CountedStack
    from event_pipelines.web_console.views import Console

    looks = Looks(arguments.prefix, times.ago_or_at(arguments.since), arguments.interval)
    changes = Changes(arguments.allow_changes, arguments.log or default_log(), origin)
    stack = CountedStack(arguments.prefix)
    console = Console(stack, looks, changes, arguments.since)
    guard = Guard(application(console), port)
    quiet: Any = {"log_level": "warning", "access_log": False, "server_header": False}
    config = uvicorn.Config(guard, ws="none", lifespan="off", timeout_graceful_shutdown=1, **quiet)
    server = uvicorn.Server(config)
    looks.ending = lambda: server.should_exit
    return server, guard, console
