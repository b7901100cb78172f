"""What a person sees when a command cannot do its work: one sentence and a non-zero exit."""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from event_pipelines.__main__ import GROUPS, main
from event_pipelines.errors import UserError
from event_pipelines.local import engine as local_engine
from event_pipelines.local import stack as local_stack
from event_pipelines.local.home import Home

REPOSITORY = Path(__file__).resolve().parents[3]


def fails_with(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 3) -> str:
    """Runs a command that must fail; returns its one line on stderr."""
    assert main(arguments) == code
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("event-pipelines: ")
    assert not any("Traceback" in line for line in lines)
    return lines[-1]


NATIVE = {"PIL", "sqlean", "cryptography", "trustme", "uvicorn", "httptools", "ministack",
          "starlette"}  # fmt: skip


def fresh(program: str) -> str:
    """What a new process prints that runs a program."""
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture(scope="module")
def imported() -> dict[str, list[str]]:
    """The modules that each group has imported, in a process of its own.

    These are forks of one that has imported what most of them do, and takes most of the time.
    """
    lines = fresh(
        "import os, sys, event_pipelines.pipelines\n"
        "from event_pipelines.__main__ import GROUPS, parser\n"
        "for group in GROUPS.keys() - {'local'}:\n"
        "    if os.fork():\n"
        "        assert os.wait()[1] == 0\n"
        "    else:\n"
        "        parser(group)\n"
        "        print(group, *sys.modules, flush=True)\n"
        "        os._exit(0)\n"
    ).splitlines()
    return {group: names for group, *names in map(str.split, lines)}


@pytest.mark.parametrize("group", sorted(GROUPS.keys() - {"local"}))
def test_commands_but_local_import_nothing_of_the_local_engine(
    group: str, imported: dict[str, list[str]]
) -> None:
    names = imported[group]

    assert NATIVE.isdisjoint(name.partition(".")[0] for name in names)
    assert not [name for name in names if name.startswith("event_pipelines.local")]


@pytest.mark.parametrize(
    ("group", "missing"),
    [
        *(("local", name) for name in ("ministack", "PIL", "sqlean", "trustme", "uvicorn")),
        *(("console", name) for name in ("starlette", "uvicorn")),
    ],
)
def test_a_group_without_its_extra_names_the_extra(group: str, missing: str) -> None:
    said = fresh(
        "import importlib.util as util, sys; find = util.find_spec\n"
        f"util.find_spec = lambda name: None if name == {missing!r} else find(name)\n"
        "from event_pipelines.__main__ import main\n"
        f"sys.stderr = sys.stdout; print(main([{group!r}, '--json']))"
    )

    (line, code) = said.splitlines()
    assert line.startswith(f"event-pipelines: `event-pipelines {group}`")
    assert missing in line
    assert f"pip install 'event-pipelines[{group}]'" in line
    assert code == "3"


def test_local_up_names_a_port_in_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])

        line = fails_with(capsys, "local", "up", "--home", str(tmp_path), "--port", port, code=2)

    assert port in line
    assert "in use" in line
    assert local_engine.running(tmp_path) is None


@pytest.mark.parametrize("verb", ["up", "demo"])
@pytest.mark.parametrize(
    ("given", "said"),
    [(("--port", "70000"), "--port 70000"), (("--region", "moon"), "region moon")],
)
def test_local_refuses_ports_and_regions_that_do_not_exist(
    verb: str, given: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in fails_with(capsys, "local", verb, "--home", str(tmp_path), *given, code=2)


def test_local_up_without_packages_names_make_packages(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="make packages"):
        local_stack.up(Home(tmp_path, tools=tmp_path))

    assert local_engine.running(tmp_path) is None


def test_local_up_without_terraform_says_where_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    line = fails_with(capsys, "local", "up", "--home", str(tmp_path))

    assert "Terraform is not on PATH" in line
    assert "https://" in line


def test_local_up_refuses_an_old_terraform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = tmp_path / "terraform"
    fake.write_text("""#!/bin/sh\necho '{"terraform_version": "1.8.5"}'\n""")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    line = fails_with(capsys, "local", "up", "--home", str(tmp_path))

    assert "1.8.5 is too old" in line
    assert "1.9" in line


def test_no_provider_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("TF_PLUGIN_DIR", str(tmp_path / "empty"))

    line = fails_with(capsys, "local", "up", "--home", str(tmp_path))

    assert "AWS provider" in line
    assert "TF_PLUGIN_DIR" in line
    assert local_engine.running(tmp_path) is None


def test_demo_refuses_a_photo_that_is_no_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no picture")

    assert "not a picture" in fails_with(capsys, "local", "demo", "--photo", str(text), code=2)
    missing = str(tmp_path / "gone.jpg")
    assert "gone.jpg cannot be read" in fails_with(
        capsys, "local", "demo", "--photo", missing, code=2
    )


def test_local_status_and_down_without_an_engine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["local", "status", "--home", str(tmp_path)]) == 1
    assert "nothing" in capsys.readouterr().out
    assert main(["local", "status", "--home", str(tmp_path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"running": False}
    assert main(["local", "down", "--home", str(tmp_path)]) == 0


def environment_script(
    path: Path, script: Path = REPOSITORY / "tools" / "environment.sh", /, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs tools/environment.sh where only the programs in `path` can be found."""
    for program in ("sh", "uname", "dirname", "cat", "mkdir", "rm", "tail", "touch"):
        found = next(p for p in ("/bin", "/usr/bin") if (Path(p) / program).exists())
        (path / program).symlink_to(Path(found) / program)
    return subprocess.run(
        [script, "local"],
        env={"PATH": str(path), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_environment_script_without_python_names_the_versions(tmp_path: Path) -> None:
    finished = environment_script(tmp_path)

    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert "Python 3.11, 3.12 or 3.13 is not on PATH" in line


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"PORT": "70000"}, "PORT=70000 is no port"),
        ({"PORT": "eighty"}, "PORT=eighty is no port"),
        ({"PORT": "0"}, "PORT=0 is no port"),
        ({"PHOTO": "/no such/cat.jpg"}, "PHOTO=/no such/cat.jpg cannot be read"),
    ],
)
def test_environment_script_says_at_once_what_a_demo_cannot_take(
    tmp_path: Path, variables: dict[str, str], said: str
) -> None:
    (tmp_path / "terraform").symlink_to(sys.executable)

    finished = environment_script(tmp_path, PYTHON=sys.executable, **variables)

    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert said in line


@pytest.mark.parametrize("version", ["3, 9", "3, 10", "3, 14"])
def test_python_of_another_version(tmp_path: Path, version: str) -> None:
    # An interpreter that answers as that version would, whichever are installed here.
    fake = tmp_path / "python-of-another-version"
    disguise = f"import sys; sys.version_info = ({version}); exec(sys.argv[1])"
    fake.write_text(f"""#!/bin/sh\nexec {sys.executable} -c '{disguise}' "$2"\n""")
    fake.chmod(0o755)

    finished = environment_script(tmp_path, PYTHON=str(fake))

    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert "is not Python 3.11, 3.12 or 3.13" in line
    assert str(fake) in line


def test_environment_script_says_at_once_that_a_folder_cannot_be_written(tmp_path: Path) -> None:
    """As root no folder is read-only: a file in the way is refused alike."""
    checkout, path = tmp_path / "a folder", tmp_path / "bin"
    (checkout / "tools").mkdir(parents=True)
    path.mkdir()
    script = Path(shutil.copy(REPOSITORY / "tools" / "environment.sh", checkout / "tools"))
    (path / "terraform").symlink_to(sys.executable)
    if os.geteuid():
        checkout.chmod(0o555)
    else:
        (checkout / ".local").touch()

    finished = environment_script(path, script, PYTHON=sys.executable)

    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert line == (
        f"event-pipelines: {checkout / '.local'} cannot be written: work in a folder of your own."
    )


def targets() -> list[str]:
    declared = (REPOSITORY / "Makefile").read_text().partition(".PHONY: ")[2]
    return declared.replace("\\\n", " ").splitlines()[0].split()


@pytest.mark.parametrize("target", targets())
def test_a_target_of_make_runs_in_a_folder_with_spaces(target: str, tmp_path: Path) -> None:
    """Each word of a recipe that has the folder in it has all of it."""
    folder = tmp_path / "a folder with spaces"
    folder.mkdir()
    shutil.copy(REPOSITORY / "Makefile", folder)

    finished = subprocess.run(
        ["make", "--dry-run", target, "PHOTO=/pictures of mine/cat.jpg"],
        cwd=folder,
        capture_output=True,
        text=True,
    )

    assert finished.returncode == 0, finished.stderr
    words = [
        word
        for line in finished.stdout.replace("\\\n", " ").splitlines()
        if not line.startswith("make")
        for word in shlex.split(line, comments=True)
    ]
    for start in (str(folder), "/pictures of mine/cat.jpg"):
        cut = start.partition(" ")[0]
        assert [word for word in words if cut in word and start not in word] == []
