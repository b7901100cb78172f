"""`event-pipelines local`: the stack on this machine."""

import argparse
import os
import shlex
import sys
import webbrowser
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from rich.console import Console

from event_pipelines.console import (
    counting,
    messages,
    print_block,
    print_json,
    print_line,
    print_table,
    terminal,
)
from event_pipelines.errors import UserError
from event_pipelines.local import console_process
from event_pipelines.local import engine as local_engine
from event_pipelines.local import stack as local_stack
from event_pipelines.local.demo import demo_output, images, photographs
from event_pipelines.local.home import Home
from event_pipelines.local.stack import DEFAULT_REGION, LocalStack
from event_pipelines.local.terraform import following
from event_pipelines.stack import Queues, add_verb, check_region


def add_arguments(local: argparse.ArgumentParser) -> None:
    """Adds the subcommands of `local`."""
    verbs = local.add_subparsers(metavar="VERB", required=True)
    verb = _add(verbs, "up", _up, "start the engine and apply the root module to it")
    _add_engine(verb)

    _add(verbs, "down", _down, "destroy the stack and stop the engine")
    _add(verbs, "status", _status, "say what runs and what waits in the queues")

    text = "the main job: upload real pictures, show the outcomes, clean up"
    verb = _add(verbs, "demo", _demo, text)
    _add_engine(verb)
    verb.add_argument("--photo", type=Path, help="a picture of your own, uploaded with the others")
    verb.add_argument("--keep", action="store_true", help="leave everything running afterwards")


def _add(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    verb = add_verb(verbs, name, run, text)
    verb.add_argument(
        "--home", type=Path, help="folder for state, logs and report (default: .local)"
    )
    return verb


def _add_engine(verb: argparse.ArgumentParser) -> None:
    region = f"default: {DEFAULT_REGION}"
    verb.add_argument("--region", default=argparse.SUPPRESS, help=region)
    verb.add_argument("--port", type=int, help="loopback port (default: a free one)")


def _home(arguments: argparse.Namespace) -> Home:
    return Home(arguments.home.resolve()) if arguments.home else Home()


def _region(arguments: argparse.Namespace) -> str:
    """Returns the region to start in. Raises UserError if it or the port is invalid."""
    if arguments.port is not None and not 1 <= arguments.port <= 65_535:
        raise UserError(f"--port {arguments.port} is out of range: 1 to 65535.")
    region: str = getattr(arguments, "region", DEFAULT_REGION)
    check_region(region)
    return region


def _up(arguments: argparse.Namespace) -> int:
    home, console = _home(arguments), messages()
    with counting("Applying the stack", console) as show:
        stack = local_stack.up(
            home,
            region=_region(arguments),
            port=arguments.port,
            packages_through_s3=True,
            on_activity=following(show),
        )
    if arguments.json:
        print_json({"environment": _environment(stack), "outputs": stack.outputs}, indent=2)
    else:
        _print_how_to_look_around(stack)
    return 0


def _down(arguments: argparse.Namespace) -> int:
    home, console = _home(arguments), messages()
    stack = local_stack.current(home)
    if stack is None:
        stopped = local_engine.stop(home.path)
        console.print("Stopped the engine." if stopped else "Nothing was running.")
        code = 0
    else:
        stopped, code = True, _take_down(stack, console)
    if arguments.json:
        print_json({"stopped": bool(stopped), "complete": code == 0})
    return code


def _status(arguments: argparse.Namespace) -> int:
    home = _home(arguments)
    stack = local_stack.current(home)
    if stack is None:
        state = "an engine without a stack" if local_engine.running(home.path) else "nothing"
        if arguments.json:
            print_json({"running": False})
        else:
            print_line(f"Running in {home.path}: {state}.")
        return 1
    with stack.environment():
        queues = _queue_depths(stack.outputs["name_prefix"])
    if arguments.json:
        engine = {"endpoint": stack.engine.endpoint, "pid": stack.engine.pid}
        answer = {"running": True, **engine, "region": stack.region, "queues": queues}
        print_json(answer, indent=2)
        return 0
    print_line(
        f"Engine at {stack.engine.endpoint}, process {stack.engine.pid}, region {stack.region}"
    )
    rows = [(name, *depth.values()) for name, depth in queues.items()]
    print_table(("queue", "waiting", "in flight", "dead letters"), rows)
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    home, console = _home(arguments), messages() if arguments.json else terminal()
    region = _region(arguments)
    if local_engine.running(home.path):
        raise UserError(
            f"A stack already runs in {home.path}: run `event-pipelines local down` first."
        )
    # Last, because making pictures takes a second.
    showing = demo_output.Showing(list(photographs.collection(arguments.photo)), console)
    address: str | None = None

    def watch(stack: LocalStack) -> None:
        nonlocal address
        address = console_process.start(stack)
        said = address or f"it did not start, see {home.path / 'console.log'}"
        console.print(f"Watch it in the web console: {said}", soft_wrap=True, highlight=False)

    try:
        with ThreadPoolExecutor(max_workers=1) as background:
            applying = background.submit(
                local_stack.up,
                home,
                region=region,
                port=arguments.port,
                variables={"image_derivatives": {"derivatives": images.DERIVATIVES}},
                packages_through_s3=True,
                tied_to_parent=not arguments.keep,
                on_activity=showing.note,
            )
            stack = showing.follow(
                applying, lambda: local_stack.applied_so_far(home, region), watch
            )
        good = showing.finish(stack)
    except BaseException:
        local_engine.stop(home.path)
        raise
    if arguments.json:
        answer = {"as_expected": good, "report": str(home.report), "running": arguments.keep}
        print_json({**answer, "console": address if arguments.keep else None})
    elif arguments.keep:
        _print_how_to_look_around(stack)
        said = address or f"did not start, see {home.path / 'console.log'}"
        print_block(f"The web console, which ends with it:\n  {said}")
    if arguments.keep:
        # Without a display, it would open a text browser in the terminal.
        if address and (sys.platform == "darwin" or os.environ.get("DISPLAY")):
            webbrowser.open(address)
        return 0 if good else 1
    demo_output.clean_up(stack, console)
    left = _take_down(stack, console)
    return 0 if good and left == 0 else 1


def _take_down(stack: LocalStack, console: Console) -> int:
    """Destroys the stack and stops the engine; returns 0, or 1 if resources are left."""
    try:
        with counting("Destroying the stack", console) as show:
            left = local_stack.destroy(stack, following(show))
    finally:
        local_engine.stop(stack.home.path)
    if left:
        console.print(f"[bold red]Terraform left behind: {', '.join(left)}")
        return 1
    console.print("Everything is destroyed, the engine is stopped.")
    return 0


def _queue_depths(prefix: str) -> dict[str, dict[str, int]]:
    """Returns the message counts of queues that have a dead-letter queue, by name."""
    queues = {queue.name: queue for queue in Queues(boto3.client("sqs"), prefix).all()}
    return {
        queue.name: {
            "waiting": queue.waiting,
            "in_flight": queue.in_flight,
            "dead_letters": queues[queue.dead_letters].messages,
        }
        for queue in queues.values()
        if queue.dead_letters in queues
    }


def _environment(stack: LocalStack) -> dict[str, str]:
    return dict(stack.engine.environment(stack.region))


def _print_how_to_look_around(stack: LocalStack) -> None:
    bucket = (stack.outputs["image_derivatives"] or {}).get("bucket", "BUCKET")
    exports = "\n".join(
        f"  export {name}={shlex.quote(value)}" for name, value in _environment(stack).items()
    )
    command = Path(sys.argv[0])
    if command.is_absolute() and command.is_relative_to(Path.cwd()):
        command = command.relative_to(Path.cwd())
    home = (
        "" if stack.home == Home() else f" --home {shlex.quote(os.path.relpath(stack.home.path))}"
    )
    print_block(
        # A profile or keys in the environment would override the exports.
        f"\nThe stack is running. To look around with the AWS CLI:\n{exports}\n"
        "  unset AWS_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN\n"
        f"  aws s3 ls --recursive s3://{bucket}\n"
        f"  aws s3 cp picture.jpg s3://{bucket}/ingest/\n"
        f"  {command} console --allow-changes\n"
        f"To stop it:\n  {command} local down{home}"
    )
