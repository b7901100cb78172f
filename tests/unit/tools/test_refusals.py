"""What build.sh says, in one sentence, when it cannot build."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import package_functions
from lambda_target import lambda_target
from unit.tools.workspace import REPOSITORY, Workspace, library

RUNTIME = "python3.99"


def test_build_of_an_unknown_function_is_refused(workspace: Workspace) -> None:
    assert workspace.refusal("alpha", "gamma") == "there is no function gamma: use alpha, beta."


def test_a_folder_without_functions(workspace: Workspace) -> None:
    empty = workspace.path / "empty"
    empty.mkdir()

    said = workspace.refusal("--functions", str(empty))

    assert said == f"{empty} holds no function: each is a folder with a handler.py."


@pytest.mark.parametrize("runtime", ["python3.11", "python2.7", "nodejs22.x", "python3", "3.13"])
def test_a_runtime_that_cannot_load_the_wheels(workspace: Workspace, runtime: str) -> None:
    assert workspace.refusal("--runtime", runtime) == (
        f"--runtime {runtime} cannot run these packages, whose wheels need Amazon Linux 2023: "
        "use python3.12 or newer (--host builds for this machine's own Python)."
    )


def test_the_oldest_runtime_that_can(workspace: Workspace) -> None:
    workspace.build("--runtime", "python3.12", "beta")


def test_build_for_an_unknown_architecture_is_refused(workspace: Workspace) -> None:
    said = workspace.refusal("--architecture", "amd64")

    assert said == "--architecture amd64 is not one that Lambda has: use arm64 or x86_64."


@pytest.mark.parametrize("option", [("--runtime", "python3.13"), ("--architecture", "arm64")])
def test_a_host_build_for_something_else(workspace: Workspace, option: tuple[str, str]) -> None:
    said = workspace.refusal("--host", *option)

    assert (
        said == "--host takes runtime and architecture from this machine: leave out the other two."
    )


def test_build_with_an_unknown_option_is_refused(workspace: Workspace) -> None:
    said = workspace.refusal("--arch")

    assert said.splitlines() == [said]
    assert "--arch" in said


def test_a_function_whose_requirements_are_not_locked(workspace: Workspace) -> None:
    (workspace.functions / "beta" / "requirements.in").write_text("tinydep==1.0\n")

    said = workspace.refusal("--runtime", RUNTIME, "beta")

    lock = workspace.functions / "beta" / "requirements.txt"
    assert said == f"{lock} is missing: run tools/lock.sh to lock requirements.in."


def test_a_lock_older_than_the_requirements(workspace: Workspace) -> None:
    requirements = workspace.functions / "alpha" / "requirements.in"
    requirements.write_text("# why\nTiny_Dep==1.0\ntinydep==2.0  # newer\n")

    said = workspace.refusal("--runtime", RUNTIME, "alpha")

    lock = workspace.functions / "alpha" / "requirements.txt"
    assert said == f"{lock} does not hold Tiny_Dep==1.0 from requirements.in: run tools/lock.sh."
    requirements.write_text("TinyDep[extra]==1.0\n")
    workspace.build("--runtime", RUNTIME, "alpha")


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("tinydep==1.0", "is not pinned with hashes"),
        ("tinydep", "is not pinned with hashes"),
        ("tinydep>=1.0 --hash=sha256:" + "0" * 64, "is not pinned with hashes"),
        ("tinydep==1.0 --hash=md5:" + "0" * 32, "is not pinned with hashes"),
        ("--extra-index-url=https://example.org", "is not pinned with hashes"),
        (
            "tinydep==1.0 ; python_version < '3.13' --hash=sha256:" + "0" * 64,
            "has an environment marker",
        ),
    ],
)
def test_a_lock_that_leaves_something_open(workspace: Workspace, line: str, wrong: str) -> None:
    lock = workspace.functions / "alpha" / "requirements.txt"
    lock.write_text(f"{line}\n")

    said = workspace.refusal("--runtime", RUNTIME, "alpha")

    assert said == f"{lock}: '{line.split()[0]}' {wrong}: run tools/lock.sh."


def test_a_wheel_with_another_hash_than_the_lock_says(fetching: Workspace) -> None:
    lock = fetching.lock("alpha", f"tinydep==1.0 {'0' * 64}")

    sentence, *details = fetching.refusal("--runtime", RUNTIME, "alpha").splitlines()

    assert sentence == (
        f"pip could not fetch the wheels of {lock} for {RUNTIME} arm64: "
        "check the network and the lock."
    )
    assert any("DO NOT MATCH THE HASHES" in line for line in details)
    assert not (fetching.output / "alpha.zip").exists()


def test_a_wheel_that_cannot_be_had(fetching: Workspace) -> None:
    fetching.lock("alpha", f"elsewhere==1.0 {'0' * 64}")

    sentence, *details = fetching.refusal("--runtime", RUNTIME, "alpha").splitlines()

    assert sentence.startswith("pip could not fetch")
    assert any("elsewhere==1.0" in line for line in details)


def test_an_interpreter_without_pip(fetching: Workspace) -> None:
    bare = fetching.path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    python = str(bare / "bin" / "python")

    said = fetching.refusal("--runtime", RUNTIME, "alpha", PYTHON=python)

    lock = fetching.functions / "alpha" / "requirements.txt"
    assert said == (
        f"{python} has no pip, which fetches the wheels of {lock}: install pip for it "
        "(on Debian the package python3-pip), or name another Python with PYTHON=path."
    )
    # A function without requirements needs none.
    fetching.build("--runtime", RUNTIME, "beta", PYTHON=python)


def test_a_python_that_does_not_run(workspace: Workspace) -> None:
    assert workspace.refusal(PYTHON="/nonexistent/python") == (
        "PYTHON=/nonexistent/python does not run as Python 3.11 or newer: name another one, "
        "or leave PYTHON unset."
    )


def test_no_python_but_a_shim_that_fails(workspace: Workspace) -> None:
    commands = workspace.path / "bin"
    commands.mkdir()
    (commands / "dirname").symlink_to(str(shutil.which("dirname")))
    shim = commands / "python3"
    shim.write_text("#!/bin/sh\necho 'python3: version not selected' >&2\nexit 127\n")
    shim.chmod(0o755)

    said = workspace.refusal(PYTHON="", PATH=str(commands))

    assert said == (
        "no Python 3.11 or newer on PATH: install one from https://www.python.org/downloads/ or "
        "your package manager, or name it with PYTHON=path."
    )
    # The next one on PATH that runs is taken.
    (commands / "python3.12").symlink_to(sys.executable)
    workspace.build("beta", PYTHON="", PATH=str(commands))


def test_a_library_for_another_architecture(workspace: Workspace) -> None:
    digest = workspace.wheel("native-1.0-py3-none-any.whl", {"native.so.1": library("x86_64")})
    workspace.lock("beta", f"native==1.0 {digest}")

    assert workspace.refusal("--runtime", RUNTIME, "beta") == (
        "native.so.1 of native-1.0-py3-none-any.whl is not a library for arm64: "
        "lock a release that has a wheel for it."
    )
    workspace.build("--runtime", RUNTIME, "--architecture", "x86_64", "beta")


def test_lock_of_a_package_of_the_runtime_is_refused(workspace: Workspace) -> None:
    digest = workspace.wheel("boto3-1.0-py3-none-any.whl", {"boto3/__init__.py": b""})
    workspace.lock("beta", f"boto3==1.0 {digest}")

    assert workspace.refusal("--runtime", RUNTIME, "beta") == (
        "beta locks boto3, which the Lambda runtime provides: "
        "take what needs it out of beta/requirements.in and run tools/lock.sh."
    )


def test_two_wheels_that_bring_the_same_file(workspace: Workspace) -> None:
    pins = []
    for name in ("one", "two"):
        digest = workspace.wheel(f"{name}-1.0-py3-none-any.whl", {"common.py": name.encode()})
        pins.append(f"{name}==1.0 {digest}")
    workspace.lock("beta", *pins)

    assert workspace.refusal("--runtime", RUNTIME, "beta") == (
        "one-1.0-py3-none-any.whl and two-1.0-py3-none-any.whl contain common.py: "
        "rename one, or lock only one."
    )


def test_a_source_that_does_not_compile(workspace: Workspace) -> None:
    (workspace.functions / "beta" / "handler.py").write_text("def handler(event, context)\n")

    said = workspace.refusal("--host", "beta")

    assert said.startswith("functions/beta/handler.py does not compile for Python ")
    assert said.endswith("(handler.py, line 1).")


def test_a_template_in_a_wheel_may_not_compile(workspace: Workspace) -> None:
    digest = workspace.wheel(
        "templates-1.0-py3-none-any.whl", {"templates.py": b"", "template.py": b"{{ name }} ="}
    )
    workspace.lock("beta", f"templates==1.0 {digest}")

    workspace.build("--host", "beta")

    compiled = [name for name in workspace.names("beta") if name.startswith("__pycache__/")]
    assert len(compiled) == 1
    assert compiled[0].startswith("__pycache__/templates.")


def test_a_package_larger_than_lambda_takes() -> None:
    limit = package_functions.MAXIMUM_UNPACKED_BYTES
    target = lambda_target("python3.13", "arm64")
    largest = {"data.bin": package_functions.Member(bytes(limit), "alpha")}

    package_functions.check("alpha", largest, target)
    with pytest.raises(package_functions.PackageInvalid) as refused:
        package_functions.check(
            "alpha", {**largest, "more.bin": package_functions.Member(b"x", "alpha")}, target
        )

    assert str(refused.value) == (
        "alpha unpacks to 262.1 MB, more than the 262.1 MB that Lambda takes: "
        "lock fewer or smaller wheels."
    )


def test_an_output_folder_that_cannot_be_made(workspace: Workspace) -> None:
    workspace.output.write_text("a file\n")

    said = workspace.refusal("--runtime", RUNTIME, "beta")

    assert said.startswith(f"--output {workspace.output} cannot be written (")
    assert said.endswith("): name another folder.")


def test_build_sh_finds_its_tool_from_any_folder(workspace: Workspace, tmp_path: Path) -> None:
    link = os.path.relpath(REPOSITORY / "build.sh", tmp_path)

    finished = subprocess.run(
        [link, *workspace.command("--runtime", RUNTIME, "beta")[1:]],
        cwd=tmp_path,
        env=workspace.environment(CDPATH="/"),
        capture_output=True,
        text=True,
    )

    assert (finished.returncode, finished.stderr) == (0, "")
