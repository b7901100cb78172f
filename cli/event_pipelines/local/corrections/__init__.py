"""Where MiniStack differs from AWS in ways this project's promises rest on, and the corrections.

Each module names one difference: what AWS does, what MiniStack 1.5.33 does, and the correction its
`apply` installs in the engine's process. `tests/local/corrections` proves each on an engine with
all of them, and proves on an engine without any that it is still needed.
"""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Modules that begin with an underscore are what corrections share.
NAMES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py")))


@dataclass(frozen=True)
class LambdaInterpreter:
    """The Python that runs Lambda functions, and the Lambda runtime it stands for."""

    executable: Path
    runtime: str


def apply(names: Iterable[str], interpreter: LambdaInterpreter) -> None:
    """Installs the named corrections in this process.

    Raises CorrectionMismatch, naming the correction, if MiniStack is not what it was written for.
    """
    for name in names:
        module = importlib.import_module(f"{__name__}.{name}")
        module.apply(*(interpreter,) if name == "isolated_interpreter" else ())
