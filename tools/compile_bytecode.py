"""Compiles the Python files of a zip with the interpreter that runs this file.

Usage: compile_bytecode.py SOURCES.zip BYTECODE.zip

BYTECODE.zip gets one unchecked-hash .pyc per source: Lambda loads it whatever the file times are,
which are constant in a reproducible zip. A source that does not compile is named on standard
output, "NAME<tab>REASON", and left out. Standard library only, for any Python from 3.11 on.
"""

import marshal
import sys
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from types import CodeType
from zipfile import ZipFile

# Bit 0: identified by the hash of the source, not by its time. Bit 1 unset: hash not checked.
UNCHECKED_HASH = (0b01).to_bytes(4, "little")
# Lambda's folder of packages; with these file names the import system does not correct the code.
ROOT = "/var/task/"


def bytecode(name: str, source: bytes) -> bytes:
    """Content of the .pyc of `source`; raises SyntaxError or ValueError."""
    code = compile(source, ROOT + name, "exec", dont_inherit=True, optimize=0)
    return MAGIC_NUMBER + UNCHECKED_HASH + source_hash(source) + serialised(code)


def serialised(code: CodeType) -> bytes:
    """Bytes that depend on the code alone.

    marshal marks objects with several references, which depend on what else the process has
    compiled. A copy read back from format 2, which has no references, has only its own.
    """
    copy = marshal.loads(marshal.dumps(code, 2))  # noqa: S302 (written in this line)
    return marshal.dumps(copy)


def main(sources: str, destination: str) -> None:
    """Write the zip ``destination`` and print the sources that do not compile."""
    with ZipFile(sources) as archive, ZipFile(destination, "w") as compiled:
        for name in sorted(archive.namelist()):
            try:
                content = bytecode(name, archive.read(name))
            except (SyntaxError, ValueError) as error:
                print(f"{name}\t{error}")
            else:
                compiled.writestr(cache_from_source(name, optimization=""), content)


if __name__ == "__main__":
    main(*sys.argv[1:])
