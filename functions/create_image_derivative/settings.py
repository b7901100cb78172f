"""Settings from environment variables."""

import hashlib
import json
import re
from dataclasses import dataclass

from create_image_derivative.image import HEIC_REMEDY, OUTPUT_FORMATS, SUPPORTED_FORMATS, Recipe
from shared.configuration import ConfigurationError, Environment, refuse_overlaps
from shared.contracts.derivatives import derivative_key, output_prefix

# Part of every derivative's fingerprint. Increase it when the pixels or bytes of a recipe change,
# so that replayed events renew the derivatives of older versions.
RENDERER_VERSION = 5

# Memory of the process before decoding: interpreter, boto3, Pillow and the Lambda runtime, with
# room for memory that earlier images left allocated.
RESERVED_MEMORY_MB = 160
MINIMUM_MEMORY_MB = 512
MAX_TARGET_SIDE = 8192
# Defaults at which photographs look about equal in all formats; PNG has no such setting.
QUALITIES = {"jpeg": 82, "png": 82, "webp": 80, "avif": 60, "auto": 82}
POSITIONS = {
    f"{vertical}-{horizontal}".removesuffix("-centre").removeprefix("centre-"): (x, y)
    for vertical, y in (("top", 0.0), ("centre", 0.5), ("bottom", 1.0))
    for horizontal, x in (("left", 0.0), ("centre", 0.5), ("right", 1.0))
}


@dataclass(frozen=True)
class Settings:
    """Settings of one derivative. Prefixes end with a slash; sizes are in bytes.

    ``rejections_bucket`` and ``output_bucket`` None: the event's bucket. In another output bucket,
    keys contain the name of the source bucket, since two buckets may have the same key.
    """

    derivative: str
    source_prefix: str
    output_prefix: str
    rejections_prefix: str
    rejections_bucket: str | None
    output_bucket: str | None
    max_source_bytes: int
    cache_control: str
    recipe: Recipe

    @classmethod
    def from_environment(cls, environment: Environment) -> "Settings":
        """Raises ConfigurationError that names the variable and what to set it to."""
        settings = cls(
            derivative=environment.text("DERIVATIVE"),
            source_prefix=environment.prefix("SOURCE_PREFIX"),
            output_prefix=environment.prefix("OUTPUT_PREFIX"),
            rejections_prefix=environment.prefix("REJECTIONS_PREFIX"),
            rejections_bucket=environment.optional("REJECTIONS_BUCKET"),
            output_bucket=environment.optional("OUTPUT_BUCKET"),
            max_source_bytes=environment.integer(
                "MAX_SOURCE_BYTES", 1, 400_000_000, default=50_000_000
            ),
            cache_control=environment.text("CACHE_CONTROL", "public, max-age=300"),
            recipe=_recipe(environment),
        )
        refuse_overlaps(
            {
                "SOURCE_PREFIX": settings.source_prefix,
                "OUTPUT_PREFIX": settings.output_prefix,
                "REJECTIONS_PREFIX": settings.rejections_prefix,
            }
        )
        return settings

    @property
    def fingerprint(self) -> str:
        """A digest that changes exactly when the same image would give another derivative."""
        recipe = self.recipe
        decisive = (
            RENDERER_VERSION,
            recipe.max_width,
            recipe.max_height,
            recipe.quality,
            recipe.background,
            recipe.output_format,
            recipe.transparent,
            recipe.cover,
            recipe.position,
            self.cache_control,
        )
        return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:16]

    def output_of(self, bucket: str, key: str) -> tuple[str, str]:
        """Return bucket and key of the derivative of the object with this bucket and key."""
        prefix = output_prefix(self.output_prefix, self.output_bucket, bucket)
        made = derivative_key(key, self.source_prefix, prefix, self.recipe.output_format)
        return self.output_bucket or bucket, made


def _recipe(environment: Environment) -> Recipe:
    memory_mb = environment.integer("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 1, 1_000_000, default=1024)
    if memory_mb < MINIMUM_MEMORY_MB:
        raise ConfigurationError(
            f"The function has {memory_mb} MB of memory, too little to decode ordinary"
            f" photographs: set its memory size to {MINIMUM_MEMORY_MB} MB or more."
        )
    output_format = environment.choice("FORMAT", sorted(OUTPUT_FORMATS), "jpeg")
    return Recipe(
        max_width=environment.integer("MAX_WIDTH", 1, MAX_TARGET_SIDE),
        max_height=environment.integer("MAX_HEIGHT", 1, MAX_TARGET_SIDE),
        quality=environment.integer("QUALITY", 1, 95, default=QUALITIES[output_format]),
        background=environment.parsed(
            "BACKGROUND", _colour, "a colour such as #ffffff", default="#ffffff"
        ),
        formats=environment.parsed(
            "ALLOWED_FORMATS",
            _formats,
            f"some of {','.join(sorted(SUPPORTED_FORMATS))}, separated by commas"
            f" (for HEIC, {HEIC_REMEDY})",
            default="JPEG,PNG,WEBP,GIF,AVIF",
        ),
        max_pixels=environment.integer("MAX_PIXELS", 1, 1_000_000_000, default=200_000_000),
        min_side=environment.integer("MIN_SIDE", 1, MAX_TARGET_SIDE, default=1),
        memory_bytes=(memory_mb - RESERVED_MEMORY_MB) * 2**20,
        repair=environment.choice("TOLERATE", ("nothing", "truncated"), "truncated") == "truncated",
        output_format=output_format,
        transparent=output_format != "jpeg" and environment.optional("BACKGROUND") is None,
        cover=environment.choice("FIT", ("contain", "cover"), "contain") == "cover",
        position=POSITIONS[environment.choice("POSITION", sorted(POSITIONS), "centre")],
    )


def _colour(value: str) -> tuple[int, int, int]:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise ValueError
    red, green, blue = bytes.fromhex(value[1:])
    return red, green, blue


def _formats(value: str) -> frozenset[str]:
    formats = frozenset(name.strip().upper() for name in value.split(","))
    if not formats <= SUPPORTED_FORMATS:
        raise ValueError
    return formats
