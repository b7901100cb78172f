"""Checkov's rules for all HCL here, and what .checkov.yaml skips of them; `make lint` runs this."""

import json
import os
import re
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
CONFIGURATION = REPOSITORY / ".checkov.yaml"
OPEN_TO_EVERYBODY = """
resource "aws_sqs_queue" "orders" {
  name                    = "orders"
  sqs_managed_sse_enabled = true
}

resource "aws_sqs_queue_policy" "orders" {
  queue_url = aws_sqs_queue.orders.url
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = "*", Action = "sqs:SendMessage", Resource = "*" }]
  })
}

resource "aws_s3_bucket_policy" "uploads" {
  bucket = "uploads"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = "*", Action = "s3:GetObject", Resource = "*" }]
  })
}
"""


def broken_rules(folder: Path, *options: str) -> dict[str, list[str]]:
    """The rules that the HCL in `folder` breaks, by number, and where it does."""
    finished = subprocess.run(
        [
            REPOSITORY / ".local" / "lint" / "bin" / "python",
            "-P",  # without the modules beside the script
            REPOSITORY / "tests" / "support" / "checkov_remembering.py",
            *("--config-file", str(CONFIGURATION), "--output", "json"),
            *options,
        ],
        cwd=folder,
        # One call of a module stands for all that a for_each makes of it: checkov then takes three
        # fifths of the time, and finds what it finds without.
        env={**os.environ, "CHECKOV_ENABLE_MODULES_FOREACH_HANDLING": "False"},
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(finished.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["resource_count"] > 0
    found: dict[str, list[str]] = {}
    for each in report["results"]["failed_checks"]:
        place = f"{each['file_path']}: {each['resource']}: {each['check_name']}"
        found.setdefault(each["check_id"], []).append(place)
    assert finished.returncode == bool(found), finished.stderr
    return found


def test_policies_that_let_everybody_in_are_found(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(OPEN_TO_EVERYBODY)

    # The queue's, and the bucket's.
    assert broken_rules(tmp_path).keys() >= {"CKV_AWS_168", "CKV_AWS_70"}


def test_no_rule_is_broken_but_what_is_skipped_and_each_skip_is_needed() -> None:
    _, skips = CONFIGURATION.read_text().split("skip-check:\n")
    skipped = set(re.findall(r"(?m)^  - (\w+)$", skips))

    # What the command line says replaces what the file says.
    broken = broken_rules(REPOSITORY, "--skip-check", "no-rule")

    assert {rule: places for rule, places in broken.items() if rule not in skipped} == {}
    assert skipped - broken.keys() == set()


def test_every_skip_has_its_reason_above_it() -> None:
    _, skips = CONFIGURATION.read_text().split("skip-check:\n")

    each = re.findall(r"((?:^  # .*\n)*)^  - (\w+)\n", skips, re.MULTILINE)
    assert "".join(f"{reason}  - {rule}\n" for reason, rule in each) == skips
    assert [rule for reason, rule in each if not reason] == []
