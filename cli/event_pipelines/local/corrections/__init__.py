"""Corrections of MiniStack where it differs from AWS in ways that matter to this project.

Each module corrects one difference: it says what AWS does, what MiniStack 1.5.33 does, and what its
`apply` installs in the engine's process. `tests/local/corrections` tests each on an engine with all
corrections, and that it is still needed on an engine without any.
"""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Modules whose names begin with an underscore are shared by corrections.
NAMES = tuple(sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py")))


@dataclass(frozen=True)
class LambdaInterpreter:
    """The interpreter that runs Lambda functions, and the Lambda runtime it corresponds to."""

    executable: Path
    runtime: str


def apply(names: Iterable[str], interpreter: LambdaInterpreter) -> None:
    """Installs the named corrections in this process.

    Raises CorrectionMismatch, naming the correction, if MiniStack differs from what it expects.
    """
    for name in names:
        module = importlib.import_module(f"{__name__}.{name}")
        module.apply(*(interpreter,) if name == "isolated_interpreter" else ())
