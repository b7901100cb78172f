"""One engine, one stack and one proxy for all drills."""

import os
from collections.abc import Iterator
from functools import partial

import pytest

from faults.drill import Drill, exercises
from faults.drivers import ANY_NAME
from faults.proxy import FaultProxy, running
from faults.workers import kill_worker
from support.stacks import changed, copied_stack

SEED = int(os.environ.get("EVENT_PIPELINES_DRILL_SEED", "20261121"))
EVENTS = int(os.environ.get("EVENT_PIPELINES_DRILL_EVENTS", "0")) or None
# Few at a time, so that the machine is not what is drilled; and dead letters after few tries, so
# that there are some.
AT_A_TIME = {"maximum_concurrency": 3}
TRIES = {"max_receive_count": 3}
DIFFERENCE = {
    # Content decides, whatever the driver calls its files.
    "image_derivatives": {"function": AT_A_TIME, **ANY_NAME, **TRIES},
    "event_audit": {"function": AT_A_TIME, "trail": {}, **TRIES},
    "csv_import": {"pace": AT_A_TIME, "split": AT_A_TIME, "rows_per_message": 3, **TRIES},
    "item_relay": {"function": AT_A_TIME, **TRIES},
    "tenant_routing": {
        "router": AT_A_TIME,
        "consumer": AT_A_TIME,
        "queues": TRIES,
        # The drills take messages out and put them back.
        "group_access": {"administrators": ["arn:aws:iam::123456789012:root"]},
    },
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "exercise" in metafunc.fixturenames:
        full = metafunc.config.getoption("--full")
        metafunc.parametrize("exercise", exercises(EVENTS, SEED, full=full), ids=str)


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    # Work is done again when an answer is lost, as on AWS.
    with copied_stack(tmp_path_factory, repeats_work=True) as copied:
        stack = changed(copied, **DIFFERENCE)
        engine = stack.engine
        proxy = FaultProxy(
            upstream=engine.endpoint,
            certificate=engine.ca_bundle.with_name("server.pem"),
            key=engine.ca_bundle.with_name("server.key"),
            ca_bundle=engine.ca_bundle,
            kill=partial(kill_worker, engine.pid),
        )
        with running(proxy):
            yield Drill(stack, proxy)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was counted, for docs/drills.md."""
    rows = [
        row
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        for name, row in getattr(report, "user_properties", [])
        if name == "drill"
    ]
    if rows:
        terminalreporter.section(f"fault drills, seed {SEED}")
        terminalreporter.write_line(
            "pipeline | fault | in | done | rejected | dead |"
            " after redriving: done | rejected | dead | injected | took"
        )
        for row in rows:
            terminalreporter.write_line(row)
