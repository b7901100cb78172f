"""What holds for every command of the parser: common options, origin of answers, exit codes."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from event_pipelines import console, stack
from event_pipelines.__main__ import EXIT_CODES, Parser, main, parser
from event_pipelines.errors import UserError, told
from unit.cli.every_command import ids, options, verbs, with_aws, words
from unit.cli.plan_review.builder import change, plan

CLI = Path(console.__file__).parents[1]

every_command = pytest.mark.parametrize("verb", verbs(), ids=ids)
every_aws_command = pytest.mark.parametrize("verb", with_aws(), ids=ids)


@pytest.fixture
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """The error of a command, which is its last line and has no traceback before it."""
    lines = capsys.readouterr().err.strip().splitlines()
    assert not any("Traceback" in line for line in lines)
    assert sum(line.startswith("event-pipelines: ") for line in lines) == 1
    return lines[-1]


@every_command
def test_every_command_has_the_common_options(verb: Parser) -> None:
    wanted = {"--json", "--debug"}
    if verb.get_default("aws"):
        wanted |= {"--prefix", "--region", "--profile"}

    assert wanted <= options(verb)


@every_command
def test_no_command_has_json_as_a_format(verb: Parser) -> None:
    for action in verb._actions:
        assert "json" not in (action.choices or ()), action.option_strings


@every_command
@pytest.mark.parametrize("place", ["before", "between", "after"])
def test_common_options_stand_before_or_after_the_verb(
    verb: Parser, place: str, tmp_path: Path
) -> None:
    given = words(verb, tmp_path)
    names = {"json": [], "prefix": ["p"], "region": ["eu-west-1"], "profile": ["q"]}
    common = [
        word
        for name, values in names.items()
        if name == "json" or verb.get_default("aws")
        for word in (f"--{name}", *values)
    ]
    at = {"before": 0, "between": 1, "after": len(given)}[place]

    parsed = parser().parse_args([*given[:at], *common, *given[at:]])

    assert parsed.json
    if verb.get_default("aws"):
        assert (parsed.prefix, parsed.region, parsed.profile) == ("p", "eu-west-1", "q")


@pytest.mark.usefixtures("_no_credentials")
@every_aws_command
@pytest.mark.parametrize("how", ["option", "AWS_REGION"])
def test_a_region_that_does_not_exist_is_refused_by_name(
    verb: Parser,
    how: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if how == "AWS_REGION":
        monkeypatch.setenv(how, "eu-west-99")
    more = ["--region", "eu-west-99"] if how == "option" else []

    assert main([*words(verb, tmp_path), *more]) == 2
    assert "no region eu-west-99, did you mean eu-west-" in sentence(capsys)


@pytest.mark.usefixtures("_no_credentials")
@every_aws_command
def test_what_cannot_be_asked_ends_with_3_and_one_sentence(
    verb: Parser,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(words(verb, tmp_path)) == 3
    said = sentence(capsys)
    assert f"`{verb.prog}` stopped: Unable to locate credentials" in said
    assert "run it again" in said


@every_aws_command
def test_ctrl_c_is_one_line_and_130(
    verb: Parser,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(boto3.session.Session, "client", interrupt)

    assert main(words(verb, tmp_path)) == 130
    assert sentence(capsys) == "event-pipelines: interrupted"


@every_command
def test_wrong_use_ends_with_2_and_one_line(
    verb: Parser, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for wrong in ([*words(verb, tmp_path), "--no-such-option"], [*verb.prog.split()[1:], *"abcd"]):
        assert main(wrong) == 2
        assert "--help" in sentence(capsys)


@pytest.mark.parametrize(
    ("variables", "named", "expected"),
    [
        ({"AWS_REGION": "eu-north-1"}, None, "eu-north-1"),
        ({"AWS_REGION": ""}, None, "eu-west-1"),
        ({"AWS_REGION": "eu-north-1"}, "us-gov-west-1", "us-gov-west-1"),
        ({}, None, "eu-west-1"),
    ],
)
def test_regions_are_taken_in_the_order_of_the_aws_cli(
    variables: dict[str, str],
    named: str | None,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    stack.choose(None, named)
    try:
        assert stack.Stack("p").region == expected
    finally:
        stack.choose(None, None)


def test_a_missing_region_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)

    with pytest.raises(UserError, match="--region or AWS_REGION"):
        stack.session()


def test_profiles_are_taken_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").write_text(
        "[profile night]\nregion = sa-east-1\naws_access_key_id = N\naws_secret_access_key = s\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "day")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "day")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    stack.choose("night", None)
    try:
        found = stack.session()
    finally:
        stack.choose(None, None)
    credentials = found.get_credentials()

    assert found.region_name == "sa-east-1"
    assert credentials is not None
    assert credentials.access_key == "N"
    assert main(["queues", "list", "--profile", "nobody"]) == 2
    assert "(nobody)" in sentence(capsys)


class ClosedPipe(io.StringIO):
    """Standard output whose reader has left; `fileno` is another file's."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file.open("w")

    def fileno(self) -> int:
        return self._file.fileno()

    def write(self, _: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


PRINT: list[Callable[[], object]] = [
    lambda: console.print_line("a"),
    lambda: console.print_block("a"),
    lambda: console.print_data("a"),
    lambda: console.print_json({}),
    lambda: console.print_json_text("{}"),
    lambda: console.print_table(("a",), [("b",)]),
]


@every_command
def test_a_closed_pipe_ends_every_command_quietly(
    verb: Parser,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever it prints with: nothing but the console prints, which test_console.py holds."""
    given = words(verb, tmp_path)
    monkeypatch.setattr(sys, "stdout", ClosedPipe(tmp_path / "other"))
    for print_something in PRINT:
        parsed = parser().parse_args(given)
        parsed.run = lambda _, act=print_something: act()
        monkeypatch.setattr("event_pipelines.__main__._parsed", lambda _, one=parsed: one)

        assert main(given) == 141
        assert capsys.readouterr().err == ""


def test_the_end_of_a_real_pipe_is_quiet(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan(*(change(f"x_y.z{n}", "create") for n in range(3000)))))
    command = f"{sys.executable} -m event_pipelines"
    for arguments in (f"plan-review --budget 0 {file}", "queues --help", "--help"):
        script = f"{command} {arguments} | head -c 1; echo ${{PIPESTATUS[0]}}"
        finished = subprocess.run(
            ["bash", "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(CLI)},
        )
        assert finished.stderr == ""
        assert finished.stdout[1:].strip() in ("0", "141")


WHERE = {"stack": "p", "account": "123456789012", "region": "eu-west-1"}


def test_text_says_once_on_standard_error_where_it_is_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console.begin(tell=True)
    console.about(lambda: WHERE)
    console.print_line("a")
    console.print_block("b")

    assert capsys.readouterr() == ("a\nb\n", "stack p, account 123456789012, region eu-west-1\n")


def test_json_has_the_stack_in_its_fields_and_nothing_on_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console.begin(tell=True)
    console.about(lambda: WHERE)
    for document in ({"a": 1}, [{"a": 1}], {"region": "of its own"}):
        console.print_json(document)
    console.print_json({"a": 1}, foreign=True)

    out, err = capsys.readouterr()
    found = [json.loads(line) for line in out.splitlines()]
    assert found == [{**WHERE, "a": 1}, [{**WHERE, "a": 1}], {**WHERE, "region": "of its own"},
                     {"a": 1}]  # fmt: skip
    assert err == ""


def refusal(code: str, status: int = 400) -> ClientError:
    metadata: Any = {"HTTPStatusCode": status}
    said = {"Code": code, "Message": "no."}
    return ClientError({"Error": said, "ResponseMetadata": metadata}, "ListQueues")  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("code", "status", "remedy"),
    [
        ("AccessDenied", 403, "have it allowed, then run it again"),
        ("ThrottlingException", 400, "run it again in a minute"),
        ("SlowDown", 503, "run it again in a minute"),
        ("Odd", 500, "run it again in a minute"),
        ("ExpiredToken", 403, "renew the credentials, then run it again"),
        ("InvalidParameterValue", 400, "do not run it again before"),
    ],
)
def test_errors_of_aws_say_what_was_tried_and_whether_to_try_again(
    code: str, status: int, remedy: str
) -> None:
    said = told(refusal(code, status), "event-pipelines queues list")

    assert said.startswith(f"`event-pipelines queues list` stopped at ListQueues: AWS said {code}")
    assert remedy in said


@pytest.mark.parametrize(
    ("error", "said", "trace"),
    [
        (refusal("AccessDenied"), "AWS said AccessDenied", False),
        (OSError(28, "No space left on device", "/x"), "No space left on device: '/x'", False),
        (ValueError("a defect"), "a defect of its own", True),
    ],
    ids=["AWS", "machine", "defect"],
)
def test_unexpected_errors_end_with_3(
    error: Exception,
    said: str,
    trace: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr("event_pipelines.stack.Queues.all", fail)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a")

    assert main(["queues", "list"]) == 3
    err = capsys.readouterr().err
    assert said in err.splitlines()[-1]
    assert ("Traceback" in err) is trace
    assert main(["--debug", "queues", "list"]) == 3
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--print-completion", shell])

    assert ended.value.code == 0
    script = capsys.readouterr().out
    missing = [verb.prog for verb in verbs() for word in verb.prog.split() if word not in script]
    assert missing == []
    assert "--follow" in script or "-l follow" in script


def test_version_and_exit_codes_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.startswith("event-pipelines ")
    with pytest.raises(SystemExit):
        main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert all(f"{code} {text}" in told for code, text in EXIT_CODES.items())
