"""What `smoke` sends is what the functions take, whatever the settings of the pipeline are."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image

from event_pipelines.imports import dry_run
from event_pipelines.pipelines.probe import NotProbed, black_png, grey_jpeg
from event_pipelines.pipelines.sample_csv import SampleFile

NAME = "20261121T0800000a1b2c3d"


@pytest.mark.parametrize("side", [1, 7, 8, 9, 16, 63, 640, 8192])
@pytest.mark.parametrize(("make", "kind"), [(grey_jpeg, "JPEG"), (black_png, "PNG")])
def test_made_pictures_decode_in_their_size(
    make: Callable[[int], bytes], kind: str, side: int
) -> None:
    with Image.open(io.BytesIO(make(side))) as picture:
        picture.load()
        assert (picture.format, picture.size) == (kind, (side, side))


SETTINGS: dict[str, Mapping[str, str]] = {
    "the defaults": {},
    "another hash key": {"HASH_KEY": "sku"},
    "keys of several columns": {"KEY_COLUMNS": "shop,sku", "COLUMNS": '{"shop": "number"}'},
    "every type": {
        "COLUMNS": json.dumps(
            {"price": "number", "sold": "bool", "at": "timestamp", "title": "string"}
        )
    },
    "a number as key": {"COLUMNS": '{"id": "number"}'},
    "a decimal comma": {"COLUMNS": '{"price": "number"}', "DECIMAL": ",", "DELIMITER": ";"},
    "no header": {"HEADER": '["id", "name", "price"]', "COLUMNS": '{"price": "number"}'},
    "lines before the header": {"SKIP_LINES": "3"},
    "UTF-16": {"ENCODING": "utf-16"},
    "UTF-16, big end first": {"ENCODING": "utf-16-be"},
    "Windows": {"ENCODING": "windows-1252"},
    "tabs, no quotes, an escape": {"DELIMITER": "\t", "QUOTE": "none", "ESCAPE": "\\"},
    "a quoted sign in a time": {"DELIMITER": ":", "COLUMNS": '{"at": "timestamp"}'},
    "comments": {"COMMENT": "#"},
    "only known columns": {"UNKNOWN_COLUMNS": "drop", "COLUMNS": '{"price": "number"}'},
    "trimmed, empty omitted, expiring": {
        "TRIM": "all",
        "EMPTY_CELLS": "omit",
        "EXPIRES_AFTER_DAYS": "7",
    },
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_made_file_is_one_row_that_the_functions_load(
    settings: Mapping[str, str], tmp_path: Path
) -> None:
    made = SampleFile.of(settings, settings, NAME)
    file = tmp_path / "smoke.csv"
    file.write_bytes(made.content)

    found = dry_run.read(file, settings, settings, lambda _: None)

    assert (found.refused, found.damage, found.rejected) == (None, None, [])
    assert (found.rows_loaded, len(found.first_rows)) == (1, 1)
    hash_key = settings.get("HASH_KEY", "id")
    (key,) = made.item_key("0" * 16)[hash_key].values()
    assert key == found.first_rows[0][hash_key]


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_two_made_files_never_share_a_key(settings: Mapping[str, str]) -> None:
    first, second = (SampleFile.of(settings, settings, f"{NAME[:-1]}{end}") for end in "de")

    assert first.item_key("0" * 16) != second.item_key("0" * 16)


@pytest.mark.parametrize(
    "settings",
    [
        {"COLUMNS": '{"id": "bool"}'},
        {"KEY_COLUMNS": "at", "COLUMNS": '{"at": "timestamp"}'},
        {"HEADER": '["id", "at"]', "KEY_COLUMNS": "sku"},
        {"DELIMITER": ":", "QUOTE": "none", "COLUMNS": '{"at": "timestamp"}'},
    ],
)
def test_settings_that_leave_no_file_are_told_apart(settings: Mapping[str, str]) -> None:
    with pytest.raises(NotProbed, match="nothing is sent"):
        SampleFile.of(settings, settings, NAME)
