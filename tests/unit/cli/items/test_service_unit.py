"""The systemd unit agrees with the service it runs."""

import argparse
import shlex
from pathlib import Path

from event_pipelines.__main__ import parser
from event_pipelines.items import service_loop
from event_pipelines.items.deliveries import LONGEST_DELAY_SECONDS
from event_pipelines.items.service_process import LONGEST_POLL_SECONDS

DOCS = Path(__file__).resolve().parents[4] / "docs"
UNIT = DOCS / "event-pipelines-items.service"


def settings() -> dict[str, str]:
    lines = (line for line in UNIT.read_text().splitlines() if line[:1] not in ("", "#", "["))
    return dict(line.split("=", 1) for line in lines)


def arguments() -> argparse.Namespace:
    return parser().parse_args(shlex.split(settings()["ExecStart"])[1:])


def test_the_command_is_one_that_the_command_line_takes() -> None:
    parsed = arguments()

    # Its logs go to the journal, so nothing on stdout may be mixed with them.
    assert settings()["StandardOutput"] == "null"
    assert str(parsed.output) == f"%S/{settings()['StateDirectory']}"


def test_it_is_not_killed_while_it_stops() -> None:
    drain = arguments().drain

    assert int(settings()["TimeoutStopSec"]) > drain + service_loop.RELEASE_SECONDS
    # Or the open poll would be cut off, which hides what it is given.
    assert drain > LONGEST_POLL_SECONDS
    assert settings()["KillMode"] == "mixed"


def test_it_starts_again_after_failures_only_and_always() -> None:
    assert settings()["Restart"] == "on-failure"
    assert settings()["StartLimitIntervalSec"] == "0"


def test_the_page_says_what_the_code_does() -> None:
    page = (DOCS / "item-service.md").read_text()

    assert f"2, 4, 8 … {LONGEST_DELAY_SECONDS} s" in page
    assert page.count("after five minutes") == 2
    assert service_loop.HOLD_SECONDS == 5 * 60
    assert "than two messages to try with, two more\nafter five minutes" in page
    assert service_loop.PROBES == 2
    assert f"pause for up to {service_loop.LONGEST_BACKOFF_SECONDS} s" in page
    assert f"within {service_loop.RELEASE_SECONDS} s" in page
    assert f"`--drain` ({service_loop.Pace.drain} s)" in page
