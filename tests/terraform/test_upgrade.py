"""A stack that was applied before resources moved into modules loses none of them.

applied_resources.txt holds what the run "every_option" planned then: each address, and by what AWS
knows the resource ("-" where that waits for the apply). Terraform destroys or replaces what is at
another address without a `moved` block, and what changes its name.
"""

from pathlib import Path

import pytest

from hcl_blocks import read_folder
from support.mocked_plans import REPOSITORY, Plan, Resource

pytestmark = pytest.mark.xdist_group("mocked plans")

NAMES = (
    *("bucket", "name", "function_name", "alarm_name", "dashboard_name"),
    *("user", "endpoint", "role", "group"),
)


def applied() -> dict[str, str]:
    """Names by address."""
    lines = Path(__file__).with_name("applied_resources.txt").read_text().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines)


def moves() -> dict[str, str]:
    """Where the pipelines' `moved` blocks send an address of the root, in one move or in two."""
    found: dict[str, str] = {}
    modules: dict[str, str] = {}
    for folder in REPOSITORY.glob("pipelines/*/"):
        pipeline = f"module.{folder.name.replace('-', '_')}[0]"
        for block in read_folder(folder).of("moved"):
            source, target = (block.attributes[end].source for end in ("from", "to"))
            whole = source.startswith("module.") and source.count(".") == 1
            (modules if whole else found)[f"{pipeline}.{source}"] = f"{pipeline}.{target}"
    for source in applied():
        target = found.get(source, source)
        for module, indexed in modules.items():
            if target.startswith(f"{module}."):
                found[source] = target.replace(module, indexed, 1)
    return found


def forgotten() -> set[str]:
    """What the root's `removed` blocks take out of the state and leave where it is."""
    return {
        block.attributes["from"].source
        for block in read_folder(REPOSITORY).of("removed")
        if all(kept.attributes["destroy"].source == "false" for kept in block.of("lifecycle"))
        and list(block.of("lifecycle"))
    }


def name_of(resource: Resource) -> str:
    return next((str(resource.values[one]) for one in NAMES if resource.values.get(one)), "-")


def test_an_upgrade_destroys_and_replaces_nothing(plans: dict[str, Plan]) -> None:
    planned = {each.address: name_of(each) for each in plans["every_option"].resources}
    # What got a `count`, Terraform moves to the first by itself.
    planned |= {address.removesuffix("[0]"): name for address, name in planned.items()}
    moved, left = moves(), forgotten()
    lost = {
        address: name
        for address, name in applied().items()
        if address.partition("[")[0] not in left
        and (
            name not in ("-", planned.get(moved.get(address, address)))
            or moved.get(address, address) not in planned
        )
    }
    assert lost == {}


def test_what_is_forgotten_was_applied_and_is_planned_no_more(plans: dict[str, Plan]) -> None:
    was = {address.partition("[")[0] for address in applied()}
    planned = {each.address.partition("[")[0] for each in plans["every_option"].resources}
    assert forgotten() == {"aws_cloudwatch_dashboard.stack"} <= was - planned


def test_every_move_is_from_what_was_applied_and_to_a_place_of_its_own() -> None:
    moved = moves()
    assert moved.keys() <= applied().keys()
    assert len(set(moved.values())) == len(moved)
