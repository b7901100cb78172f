"""Writes the reference of the command into docs/cli.md, from its parser.

Usage: .local/venv/bin/python tools/cli_docs.py [--check]

With --check nothing is written: exit status 1 means that the page is stale. Needs
requirements/test.txt, which `make test` installs.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from event_pipelines.__main__ import EXIT_CODES, GROUPS, WITHOUT_AWS, Parser, commands_of, parser

PAGE = Path(__file__).resolve().parents[1] / "docs/cli.md"
COMMAND = ".local/venv/bin/python tools/cli_docs.py"
NOTE = "<!-- Made from the command's parser by tools/cli_docs.py: change that, then run it. -->"
COMMON = "everywhere"


def page() -> str:
    """Return the page: what all commands have in common, then each command."""
    made = parser(*GROUPS)
    return "\n".join([*_introduction(made), *(line for one in _verbs(made) for line in _verb(one))])


def _introduction(made: Parser) -> Iterator[str]:
    apart = ", ".join(f"`{name}`" for name in sorted(WITHOUT_AWS))
    yield from (f"# The command\n\n{NOTE}\n", "## What all commands have in common\n")
    yield from _table(("option", "meaning"), _options(made, COMMON))
    yield from (
        "",
        f"They stand before or after the verb. {apart} ask no stack on AWS, and have `--json` and"
        " `--debug` alone (`local up` and `local demo` a region of their own).",
        "",
        "- Every answer says which stack, account and region it is of: text in a line on standard"
        " error, JSON in the fields `stack`, `account` and `region` of each document or record,"
        " `items serve` in its log. `imports rows` prints the table's items as they are.",
        "- On a terminal tables fit its width: columns are left out and text is wrapped; names,"
        " keys and commands stay whole. In a pipe or a file each record is a line of whole values"
        " with tabs between them, without headings; what is said about them is on standard error."
        " `COLUMNS` sets the width of a terminal.",
        "- Times are `30s`, `10m`, `2h` or `7d`, moments also ISO 8601, options with a default in"
        " seconds also digits alone. Rates are `500/s`, `30/m`, `1000/h`; of messages also digits"
        " alone, a second.",
        "- A key may be `s3://BUCKET/KEY`, and either of them URL-encoded: the key as it stands is"
        " looked for first. Files of keys may have a byte order mark and lines that end with CRLF.",
        "- `event-pipelines --print-completion bash`, `zsh` or `fish` prints what a shell needs to"
        " complete commands: `source <(event-pipelines --print-completion bash)`.",
        "\n## Exit codes\n",
    )
    yield from _table(("code", "meaning"), ((str(c), text) for c, text in EXIT_CODES.items()))


def _verbs(made: Parser) -> list[Parser]:
    return [one for one in commands_of(made) if one.get_default("run")]


def _verb(verb: Parser) -> Iterator[str]:
    given = list(_options(verb, "positional arguments", "options"))
    yield f"\n## {verb.prog}\n"
    yield f"{verb.description[:1].upper()}{verb.description[1:].rstrip('.')}.\n"  # type: ignore[index]
    yield f"```sh\n{(verb.epilog or '').removeprefix('Example: ')}\n```"
    if given:
        yield ""
        yield from _table(("argument", "meaning"), given)


def _options(verb: Parser, *titles: str) -> Iterator[tuple[str, str]]:
    """Arguments of these groups with their help."""
    formatter = verb._get_formatter()
    for group in verb._action_groups:
        for action in group._group_actions if group.title in titles else ():
            if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
                continue
            name = formatter._format_action_invocation(action)
            kind = "" if action.required or action.option_strings else " (optional)"
            text = formatter._expand_help(action) if action.help else ""
            if action.choices and action.help is None:
                text = ", ".join(map(str, action.choices))
            yield (
                f"`{name}`{kind}".replace("|", "\\|"),
                text.replace("|", "\\|").replace("<", "&lt;"),
            )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield "|" + "---|" * len(headings)
    yield from (f"| {' | '.join(row)} |" for row in rows)


def main(arguments: Sequence[str], file: Path = PAGE) -> int:
    """Write the page; with --check, return 1 if it is stale."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--check", action="store_true", help="write nothing, say if it is stale")
    text = page() + "\n"
    if options.parse_args(arguments).check:
        if file.read_text(encoding="utf-8") == text:
            return 0
        print(f"{file.name} is stale: run {COMMAND}.", file=sys.stderr)
        return 1
    file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
