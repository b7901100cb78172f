"""Where tools/terraform_init.sh takes the AWS provider from; its Terraform only pretends."""

import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from unit.tools.workspace import REPOSITORY

UNREACHABLE = "Error: Failed to query available provider packages"
FAKE = """#!/bin/sh
echo "$* config=${TF_CLI_CONFIG_FILE-unset}" >>"$CALLS"
case "$*" in
*-plugin-dir="$ACCEPTED"*) exit 0 ;;
*-plugin-dir=*) ;;
*) [ "$ACCEPTED" = registry ] && exit 0 ;;
esac
echo "$REFUSAL" >&2
exit 1
"""
MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
PLATFORM = f"{platform.system().lower()}_{MACHINE}"
PROVIDER = "registry.terraform.io/hashicorp/aws"


@dataclass(frozen=True)
class Machine:
    """A home folder and a PATH of its own; `root` is what is initialised."""

    path: Path
    root: Path

    def init(
        self, *arguments: str, accepted: str = "nothing", refusal: str = UNREACHABLE, **changes: str
    ) -> "subprocess.CompletedProcess[str]":
        """Runs the script; Terraform can work with `accepted`, a mirror or "registry"."""
        environment = {
            "PATH": f"{self.path / 'bin'}:/usr/bin:/bin",
            "HOME": str(self.path / "home"),
            "XDG_DATA_DIRS": str(self.path / "share"),
            "CALLS": str(self.path / "calls"),
            "ACCEPTED": accepted,
            "REFUSAL": refusal,
        }
        return subprocess.run(
            [str(REPOSITORY / "tools" / "terraform_init.sh"), str(self.root), *arguments],
            env={**environment, **changes},
            capture_output=True,
            text=True,
        )

    def calls(self) -> list[str]:
        return (self.path / "calls").read_text().splitlines()

    def mirror(self, place: str, provider: str) -> str:
        mirror = self.path / place
        (mirror / PROVIDER / provider).mkdir(parents=True)
        return str(mirror)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path, tmp_path / "a root")
    for folder in (machine.root, tmp_path / "home", tmp_path / "bin"):
        folder.mkdir()
    terraform = tmp_path / "bin" / "terraform"
    terraform.write_text(FAKE)
    terraform.chmod(0o755)
    return machine


def test_terraform_init_uses_the_registry_without_a_mirror(machine: Machine) -> None:
    machine.mirror("home/.terraform.d/old", f"4.0.0/{PLATFORM}")

    finished = machine.init("-upgrade", accepted="registry")

    assert (finished.returncode, finished.stderr) == (0, "")
    assert "comes from the registry or your CLI configuration" in finished.stdout
    assert machine.calls() == [
        f"-chdir={machine.root} init -input=false -no-color -upgrade config=unset"
    ]


@pytest.mark.parametrize(
    ("place", "provider"),
    [
        ("home/.terraform.d/mirror", f"5.100.0/{PLATFORM}"),
        ("home/.local/share/terraform/mirror", f"5.100.0/{PLATFORM}"),
        ("share/terraform/providers", f"5.100.0/{PLATFORM}"),
        ("share/terraform/packed", f"terraform-provider-aws_5.100.0_{PLATFORM}.zip"),
    ],
)
def test_without_a_network_a_mirror_at_a_conventional_place_is_found(
    machine: Machine, place: str, provider: str
) -> None:
    mirror = machine.mirror(place, provider)

    finished = machine.init("-reconfigure", accepted=mirror)

    assert (finished.returncode, finished.stderr) == (0, "")
    assert f"comes from {mirror}." in finished.stdout
    assert "-plugin-dir" not in machine.calls()[0]
    assert machine.calls()[-1].startswith(
        f"-chdir={machine.root} init -input=false -no-color -plugin-dir={mirror} -reconfigure "
    )


def test_a_mirror_with_another_version_than_the_root_accepts_is_passed_over(
    machine: Machine,
) -> None:
    machine.mirror("home/.terraform.d/a-stale", f"3.0.0/{PLATFORM}")
    mirror = machine.mirror("home/.terraform.d/b-good", f"5.100.0/{PLATFORM}")

    assert machine.init(accepted=mirror).returncode == 0


def test_a_mirror_for_another_platform_is_not_tried(machine: Machine) -> None:
    mirror = machine.mirror("home/.terraform.d/mirror", "5.100.0/plan9_mips")

    finished = machine.init(accepted=mirror)

    assert finished.returncode == 1
    assert mirror not in "\n".join(machine.calls())


def test_no_provider_anywhere_is_one_sentence_that_names_the_log(machine: Machine) -> None:
    finished = machine.init()

    log = machine.root / ".terraform" / "init.log"
    assert finished.returncode == 1
    assert finished.stdout == ""
    assert finished.stderr == (
        f"terraform_init.sh: there is no AWS provider for {PLATFORM} that {machine.root} accepts: "
        "connect to registry.terraform.io, or set TF_PLUGIN_DIR to a folder that holds "
        f"{PROVIDER} (Terraform's own words are in {log}).\n"
    )
    assert UNREACHABLE in log.read_text()


def test_a_named_folder_is_the_only_one_tried(machine: Machine) -> None:
    mirror = machine.mirror("somewhere", f"5.100.0/{PLATFORM}")

    finished = machine.init(accepted=mirror, TF_PLUGIN_DIR=mirror)

    assert (finished.returncode, finished.stderr) == (0, "")
    assert [call.split()[-2] for call in machine.calls()] == [f"-plugin-dir={mirror}"]


def test_a_named_folder_without_the_provider_is_not_replaced_by_another(machine: Machine) -> None:
    other = machine.mirror("home/.terraform.d/mirror", f"5.100.0/{PLATFORM}")
    empty = machine.path / "empty"
    empty.mkdir()

    finished = machine.init(accepted=other, TF_PLUGIN_DIR=str(empty))

    assert finished.returncode == 1
    assert finished.stderr == (
        f"terraform_init.sh: TF_PLUGIN_DIR={empty} has no AWS provider for {PLATFORM} that "
        f"{machine.root} accepts: name a folder that holds {PROVIDER}, or leave it unset "
        f"(Terraform's own words are in {machine.root}/.terraform/init.log).\n"
    )


def test_a_named_folder_that_does_not_exist(machine: Machine) -> None:
    finished = machine.init(accepted="registry", TF_PLUGIN_DIR="/nonexistent")

    assert finished.returncode == 1
    assert finished.stderr.startswith(
        "terraform_init.sh: TF_PLUGIN_DIR=/nonexistent is not a folder: "
    )
    assert not (machine.path / "calls").exists()


def test_an_error_of_the_configuration_is_told_in_terraforms_words(machine: Machine) -> None:
    mirror = machine.mirror("home/.terraform.d/mirror", f"5.100.0/{PLATFORM}")

    finished = machine.init(accepted=mirror, refusal="Error: Invalid multi-line string")

    assert finished.returncode == 1
    assert finished.stderr == "Error: Invalid multi-line string\n"
    assert len(machine.calls()) == 1


def test_a_configuration_file_that_does_not_exist_is_forgotten(machine: Machine) -> None:
    missing, present = machine.path / "missing", machine.path / "present"
    present.touch()

    machine.init(accepted="registry", TF_CLI_CONFIG_FILE=str(missing))
    machine.init(accepted="registry", TF_CLI_CONFIG_FILE=str(present))

    assert [call.split()[-1] for call in machine.calls()] == ["config=unset", f"config={present}"]


@pytest.mark.parametrize("folder", ["data", "{path}/data"])
def test_the_log_is_kept_in_terraforms_data_folder(machine: Machine, folder: str) -> None:
    data = folder.format(path=machine.path)

    machine.init(accepted="registry", TF_DATA_DIR=data)

    assert (machine.root / data / "init.log").exists()
    assert not (machine.root / ".terraform").exists()


def test_terraform_init_without_terraform_says_where_to_get_it(machine: Machine) -> None:
    commands = machine.path / "other"
    commands.mkdir()
    for name in ("sh", "uname", "tr"):
        (commands / name).symlink_to(str(shutil.which(name)))

    finished = machine.init(PATH=str(commands))

    assert finished.returncode == 1
    assert finished.stderr == (
        "terraform_init.sh: Terraform is not on PATH: install Terraform 1.9 or later from "
        "https://developer.hashicorp.com/terraform/install.\n"
    )


def test_terraform_init_of_a_missing_folder_is_refused(machine: Machine) -> None:
    shutil.rmtree(machine.root)

    finished = machine.init()

    assert finished.returncode == 1
    assert finished.stderr == (
        f"terraform_init.sh: {machine.root} is not a folder: "
        "name the one that holds the .tf files.\n"
    )
