"""The locks that are committed."""

import re
from pathlib import Path

import pytest

import locked_wheels
from unit.tools.workspace import REPOSITORY

LOCKS = sorted(REPOSITORY.glob("requirements/*.txt"))
FUNCTION_LOCKS = sorted(REPOSITORY.glob("functions/*/requirements*.txt"))


def pins(path: Path) -> dict[str, str]:
    """Normalised names and versions of "name==version" lines."""
    found = re.findall(r"(?m)^([\w.-]+)(?:\[[^\]]*\])?==([^\s;]+)", path.read_text())
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


@pytest.mark.parametrize("lock", [*LOCKS, *FUNCTION_LOCKS], ids=lambda path: str(path.name))
def test_a_lock_holds_what_was_asked_for_with_hashes_and_nothing_of_a_machine(lock: Path) -> None:
    text = lock.read_text()

    assert pins(lock.with_suffix(".in")).items() <= pins(lock).items()
    requirements = re.findall(r"(?m)^[\w.-]+==.*", text.replace("\\\n", " "))
    assert len(requirements) == len(pins(lock)) > 0
    assert all("--hash=sha256:" in requirement for requirement in requirements)
    assert not re.search(r"(?m)^-|://|^[^#]*/", text)


def test_packages_that_are_installed_together_have_one_version() -> None:
    local, test, runtime = (
        pins(REPOSITORY / "requirements" / f"{name}.txt")
        for name in ("local", "test", "lambda-runtime")
    )

    for other in (test, runtime):
        common = local.keys() & other.keys()
        assert {name: local[name] for name in common} == {name: other[name] for name in common}
    assert runtime.keys() <= local.keys()


@pytest.mark.parametrize("lock", FUNCTION_LOCKS, ids=lambda path: f"{path.parent.name} {path.stem}")
def test_a_function_is_tested_with_the_versions_it_ships(lock: Path) -> None:
    installed = {
        **pins(REPOSITORY / "requirements" / "local.txt"),
        **pins(REPOSITORY / "requirements" / "test.txt"),
    }

    for requirement in locked_wheels.read_lock(lock):
        assert installed[requirement.name] == requirement.version


def test_the_provider_lock_fits_the_root_and_every_platform() -> None:
    lock = (REPOSITORY / ".terraform.lock.hcl").read_text()
    root = (REPOSITORY / "versions.tf").read_text()

    wanted = re.search(r'version += +"(>= [\d.]+), (< [\d.]+)"', root)
    assert wanted is not None
    locked = re.search(r'constraints += +"(>= [\d.]+), (< [\d.]+)"', lock)
    assert locked is not None
    assert [bound.removesuffix(".0") for bound in locked.groups()] == list(wanted.groups())
    # zh: hashes of the registry's zips, one for each platform; h1: for unpacked mirrors.
    assert len(re.findall(r'"zh:[0-9a-f]{64}"', lock)) == 15
    assert re.search(r'"h1:[\w+/]{43}="', lock)
