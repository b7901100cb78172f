"""The `event-pipelines` command."""

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NoReturn

from event_pipelines import console
from event_pipelines.errors import INTERRUPTED, Unanswered, UserError, told
from event_pipelines.examples import EXAMPLES

# Each group is the module `commands` of the package of its name, imported only when it is used:
# plan commands must work without boto3, and the local engine's libraries are an extra.
GROUPS = {
    "local": "run the stack on this machine's embedded AWS engine",
    "audit": "what happened to the objects of the audited bucket",
    "imports": "CSV files into the table",
    "tenants": "groups of tenants, tenants and their queues",
    "items": "JSON files through the item relay",
    "queues": "every queue of every pipeline",
    "reconcile": "list objects that have neither an effect, nor a rejection, nor a dead letter",
    "replay": "send objects through a pipeline again",
    "status": "where the messages of every pipeline are; ends with 1 unless all is well",
    "trace": "the story of one object, in the order of time",
    "console": "a web page over the same functions, on loopback, read-only unless told otherwise",
    "smoke": "one small object or item through each pipeline to its effect, and away again",
    "plan-review": "what a Terraform plan would do, for whoever has to approve it",
    "capacity": "what the settings of a Terraform plan can carry, by simulation",
    "preflight": "what the account would not take of a Terraform plan; changes nothing",
}
_MODULES = {
    "console": "web_console.commands",
    "replay": "reconcile.replay_command",
    "plan-review": "plans.review.commands",
    "capacity": "plans.capacity.commands",
}
WITHOUT_AWS = {"local", "plan-review", "capacity"}
_EXTRAS = {
    "console": ("starlette", "uvicorn"),
    "local": ("httptools", "ministack", "PIL", "sqlean", "trustme", "uvicorn"),
}
_PREFIX = "EVENT_PIPELINES_NAME_PREFIX"
PIPE_CLOSED = 141
EXIT_CODES = {
    0: "all is well, or done",
    1: "found something: a fault, what is missing, what was not done",
    2: "wrong use: an argument, a file or a name",
    3: "could not ask or act: AWS, the network or this machine refused or did not answer",
    INTERRUPTED: "interrupted with Ctrl-C",
    PIPE_CLOSED: "the reader of the pipe closed it",
}


class Parser(argparse.ArgumentParser):
    """A parser that adds its arguments on first use, and raises UserError for wrong ones."""

    fill: Callable[[], None] | None = None

    def parse_known_args(self, *arguments: Any, **how: Any) -> Any:
        self.filled()
        return super().parse_known_args(*arguments, **how)

    def filled(self) -> "Parser":
        fill, self.fill = self.fill, None
        if fill:
            fill()
        return self

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}: see `{self.prog} --help`.")


class _Version(argparse.Action):
    def __call__(self, made: argparse.ArgumentParser, *_: Any) -> NoReturn:
        # Imported only here, because it imports many other modules.
        metadata = import_module("importlib.metadata")
        try:
            version = metadata.version("event-pipelines")
        except metadata.PackageNotFoundError:
            version = "from a folder, not installed"
        console.print_line(f"event-pipelines {version}")
        made.exit()


class _Completion(argparse.Action):
    def __call__(
        self, made: argparse.ArgumentParser, _: Any, shell: Any, __: Any = None
    ) -> NoReturn:
        if find_spec("shtab") is None:
            raise Unanswered("Completion needs shtab: run `pip install shtab`.")
        shtab = import_module("shtab")
        whole = parser(*(name for name in GROUPS if not _missing(name)))
        for each in commands_of(whole, fill=False):
            for action in each._actions:
                if action.metavar in ("FILE", "PLAN", "DIR"):
                    vars(action)["complete"] = shtab.DIR if action.metavar == "DIR" else shtab.FILE
        console.print_block(shtab.complete(whole, shell))
        made.exit()


def parser(*groups: str) -> Parser:
    """Returns the parser. `groups` get their arguments at once, other groups when parsed."""
    made = Parser(
        prog="event-pipelines",
        description="Event pipelines on S3, SNS, SQS and Lambda.",
        epilog="Exit codes: " + "; ".join(f"{code} {text}" for code, text in EXIT_CODES.items()),
    )
    made.add_argument("--version", action=_Version, nargs=0, help="print the version, and end")
    made.add_argument(
        "--print-completion",
        action=_Completion,
        choices=("bash", "zsh", "fish"),
        help="print what the shell needs to complete commands, and end",
    )
    added = made.add_subparsers(metavar="GROUP", required=True)
    _add_common(made, aws=True)
    for name, text in GROUPS.items():
        group = added.add_parser(name, help=text, description=text)
        group.fill = partial(_fill, group, name)
        if name in groups:
            group.filled()
    return made


def _fill(group: Parser, name: str) -> None:
    _commands(name).add_arguments(group)
    for each in commands_of(group):
        if each.get_default("run"):
            each.epilog = f"Example: {EXAMPLES[each.prog]}"
        _add_common(each, aws=name not in WITHOUT_AWS)
        each.set_defaults(command=each.prog, aws=name not in WITHOUT_AWS)


def commands_of(parser: Parser, *, fill: bool = True) -> Iterator[Parser]:
    """Yields this parser and all below it; `fill` adds the arguments that are not yet added."""
    yield parser.filled() if fill else parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from commands_of(below, fill=fill)


def _add_common(parser: Parser, *, aws: bool) -> None:
    """Adds common options. Their defaults would override values given before the command."""
    add = partial(parser.add_argument_group("everywhere").add_argument, default=argparse.SUPPRESS)
    add("--json", action="store_true", help="JSON output")
    add("--debug", action="store_true", help="print where an error came from")
    if aws:
        default = f"${_PREFIX}, else event-pipelines"
        # The second spelling is that of the stack's variable.
        text = f"the stack's name_prefix (default: {default})"
        add("--prefix", "--name-prefix", metavar="NAME", help=text)
        add("--region", metavar="REGION", help="default: $AWS_REGION, else as for the AWS CLI")
        add("--profile", metavar="NAME", help="of the AWS configuration (default: $AWS_PROFILE)")


def _missing(group: str) -> list[str]:
    return [name for name in _EXTRAS.get(group, ()) if find_spec(name) is None]


def _commands(group: str) -> ModuleType:
    if missing := _missing(group):
        raise Unanswered(
            f"`event-pipelines {group}` needs {', '.join(missing)}, which the extra `{group}`"
            f" brings: run `pip install 'event-pipelines[{group}]'`."
        )
    return import_module(f"event_pipelines.{_MODULES.get(group, f'{group}.commands')}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code. Errors of the user or of AWS are one line."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    command = "event-pipelines"
    try:
        parsed = _parsed(given)
        command = parsed.command
        code = _run(parsed)
        # Buffered output may meet a closed pipe.
        console.flush()
        return code
    except BrokenPipeError:
        console.let_go()
        return PIPE_CLOSED
    except KeyboardInterrupt:
        console.fail("interrupted")
        return INTERRUPTED
    except Exception as error:
        if "--debug" in given:
            traceback.print_exc()
        return _failed(error, command)


def _parsed(given: Sequence[str]) -> argparse.Namespace:
    try:
        return parser().parse_args(given)
    except SystemExit:  # of --help and --version
        console.flush()
        raise


def _run(parsed: argparse.Namespace) -> int:
    chosen = vars(parsed)
    for name in ("json", "debug"):
        chosen.setdefault(name, False)
    if parsed.aws:
        chosen.setdefault("prefix", os.environ.get(_PREFIX) or "event-pipelines")
        # Imported only here, because it imports boto3.
        stack = import_module("event_pipelines.stack")
        stack.choose(chosen.get("profile"), chosen.get("region"))
    console.begin(tell=parsed.aws)
    return int(parsed.run(parsed))


def _failed(error: Exception, command: str) -> int:
    """Prints a sentence on what stopped a command; returns the exit code."""
    if isinstance(error, UserError):
        console.fail(error)
        return error.code
    # The messages of boto3 name what AWS refused, or which setting is missing.
    origins = {base.__module__.partition(".")[0] for base in type(error).__mro__}
    if not origins.isdisjoint({"boto3", "botocore"}):
        console.fail(told(error, command))
    elif isinstance(error, OSError):
        console.fail(f"`{command}` stopped: {error}; remove the cause, then run it again.")
    else:
        traceback.print_exc()
        console.fail(f"`{command}` stopped at a defect of its own: report what stands above.")
    return Unanswered.code


if __name__ == "__main__":
    sys.exit(main())
