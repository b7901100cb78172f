"""Lambda functions run in an interpreter of their own.

AWS: a function sees its package, the runtime's boto3, and its own and the runtime's variables. It
runs on the Python of its runtime.
MiniStack: runs it on the engine's own Python for any runtime, with everything installed there
importable and the engine's whole environment visible, so a dependency that is missing from the
package is noticed only on AWS.
Correction: functions run isolated (`-I`) in the interpreter given to the engine, with a clean
environment; a function for another Python version fails with the reason, because compiled modules
in its package could not be loaded.
"""

import functools
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime

from event_pipelines.local.corrections import LambdaInterpreter
from event_pipelines.local.corrections._ministack import around

# Variables that MiniStack sets for the runtime, not inherited from the engine's process.
_RUNTIME_PREFIXES = ("AWS_", "LAMBDA_", "_LAMBDA_", "_X_AMZN_", "_MINISTACK_")
_LIBRARY_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")


class WrongRuntime(Exception):
    """The function's runtime is not that of the local interpreter."""


def apply(interpreter: LambdaInterpreter) -> None:
    around(
        lambda_runtime,
        "_detect_runtime_binary",
        "runtime",
        functools.wraps(_binary)(functools.partial(_binary, interpreter)),
    )
    # The only place to intervene: one function of MiniStack composes the command line and the
    # environment and starts the process.
    start = functools.partial(_start, interpreter)
    lambda_runtime.subprocess = SimpleNamespace(**vars(subprocess) | {"Popen": start})


def _binary(
    interpreter: LambdaInterpreter, original: Callable[[str], tuple[str, str]], runtime: str
) -> tuple[str, str]:
    binary, script = original(runtime)
    if not runtime.startswith("python"):
        return binary, script
    if runtime != interpreter.runtime:
        raise WrongRuntime(
            f"The function's runtime is {runtime}, but the local engine runs functions with "
            f"{interpreter.runtime}; build and deploy them for {interpreter.runtime} here."
        )
    return str(interpreter.executable), script


def _start(
    interpreter: LambdaInterpreter,
    command: list[str],
    *,
    env: Mapping[str, str],
    cwd: str,
    **options: Any,
) -> subprocess.Popen[Any]:
    if command[0] == str(interpreter.executable):
        command = [command[0], "-I", "-X", "utf8", *command[1:]]
        env = _environment(env, interpreter, cwd)
    return subprocess.Popen(command, env=env, cwd=cwd, **options)


def _environment(
    merged: Mapping[str, str], interpreter: LambdaInterpreter, code: str
) -> dict[str, str]:
    """Returns the runtime's variables in `merged`, which includes the engine's environment.

    Variables of the function with the names of the engine's are dropped as well; the worker sets
    all of the function's variables itself before it imports the handler.
    """
    kept = {
        name: value
        for name, value in merged.items()
        if name.startswith(_RUNTIME_PREFIXES) or name in _LIBRARY_PATHS or name not in os.environ
    }
    return kept | {
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{interpreter.runtime}",
        # Not the user's: boto3 would read their profile, and stray files would be written there.
        "HOME": str(Path(code).parent),
        "TMPDIR": os.environ["TMPDIR"],
        "LANG": "en_US.UTF-8",
        "PATH": os.defpath,
        "TZ": ":UTC",
    }
