"""Starts a function as Lambda does, up to its handler. Prints the peak, and ends at once.

Usage: python -I -S -B start.py WHAT FOLDER SITE_PACKAGES_OF_THE_RUNTIME

WHAT is `minimal`, `botocore:NAME,…` for clients alone, or the name of a function; FOLDER is where
its package is unpacked. It runs without site, whose packages would cost time at every start;
without writing bytecode, because a package's folder is read-only on Lambda; and without shutdown,
because an environment is frozen and not shut down. It imports nothing that the smallest function
could do without.
"""

import sys


def main(what: str, folder: str, runtime: str) -> None:
    sys.path[:0] = [folder, runtime]
    kind, _, names = what.partition(":")
    if kind == "minimal":
        minimal()
    elif kind == "botocore":
        import gc

        # As in shared.startup, whose gain would else be subtracted from what the package adds.
        gc.disable()
        from botocore.session import Session

        session = Session()
        for name in names.split(","):
            session.create_client(name)
            gc.freeze()
        gc.enable()
    else:
        module = __import__(f"{kind}.handler", fromlist=["handler"])
        if not callable(module.handler):
            raise TypeError(f"{kind} has no handler")


def minimal() -> None:
    """Do what the smallest function of any use does before its first event."""
    import json
    import logging
    import os

    logging.basicConfig(level=os.environ.get("LOG_LEVEL", "INFO"))
    json.dumps({"log_level": logging.getLevelName(logging.root.level)})


def peak_bytes() -> int:
    with open("/proc/self/status") as status:  # noqa: PTH123 (pathlib would be measured as well)
        (line,) = (line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    import os

    main(*sys.argv[1:])
    print(f'{{"peak_bytes": {peak_bytes()}}}', flush=True)
    os._exit(0)
