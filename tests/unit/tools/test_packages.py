"""What build.sh puts into a package and says about it in the manifest."""

import base64
import hashlib
import importlib.util
import os
import platform
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

import package_functions
from unit.tools.workspace import ELF_MACHINES, Workspace, library

BYTECODE_TAG = f"cpython-3{sys.version_info.minor}"
# No such Python exists yet, so a package for it has no bytecode on any machine.
RUNTIME_OF_NO_MACHINE = "python3.99"


def test_a_package_holds_the_function_its_wheels_and_the_shared_code_it_imports(
    fetching: Workspace,
) -> None:
    fetching.build("--runtime", RUNTIME_OF_NO_MACHINE)

    assert fetching.names("alpha") == [
        "alpha/__init__.py",
        "alpha/handler.py",
        "shared/__init__.py",
        "shared/events.py",
        "tinydep-1.0.dist-info/METADATA",
        "tinydep-1.0.dist-info/WHEEL",
        "tinydep/__init__.py",
    ]
    assert fetching.names("beta") == ["beta/handler.py"]


def test_what_only_the_repository_needs_stays_out_of_a_package(workspace: Workspace) -> None:
    for name in (
        "alpha/README.md",
        "alpha/requirements.in",
        "alpha/.secret",
        "alpha/handler.py~",
        "alpha/tests/test_handler.py",
        "alpha/__pycache__/handler.cpython-311.pyc",
        "shared/__pycache__/events.cpython-311.pyc",
    ):
        path = workspace.functions / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("tinydep==1.0\n")
    (workspace.functions / "alpha" / "colours.icc").write_bytes(b"profile")

    workspace.build("--runtime", RUNTIME_OF_NO_MACHINE, "alpha")

    own = [name for name in workspace.names("alpha") if name.startswith(("alpha/", "shared/"))]
    assert own == [
        "alpha/__init__.py",
        "alpha/colours.icc",
        "alpha/handler.py",
        "shared/__init__.py",
        "shared/events.py",
    ]


def test_what_installers_add_to_a_wheel_stays_out_of_a_package(workspace: Workspace) -> None:
    digest = workspace.wheel(
        "busydep-2.0-py3-none-any.whl",
        {
            "busydep.py": b"",
            "busydep-2.0.dist-info/INSTALLER": b"pip",
            "busydep-2.0.dist-info/REQUESTED": b"",
            "busydep-2.0.dist-info/direct_url.json": b"{}",
            "busydep-2.0.dist-info/licenses/LICENSE": b"free",
            "busydep-2.0.data/scripts/busydep": b"#!python",
            "busydep-2.0.data/purelib/busydep_more.py": b"",
            "bin/busydep": b"#!/home/somebody/python",
            "tests/test_busydep.py": b"",
            "__pycache__/busydep.cpython-313.pyc": b"stale",
        },
    )
    workspace.lock("beta", f"busydep==2.0 {digest}")

    workspace.build("--runtime", RUNTIME_OF_NO_MACHINE, "beta")

    assert [name for name in workspace.names("beta") if "/" not in name or "busydep" in name] == [
        "busydep-2.0.dist-info/METADATA",
        "busydep-2.0.dist-info/WHEEL",
        "busydep-2.0.dist-info/licenses/LICENSE",
        "busydep.py",
        "busydep_more.py",
    ]
    assert not [
        name for name in workspace.names("beta") if name.startswith(("bin", "tests", "__py"))
    ]


def test_members_are_deflated_with_a_fixed_time_mode_and_system(workspace: Workspace) -> None:
    (workspace.functions / "beta" / "handler.py").chmod(0o700)
    digest = workspace.wheel(
        "native-1.0-cp399-cp399-manylinux_2_28_aarch64.whl", {"native.so": library("aarch64")}
    )
    workspace.lock("beta", f"native==1.0 {digest}")

    workspace.build("--runtime", RUNTIME_OF_NO_MACHINE, "beta")

    with ZipFile(workspace.output / "beta.zip") as archive:
        members = archive.infolist()
    assert {member.date_time for member in members} == {(1980, 1, 1, 0, 0, 0)}
    assert all(
        (member.compress_type == ZIP_DEFLATED) == (member.compress_size < member.file_size)
        for member in members
    )
    assert ZIP_DEFLATED in {member.compress_type for member in members}
    assert {member.create_system for member in members} == {3}
    modes = {member.filename: stat.filemode(member.external_attr >> 16) for member in members}
    assert modes.pop("native.so") == "-rwxr-xr-x"
    assert set(modes.values()) == {"-rw-r--r--"}
    assert [member.filename for member in members] == sorted(member.filename for member in members)


def test_the_manifest_describes_the_packages(workspace: Workspace) -> None:
    workspace.build("--architecture", "x86_64", "--runtime", RUNTIME_OF_NO_MACHINE)

    manifest = workspace.manifest()
    assert {k: v for k, v in manifest.items() if k != "functions"} == {
        "schema_version": 1,
        "runtime": RUNTIME_OF_NO_MACHINE,
        "architecture": "x86_64",
    }
    assert list(manifest["functions"]) == ["alpha", "beta"]
    alpha = manifest["functions"]["alpha"]
    package = workspace.output / alpha["package"]
    with ZipFile(package) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    assert alpha == {
        "package": "alpha.zip",
        "handler": "alpha.handler.handler",
        "content_hash": alpha["content_hash"],
        "sha256": hashlib.sha256(package.read_bytes()).hexdigest(),
        "size_bytes": package.stat().st_size,
        "unpacked_bytes": unpacked,
        "bytecode": "none",
        "extras": [],
    }
    assert len(base64.b64decode(alpha["content_hash"], validate=True)) == 32


def test_packages_for_lambda_are_for_python_3_13_on_arm64_unless_told(workspace: Workspace) -> None:
    workspace.build("beta")

    manifest = workspace.manifest()
    assert (manifest["runtime"], manifest["architecture"]) == ("python3.13", "arm64")


def test_a_host_package_runs_on_this_interpreter_alone(fetching: Workspace) -> None:
    fetching.build("--host", "alpha")

    manifest = fetching.manifest()
    assert manifest["runtime"] == f"python3.{sys.version_info.minor}"
    assert manifest["architecture"] == {"aarch64": "arm64"}.get(
        platform.machine(), platform.machine()
    )
    unpacked = fetching.path / "unpacked"
    with ZipFile(fetching.output / "alpha.zip") as archive:
        archive.extractall(unpacked)
    assert _answer(unpacked) == "tiny cat.jpg"


def test_bytecode_is_loaded_without_a_look_at_time_or_text_of_the_source(
    workspace: Workspace,
) -> None:
    workspace.build("--host", "alpha")

    unpacked = workspace.path / "unpacked"
    with ZipFile(workspace.output / "alpha.zip") as archive:
        archive.extractall(unpacked)
    # Bytecode that checks time or text would be thrown away here, and the new text would run.
    (unpacked / "tinydep" / "__init__.py").write_text("NAME = 'recompiled '\n")
    assert _answer(unpacked) == "tiny cat.jpg"

    assert workspace.manifest()["functions"]["alpha"]["bytecode"] == "unchecked-hash"
    sources = {name for name in workspace.names("alpha") if name.endswith(".py")}
    compiled = {name for name in workspace.names("alpha") if name.endswith(".pyc")}
    assert compiled == {
        f"{Path(name).parent}/__pycache__/{Path(name).stem}.{BYTECODE_TAG}.pyc" for name in sources
    }
    for name in compiled:
        header = (unpacked / name).read_bytes()[:8]
        assert header == importlib.util.MAGIC_NUMBER + b"\x01\x00\x00\x00"


def test_without_the_target_python_a_package_has_no_bytecode_and_the_same_content_hash(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.build("--host", "alpha")
    with_bytecode = workspace.manifest()["functions"]["alpha"]
    # In-process, because every machine that runs this test has the host's Python.
    for name, value in workspace.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(package_functions, "find_interpreter", {}.get)
    arguments = [
        "--host",
        "--functions",
        str(workspace.functions),
        "--output",
        str(workspace.output),
    ]

    assert package_functions.main([*arguments, "alpha"]) == 0

    without = workspace.manifest()["functions"]["alpha"]
    assert (with_bytecode["bytecode"], without["bytecode"]) == ("unchecked-hash", "none")
    assert with_bytecode["sha256"] != without["sha256"]
    assert with_bytecode["content_hash"] == without["content_hash"]


def test_a_missing_target_python_is_said_in_one_line(workspace: Workspace) -> None:
    said = workspace.build("--runtime", RUNTIME_OF_NO_MACHINE, "beta")

    assert said.splitlines()[1] == (
        "No Python 3.99 runs on this machine: the packages get no bytecode and take about twice as "
        "long to start (install it and build again)."
    )


def test_packages_are_identical_whatever_the_machine(workspace: Workspace) -> None:
    workspace.build("--host")
    here = workspace.manifest()

    elsewhere = workspace.path / "another path" / "functions"
    shutil.copytree(workspace.functions, elsewhere)
    for path in elsewhere.rglob("*"):
        os.utime(path, (981173106, 981173106))
        path.chmod(0o700)
    other = replace(workspace, functions=elsewhere, output=workspace.path / "another output")
    subprocess.run(
        ["sh", "-c", 'umask 077; cd /; exec "$0" "$@"', *other.command("--host")],
        env=other.environment(
            PYTHONHASHSEED="1234", LC_ALL="C", TZ="Asia/Kathmandu", PYTHONDONTWRITEBYTECODE="1"
        ),
        check=True,
        stdout=subprocess.DEVNULL,
    )

    assert other.manifest() == here
    for function in ("alpha", "beta"):
        name = f"{function}.zip"
        assert (other.output / name).read_bytes() == (workspace.output / name).read_bytes()


def test_the_content_hash_changes_with_content_and_with_nothing_else(workspace: Workspace) -> None:
    workspace.build("--runtime", RUNTIME_OF_NO_MACHINE)
    before = workspace.manifest()["functions"]
    (workspace.functions / "alpha" / "README.md").write_text("Not packaged.\n")
    (workspace.functions / "beta" / "handler.py").write_text("def handler(event, context): ...\n")

    workspace.build("--runtime", "python3.98")

    after = workspace.manifest()["functions"]
    assert after["alpha"]["content_hash"] == before["alpha"]["content_hash"]
    assert after["beta"]["content_hash"] != before["beta"]["content_hash"]


@pytest.mark.parametrize(("architecture", "machine"), [("arm64", "aarch64"), ("x86_64", "x86_64")])
def test_the_wheel_for_the_newest_glibc_of_the_architecture_is_taken(
    fetching: Workspace, architecture: str, machine: str
) -> None:
    hashes = [
        fetching.wheel(
            f"native-1.0-cp313-cp313-{tag}_{wheel_machine}.whl",
            {"native.so": library(wheel_machine, tag.encode())},
        )
        for tag in ("manylinux2014", "manylinux_2_17", "manylinux_2_28")
        for wheel_machine in ELF_MACHINES
    ]
    fetching.lock("beta", f"native==1.0 {' '.join(hashes)}")

    fetching.build("--architecture", architecture, "beta")

    with ZipFile(fetching.output / "beta.zip") as archive:
        assert archive.read("native.so") == library(machine, b"manylinux_2_28")


def test_a_wheel_for_an_older_glibc_is_taken_where_there_is_no_newer(fetching: Workspace) -> None:
    tags = ("manylinux2014", "manylinux_2_17", "manylinux_2_27")
    pins = [
        f"for_{tag}==1.0 "
        + fetching.wheel(
            f"for_{tag}-1.0-cp39-abi3-{tag}_aarch64.whl", {f"{tag}.so": library("aarch64")}
        )
        for tag in tags
    ]
    fetching.lock("beta", *pins)

    fetching.build("beta")

    assert {f"{tag}.so" for tag in tags} <= set(fetching.names("beta"))


def _answer(unpacked: Path) -> str:
    program = (
        f"import sys; sys.path.insert(0, {str(unpacked)!r}); from alpha.handler import handler;"
        "print(handler({'key': 'cat.jpg'}, None), end='')"
    )
    return subprocess.check_output([sys.executable, "-I", "-S", "-c", program], text=True)
