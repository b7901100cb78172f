"""One variable of the root reaches the trust policy of every function's role."""

import re
from pathlib import Path

import pytest

from support.mocked_plans import REPOSITORY

CALL = re.compile(r'(?ms)^module "\w+" \{.*?^\}')
FOLDERS = [REPOSITORY, *sorted((REPOSITORY / "pipelines").iterdir())]


def calls(folder: Path) -> list[str]:
    """Module calls that lead to functions."""
    found = [call for path in folder.glob("*.tf") for call in CALL.findall(path.read_text())]
    return [one for one in found if re.search(r'"(\./pipelines/|\.\./\.\./.*lambda-consumer)', one)]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_call_hands_on_whether_trust_policies_name_the_account(folder: Path) -> None:
    found = calls(folder)

    assert found
    for call in found:
        assert re.search(r"\btrust_source_account\s+= var\.trust_source_account$", call, re.M)


def test_no_other_role_lets_lambda_in() -> None:
    places = [
        path.relative_to(REPOSITORY).as_posix()
        for folder in ("modules", "pipelines")
        for path in (REPOSITORY / folder).glob("*/*.tf")
        if re.search(r'Service\s*=\s*"lambda\.amazonaws\.com"', path.read_text())
    ]

    assert places == ["modules/lambda-consumer/role.tf"]
