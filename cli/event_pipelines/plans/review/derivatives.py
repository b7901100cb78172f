"""Finds image derivatives that a plan changes, so that replayed uploads make them again."""

from collections.abc import Iterable, Iterator
from typing import Any

from event_pipelines.plans.review.plan import Change

PIPELINE = "image-derivatives"
# Variables of create_image_derivative that are part of a derivative's fingerprint.
DECISIVE = (
    *("MAX_WIDTH", "MAX_HEIGHT", "FORMAT", "QUALITY"),
    *("FIT", "POSITION", "BACKGROUND", "CACHE_CONTROL"),
)


def remade_prefixes(changes: Iterable[Change]) -> Iterator[str]:
    """Yields the key prefixes of existing derivatives whose settings change."""
    for change in changes:
        before, after = variables_of(change.before), variables_of(change.after)
        if after.get("PIPELINE") != PIPELINE or before.get("PIPELINE") != PIPELINE:
            continue
        if any(before.get(name) != after.get(name) for name in DECISIVE):
            yield str(after.get("OUTPUT_PREFIX"))


def variables_of(values: Any) -> dict[str, Any]:
    """Returns a function's environment variables; {} if it has none or they are sensitive."""
    match values:
        case {"environment": [{"variables": dict(variables)}, *_]}:
            return variables
    return {}
