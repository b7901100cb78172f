"""Two engines: one with every correction, one with none."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from event_pipelines.local import engine
from local.corrections.cloud import Cloud

BOTO3 = "boto3==1.43.106"


@pytest.fixture(scope="session")
def lambda_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with boto3 and nothing else, as the Lambda runtime has."""
    prepared = os.environ.get("EVENT_PIPELINES_LAMBDA_PYTHON")
    if prepared:
        return Path(prepared)
    environment = tmp_path_factory.mktemp("lambda-runtime")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--python", python, "install", BOTO3], check=True
    )
    return python


# For each file anew: an engine that nobody uses goes on polling its queues.
@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory, lambda_python: Path) -> Iterator[Cloud]:
    home = tmp_path_factory.mktemp("corrected")
    started = engine.start(home, lambda_python=lambda_python, tied_to_parent=True)
    yield Cloud(started)
    engine.stop(home)


@pytest.fixture(scope="module")
def uncorrected(tmp_path_factory: pytest.TempPathFactory, lambda_python: Path) -> Iterator[Cloud]:
    home = tmp_path_factory.mktemp("uncorrected")
    started = engine.start(home, lambda_python=lambda_python, corrections=(), tied_to_parent=True)
    yield Cloud(started)
    engine.stop(home)


@pytest.fixture(scope="session")
def still_needed() -> Callable[[str, bool], None]:
    """Fails when the defect that a correction is for does not show on an engine without it."""

    def check(correction: str, defect_shows: bool) -> None:
        assert defect_shows, f"MiniStack no longer needs correction {correction}: delete it"

    return check
