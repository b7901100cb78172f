"""Where the derivative of a picture is stored."""

# By the format of the derivative. `auto` chooses by content, which a key cannot know: the content
# type tells.
SUFFIXES = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "avif": ".avif", "auto": ""}


def derivative_key(key: str, source_prefix: str, output_prefix: str, output_format: str) -> str:
    """The whole file name stays in: cat.png and cat.jpg are two pictures."""
    return f"{output_prefix}{key.removeprefix(source_prefix)}{SUFFIXES[output_format]}"


def output_prefix(prefix: str, output_bucket: str | None, bucket: str) -> str:
    """Where derivatives of objects in `bucket` are stored below `prefix`: in an `output_bucket` of
    their own below the bucket's name, for two buckets may have the same key."""
    return f"{prefix}{bucket}/" if output_bucket else prefix
