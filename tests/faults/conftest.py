"""One engine, one stack and one proxy for all drills."""

import os
from collections.abc import Iterator
from functools import partial

import pytest

from event_pipelines.local import engine as local_engine
from event_pipelines.local import stack as local_stack
from event_pipelines.local.home import Home
from faults.drill import Drill, exercises
from faults.drivers import PREFIX
from faults.proxy import FaultProxy, running
from faults.workers import kill_worker

SEED = int(os.environ.get("EVENT_PIPELINES_DRILL_SEED", "20261121"))
EVENTS = int(os.environ.get("EVENT_PIPELINES_DRILL_EVENTS", "0")) or None
# Few at a time, so that the machine is not what is drilled; and dead letters after few tries, so
# that there are some.
AT_A_TIME = {"maximum_concurrency": 3}
TRIES = {"max_receive_count": 3}
VARIABLES = {
    "name_prefix": PREFIX,
    "alarms": None,
    "image_derivatives": {"function": AT_A_TIME, **TRIES},
    "event_audit": {"function": AT_A_TIME, "trail": {}, **TRIES},
    "csv_import": {"pace": AT_A_TIME, "split": AT_A_TIME, "rows_per_message": 3, **TRIES},
    "item_relay": {"function": AT_A_TIME, **TRIES},
    "tenant_routing": {"router": AT_A_TIME, "consumer": AT_A_TIME, "queues": TRIES},
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "exercise" in metafunc.fixturenames:
        full = metafunc.config.getoption("--full")
        metafunc.parametrize("exercise", exercises(EVENTS, SEED, full=full), ids=str)


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    home = Home(tmp_path_factory.mktemp("drills"))
    # Work is done again when an answer is lost, as on AWS.
    local_engine.start(
        home.path, lambda_python=home.lambda_python, tied_to_parent=True, repeats_work=True
    )
    # Not destroyed: other tests see to it that a destroy leaves nothing, and it takes a minute.
    stack = local_stack.up(
        home,
        region="eu-west-1",
        variables=VARIABLES,
        packages_through_s3=True,
    )
    engine = stack.engine
    proxy = FaultProxy(
        upstream=engine.endpoint,
        certificate=engine.ca_bundle.with_name("server.pem"),
        key=engine.ca_bundle.with_name("server.key"),
        ca_bundle=engine.ca_bundle,
        kill=partial(kill_worker, engine.pid),
    )
    try:
        with running(proxy):
            with stack.environment():
                made = Drill(stack, proxy)
            yield made
    finally:
        local_engine.stop(home.path)


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
