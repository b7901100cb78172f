"""Corrections to how Lambda functions are run.

isolated_interpreter, log_output, memory_limit, shared_package.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

from event_pipelines.stack import each
from local.corrections.cloud import Cloud

IMPORTS = """
import importlib

def handler(event, context):
    return importlib.import_module(event).__name__
"""

ENVIRONMENT = """
import os, sys

def handler(event, context):
    return {"variables": dict(os.environ), "version": "python%d.%d" % sys.version_info[:2]}
"""


def test_a_function_imports_boto3_but_nothing_of_the_engine(corrected: Cloud) -> None:
    function = corrected.function(IMPORTS)

    assert corrected.invoke(function, "boto3").payload == "boto3"
    assert "No module named 'ministack'" in str(corrected.invoke(function, "ministack").payload)
    assert "No module named 'trustme'" in str(corrected.invoke(function, "trustme").payload)


def test_a_dependency_missing_from_the_package_is_named_in_the_log(corrected: Cloud) -> None:
    function = corrected.function("import ministack\n" + ENVIRONMENT)

    assert corrected.invoke(function).failed
    assert "No module named 'ministack'" in "\n".join(corrected.log(function))


def test_a_function_sees_the_variables_of_the_runtime_and_its_own(corrected: Cloud) -> None:
    function = corrected.function(ENVIRONMENT, variables={"AUTH": "mine", "GREETING": "hello"})

    seen = corrected.invoke(function).payload

    variables = seen["variables"]
    assert seen["version"] == corrected.engine.lambda_runtime
    assert variables["GREETING"] == "hello"
    assert variables["AUTH"] == "mine"
    assert variables["AWS_REGION"] == "eu-west-1"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == function
    assert variables["AWS_EXECUTION_ENV"] == f"AWS_Lambda_{corrected.engine.lambda_runtime}"
    assert variables["AWS_CA_BUNDLE"] == str(corrected.engine.ca_bundle)
    assert "GATEWAY_PORT" not in variables
    assert not any(name.startswith(("PYTEST", "MINISTACK")) for name in variables)
    assert variables["HOME"] != os.environ.get("HOME")


def test_a_function_for_another_python_says_so(corrected: Cloud) -> None:
    runtime = "python3.9"
    function = corrected.function(ENVIRONMENT, runtime=runtime)

    invocation = corrected.invoke(function)

    assert invocation.failed
    expected = f"runtime is {runtime}, but the local engine runs functions with"
    assert expected in invocation.payload["errorMessage"]
    assert expected in "\n".join(corrected.log(function))


def test_isolated_interpreter_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    imported = uncorrected.invoke(uncorrected.function(IMPORTS), "ministack")
    seen = uncorrected.invoke(uncorrected.function(ENVIRONMENT, runtime="python3.9")).payload

    still_needed("isolated_interpreter", imported.payload == "ministack")
    still_needed("isolated_interpreter", "GATEWAY_PORT" in seen["variables"])
    still_needed("isolated_interpreter", seen["version"] != "python3.9")


LOGS_RECORDS = """
import logging

log = logging.getLogger("shop")
log.setLevel(logging.INFO)

def handler(event, context):
    log.info("first line\\nsecond line, %s", event)
    return context.aws_request_id
"""

WRITES_MUCH = """
import os, subprocess, sys

def handler(event, context):
    for number in range(3000):
        print(f"line {number} " + "x" * 200)
    print("y" * 1_000_000)
    sys.stdout.flush()
    many = "i=0; while [ $i -lt 300 ]; do echo child $i; i=$((i+1)); done"
    subprocess.run(["/bin/sh", "-c", many])
    os.write(2, b"not utf-8: \\xff\\n")
    os.write(1, b"without newline")
"""

HANGS = """
import time

def handler(event, context):
    print("before the wait")
    time.sleep(60)
"""


def test_log_records_are_logged_as_the_runtime_does(corrected: Cloud) -> None:
    function = corrected.function(LOGS_RECORDS)

    request_id = corrected.invoke(function, "grüße").payload

    lines = corrected.log(function)
    [first] = [line for line in lines if "first line" in line]
    level, when, request, message = first.split("\t")
    assert (level, request, message) == ("[INFO]", request_id, "first line")
    assert when.endswith("Z")
    assert "second line, grüße" in lines


def test_log_records_have_the_format_and_level_of_the_configuration(corrected: Cloud) -> None:
    source = """
import logging, os

def handler(event, context):
    logging.info("kept %s", 1)
    logging.debug("below the level")
    try:
        raise ValueError("why")
    except ValueError:
        logging.exception("failed")
    return os.environ["AWS_LAMBDA_LOG_LEVEL"], context.log_group_name
"""
    group = f"/aws/lambda/{corrected.name()}"
    configuration = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "LogGroup": group}
    function = corrected.function(source, LoggingConfig=configuration)

    assert corrected.invoke(function).payload == ["INFO", group]

    lines = corrected.log(group.removeprefix("/aws/lambda/"))
    kept, failed = (json.loads(line) for line in lines if line.startswith("{"))
    assert (kept["level"], kept["message"], kept["logger"]) == ("INFO", "kept 1", "root")
    assert (failed["errorType"], failed["errorMessage"]) == ("ValueError", "why")
    assert kept["requestId"] == failed["requestId"] != ""


def test_everything_written_is_logged_with_its_invocation(corrected: Cloud) -> None:
    function = corrected.function(WRITES_MUCH)

    first, second = corrected.invoke(function), corrected.invoke(function)

    assert not first.failed
    assert not second.failed
    lines = corrected.log(function)
    assert sum(line.startswith("line ") for line in lines) == 2 * 3000
    assert sum(line == "y" * 1_000_000 for line in lines) == 2
    assert sum(line.startswith("child ") for line in lines) == 2 * 300
    assert lines.count("not utf-8: \\xff") == 2
    assert lines.count("without newline") == 2
    ends = [index for index, line in enumerate(lines) if line.startswith("END ")]
    assert [lines[index - 1] for index in ends] == ["without newline"] * 2


def test_what_a_function_wrote_before_it_timed_out_is_logged(corrected: Cloud) -> None:
    function = corrected.function(HANGS, timeout_seconds=1)

    assert "Task timed out after 1.00 seconds" in corrected.invoke(function).payload["errorMessage"]
    assert "before the wait" in corrected.log(function)


def test_import_output_belongs_to_the_first_invocation(corrected: Cloud) -> None:
    function = corrected.function("print('importing')\n" + LOGS_RECORDS)

    corrected.invoke(function)
    corrected.invoke(function)

    lines = corrected.log(function)
    assert lines.count("importing") == 1
    assert lines.index("importing") < min(i for i, line in enumerate(lines) if "first" in line)


def test_log_output_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    function = uncorrected.function(LOGS_RECORDS)
    uncorrected.invoke(function, "hello")
    still_needed("log_output", not any("first line" in line for line in uncorrected.log(function)))

    broken = uncorrected.function("import no_such_module\n" + LOGS_RECORDS)
    uncorrected.invoke(broken)
    still_needed("log_output", "no_such_module" not in "\n".join(uncorrected.log(broken)))


GROWS = """
def handler(event, context):
    return len(bytearray(event * 1024 * 1024)) // 1024 // 1024
"""


def _max_memory_used(lines: list[str]) -> int:
    [report] = [line for line in lines if line.startswith("REPORT ")]
    return int(report.partition("Max Memory Used: ")[2].removesuffix(" MB"))


def test_a_function_over_its_memory_is_killed_and_the_next_one_is_not(corrected: Cloud) -> None:
    function = corrected.function(GROWS, memory_mb=128)

    killed = corrected.invoke(function, 300)
    fits = corrected.invoke(function, 30)

    assert killed.failed
    assert "Runtime exited with error: signal: killed" in killed.payload["errorMessage"]
    assert fits.payload == 30


HOLDS = """
import threading

def handler(event, context):
    held = bytearray(event * 1024 * 1024)
    threading.Event().wait()
"""


def test_a_function_over_its_memory_is_killed_before_its_invocation_ends(corrected: Cloud) -> None:
    function = corrected.function(HOLDS, memory_mb=128)

    for _ in range(2):
        killed = corrected.invoke(function, 300)
        # If nothing watched it meanwhile, it would run into its timeout.
        assert "Runtime exited with error: signal: killed" in killed.payload["errorMessage"]


def test_the_report_has_the_memory_that_the_function_used(corrected: Cloud) -> None:
    function = corrected.function(GROWS, memory_mb=512)

    assert corrected.invoke(function, 100).payload == 100

    assert 100 <= _max_memory_used(corrected.log(function)) <= 200


def test_memory_limit_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    function = uncorrected.function(GROWS, memory_mb=128)

    still_needed("memory_limit", uncorrected.invoke(function, 300).payload == 300)


WHERE = """
import os

def handler(event, context):
    open(*event).close()
    return os.getpid(), os.path.realpath(__file__)
"""


def _environments(cloud: Cloud, function: str, folder: Path) -> list[tuple[int, str]]:
    """Returns process and package of two environments, each of which waits for the other: a pipe
    is opened at both ends or not at all."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    found = each(lambda end: cloud.invoke(function, (str(pipe), end)).payload, "rw")
    return [(process, package) for process, package in found]


def test_environments_share_the_package_of_their_function(corrected: Cloud, tmp_path: Path) -> None:
    function, other = corrected.function(WHERE), corrected.function(WHERE + "# other\n")

    [(first, package), (second, same)] = _environments(corrected, function, tmp_path)

    assert first != second
    assert package == same
    assert corrected.invoke(other, (os.devnull, "r")).payload[1] != package


def test_shared_package_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None], tmp_path: Path
) -> None:
    [(_, package), (_, same)] = _environments(uncorrected, uncorrected.function(WHERE), tmp_path)

    still_needed("shared_package", package != same)
