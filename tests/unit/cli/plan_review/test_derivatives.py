"""How many prefixes of derivatives a plan has made again, once their uploads are replayed."""

import re
from pathlib import Path
from typing import Any

import pytest

from create_image_derivative.settings import Settings
from event_pipelines.plans.review.derivatives import DECISIVE
from shared.configuration import Environment
from unit.cli.plan_review.builder import change, every_format, function, reviewed, shown

ROOT = Path(__file__).parents[4]
VARIABLES = {
    "STACK": "acme",
    "PIPELINE": "image-derivatives",
    "DERIVATIVE": "card",
    "MAX_WIDTH": "400",
    "MAX_HEIGHT": "300",
    "FORMAT": "webp",
    "QUALITY": "70",
    "FIT": "cover",
    "POSITION": "top",
    "BACKGROUND": "#ffffff",
    "CACHE_CONTROL": "public",
    "ALLOWED_FORMATS": "JPEG",
    "MAX_PIXELS": "1000",
    "MAX_SOURCE_BYTES": "1000",
    "MIN_SIDE": "1",
    "TOLERATE": "nothing",
    "SOURCE_PREFIX": "ingest/",
    "OUTPUT_PREFIX": "derived/card/",
    "REJECTIONS_PREFIX": "rejections/card/",
    "REJECTIONS_BUCKET": "acme-image",
    "OUTPUT_BUCKET": "acme-image",
    "SOURCE_SUFFIXES": ".jpg",
}
OTHERS = {
    "FORMAT": "avif",
    "FIT": "contain",
    "POSITION": "left",
    "BACKGROUND": "#000000",
    "CACHE_CONTROL": "private",
    "ALLOWED_FORMATS": "PNG",
    "TOLERATE": "truncated",
    "SOURCE_PREFIX": "uploads/",
    "OUTPUT_PREFIX": "made/card/",
    "REJECTIONS_PREFIX": "refused/card/",
    "REJECTIONS_BUCKET": "acme-rejections",
    "DERIVATIVE": "other",
}


def update(name: str, **changed: str) -> Any:
    before = {**VARIABLES, "DERIVATIVE": name, "OUTPUT_PREFIX": f"derived/{name}/"}
    sides = [
        function(name, environment=[{"variables": v}]) for v in (before, {**before, **changed})
    ]
    return change(f'module.function["{name}"].aws_lambda_function.function', "update", *sides)


@pytest.mark.parametrize("name", sorted(VARIABLES.keys() - {"PIPELINE"}))
def test_what_is_decisive_is_what_the_function_makes_derivatives_again_for(name: str) -> None:
    other = {**VARIABLES, name: OTHERS.get(name, "17")}

    changes = [
        Settings.from_environment(Environment(variables)).fingerprint
        for variables in (VARIABLES, other)
    ]

    assert (changes[0] != changes[1]) == (name in DECISIVE)


def test_the_pipeline_sets_what_is_decisive() -> None:
    text = (ROOT / "pipelines" / "image-derivatives" / "main.tf").read_text()
    given = set(re.findall(r"^ +([A-Z_]+) += ", text, re.MULTILINE))

    assert set(DECISIVE) <= given
    assert given - {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"} <= VARIABLES.keys()


def test_a_plan_says_how_many_prefixes_are_made_again() -> None:
    changes = (
        update("card", QUALITY="50"),
        update("logo", FIT="contain"),
        update("rest", MIN_SIDE="9"),
    )

    for form, text in every_format(*changes).items():
        if form != "json":
            assert "2 prefixes of derivatives, made again when their uploads are replayed" in text
            assert "derived/card/ derived/logo/" in text


@pytest.mark.parametrize(
    "changes",
    [
        (update("card", MIN_SIDE="9"),),
        (change("aws_lambda_function.new", "create", None, function("new")),),
        (change("aws_lambda_function.x", "update", function("x"), function("x", timeout=9)),),
        (change("aws_lambda_function.x", "delete", function("x"), None),),
    ],
)
def test_other_plans_say_nothing_of_derivatives(changes: tuple[Any, ...]) -> None:
    assert "of derivatives" not in shown(reviewed(*changes))
