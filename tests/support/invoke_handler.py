"""Invokes the real handler once; reports its response and the peak bytes of the whole process:
after loading with the SDK and its clients, and at the end.

Usage: invoke_handler.py FUNCTIONS_DIRECTORY FUNCTION < EVENT. The last line on stdout is JSON.
"""

import importlib
import json
import resource
import sys
from pathlib import Path
from types import SimpleNamespace


def peak_bytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss: on Linux that starts at the peak of the parent process.
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    functions, function = sys.argv[1:]
    sys.path.insert(0, functions)
    event = json.load(sys.stdin)
    handler = importlib.import_module(f"{function}.handler").handler

    context = SimpleNamespace(
        function_name=function,
        memory_limit_in_mb=1769,
        invoked_function_arn=f"arn:aws:lambda:eu-west-1:123456789012:function:{function}",
        aws_request_id="a3de505e-f16b-42f4-b3e6-bcd2e4a73903",
        get_remaining_time_in_millis=lambda: 900_000,
    )
    loaded = peak_bytes()
    response = handler(event, context)
    peaks = {"loaded_bytes": loaded, "peak_bytes": peak_bytes()}
    print(json.dumps({"response": response, **peaks}))
