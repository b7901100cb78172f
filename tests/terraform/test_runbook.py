"""docs/runbook.md has a section for every alarm; commands that it or an alarm names exist."""

import contextlib
import io
import re
import shlex
from argparse import Namespace
from collections.abc import Iterator

import pytest

from event_pipelines.__main__ import parser
from event_pipelines.errors import UserError
from support.mocked_plans import REPOSITORY, Plan, Resource

pytestmark = pytest.mark.xdist_group("mocked plans")

RUNBOOK = REPOSITORY / "docs" / "runbook.md"
ALARMS = ("aws_cloudwatch_metric_alarm", "aws_cloudwatch_composite_alarm")
# Plans in which every alarm there can be has its name.
RUNS = ("defaults", "every_option")


def sections() -> dict[str, str]:
    """The text below each heading that names alarms, by what stands in the heading."""
    parts = re.split(r"^#{2,3} (.*)$", RUNBOOK.read_text(), flags=re.MULTILINE)
    return {
        heading: text.strip()
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
        if "`" in heading
    }


def alarms_meant_by(heading: str, prefix: str) -> re.Pattern[str]:
    """Words in capitals stand for one or more words of a name."""
    names = re.findall(r"`([^`]+)`", heading)
    assert ", ".join(f"`{name}`" for name in names) == heading
    expressions = (
        re.sub(
            "[A-Z]+",
            lambda word: prefix if word[0] == "PREFIX" else "[a-z0-9]+(-[a-z0-9]+)*",
            name.replace(".", r"\."),
        )
        for name in names
    )
    return re.compile("|".join(expressions))


def commands(text: str) -> list[str]:
    """The commands of this project among the code in a text."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    return [code for code in (*lines, *spans) if code.startswith("event-pipelines ")]


def parsed(command: str) -> Namespace:
    """What the command line makes of it."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            words = shlex.split(command, comments=True)[1:]
            return parser(words[0]).parse_args(words)
    except (SystemExit, UserError) as error:
        raise AssertionError(f"{command}\n{error}\n{complaint.getvalue()}") from None


@pytest.fixture(params=RUNS)
def plan(request: pytest.FixtureRequest, plans: dict[str, Plan]) -> Plan:
    return plans[request.param]


@pytest.fixture
def alarms(plan: Plan) -> list[Resource]:
    return plan.all(*ALARMS)


def test_every_alarm_has_one_section(plan: Plan, alarms: list[Resource]) -> None:
    prefix = plan.outputs["name_prefix"]
    headings = {heading: alarms_meant_by(heading, prefix) for heading in sections()}
    told = {
        alarm.values["alarm_name"]: [
            heading
            for heading, meant in headings.items()
            if meant.fullmatch(alarm.values["alarm_name"])
        ]
        for alarm in alarms
    }
    assert len(told) == len(alarms) > 50
    assert {name: found for name, found in told.items() if len(found) != 1} == {}


def test_no_section_is_about_an_alarm_that_is_not(plans: dict[str, Plan]) -> None:
    names = {
        (plans[run].outputs["name_prefix"], alarm.values["alarm_name"])
        for run in RUNS
        for alarm in plans[run].all(*ALARMS)
    }
    for heading in sections():
        for name in heading.split(", "):
            assert any(alarms_meant_by(name, prefix).fullmatch(alarm) for prefix, alarm in names), (
                name
            )


@pytest.mark.parametrize("heading", sections())
def test_a_section_says_something_and_ends_in_commands(heading: str) -> None:
    text, separator, block = sections()[heading].rpartition("```sh\n")
    assert separator
    assert len(text.split()) > 15
    assert block.endswith("\n```")
    lines = block.removesuffix("```").splitlines()
    assert lines == commands(f"```sh\n{block}")


def test_commands_of_the_runbook_exist() -> None:
    found = commands(RUNBOOK.read_text())
    assert len(found) > 50
    for command in found:
        parsed(command)


def described(alarms: list[Resource]) -> Iterator[tuple[str, str]]:
    """Commands by the alarm that names them."""
    for alarm in alarms:
        for command in commands(alarm.values["alarm_description"]):
            yield alarm.values["alarm_name"], command


def test_an_alarm_that_tells_somebody_says_what_to_run(alarms: list[Resource]) -> None:
    telling = {alarm.values["alarm_name"] for alarm in alarms if alarm.values["alarm_actions"]}
    assert telling == {name for name, _ in described(alarms)}
    # CloudWatch takes no longer ones.
    assert [alarm for alarm in alarms if len(alarm.values["alarm_description"]) > 1024] == []


def test_commands_of_alarms_exist_and_find_this_stack(plan: Plan, alarms: list[Resource]) -> None:
    prefix, queues = plan.outputs["name_prefix"], plan.names("aws_sqs_queue")
    for name, command in described(alarms):
        assert f"--prefix {prefix}" in command, name
        arguments = vars(parsed(command))
        assert arguments["prefix"] == prefix
        assert arguments.get("queue", min(queues)) in queues, name


def test_settings_reach_the_alarms(plans: dict[str, Plan]) -> None:
    plan = plans["settings_reach_the_pipelines"]
    metrics = {
        alarm.values["alarm_name"].removeprefix("acme-"): alarm.values
        for alarm in plan.all("aws_cloudwatch_metric_alarm")
    }
    thresholds = {
        "image-banner-oldest-message-age": 60,
        "audit-put-oldest-message-age": 345599,
        "csv-imports-oldest-message-age": 600,
        "relay-updates-oldest-message-age": 300,
        **{f"{name}-rejections": 20 for name in ("audit", "csv", "csv-row", "image", "relay")},
        "tenants-rejections": 20,
    }
    assert {name: metrics[name]["threshold"] for name in thresholds} == thresholds
    for half in ("csv-rows-waiting", "csv-no-rows-loaded"):
        assert metrics[half]["evaluation_periods"] * metrics[half]["period"] == 900
    subscribed = plan.all("aws_sns_topic_subscription")
    addresses = [
        each.values["endpoint"] for each in subscribed if each.module == "module.alarms[0]."
    ]
    assert addresses == ["ops@example.com"]


def test_alarm_actions_are_told_of_ok_as_well(alarms: list[Resource]) -> None:
    for alarm in alarms:
        assert alarm.values["ok_actions"] == alarm.values["alarm_actions"], alarm.address


def test_alarms_that_tell_nobody_are_parts_of_one_that_does(
    plan: Plan, alarms: list[Resource]
) -> None:
    silent = {alarm.values["alarm_name"] for alarm in alarms if not alarm.values["alarm_actions"]}
    rules = [
        alarm.values["alarm_rule"]
        for alarm in plan.all("aws_cloudwatch_composite_alarm")
        if alarm.values["alarm_actions"]
    ]
    assert silent == {name for rule in rules for name in re.findall(r'ALARM\("([^"]+)"\)', rule)}
    # On the dashboard and in the output is what somebody would be told of.
    listed = {alarm.values["alarm_name"] for alarm in alarms} - silent
    assert listed == set(plan.outputs["alarms"]["names"])
