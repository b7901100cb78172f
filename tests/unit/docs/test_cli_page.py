"""docs/cli.md is what the command's parser says; every command has an example that works."""

import shlex
from pathlib import Path

import pytest

import cli_docs
from event_pipelines.__main__ import Parser, parser
from event_pipelines.examples import EXAMPLES
from unit.cli.every_command import ids, verbs

REPOSITORY = Path(__file__).resolve().parents[3]


def test_the_page_of_the_command_is_made_from_its_parser(tmp_path: Path) -> None:
    assert cli_docs.main(["--check"]) == 0, f"run {cli_docs.COMMAND}"

    stale = tmp_path / "cli.md"
    stale.write_text("another")
    assert cli_docs.main(["--check"], stale) == 1
    cli_docs.main([], stale)
    assert stale.read_text() == (REPOSITORY / "docs/cli.md").read_text()


def test_the_page_is_linked_from_the_readme() -> None:
    assert "](docs/cli.md)" in (REPOSITORY / "README.md").read_text()


@pytest.mark.parametrize("verb", verbs(), ids=ids)
def test_every_command_has_an_example_that_it_takes(verb: Parser) -> None:
    example = shlex.split(EXAMPLES[verb.prog])
    words = example[1 : example.index(">")] if ">" in example else example[1:]

    assert parser().parse_args(words).command == verb.prog
    assert EXAMPLES[verb.prog] in " ".join(verb.format_help().split())


def test_no_example_is_of_a_command_that_is_gone() -> None:
    assert EXAMPLES.keys() == {verb.prog for verb in verbs()}
