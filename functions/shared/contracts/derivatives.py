"""Where the derivative of a picture is stored."""

# File extensions by format. `auto` chooses the format by content, which a key cannot show; the
# content type does.
SUFFIXES = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "avif": ".avif", "auto": ""}


def derivative_key(key: str, source_prefix: str, output_prefix: str, output_format: str) -> str:
    """Return a key with the whole file name, since cat.png and cat.jpg are two pictures."""
    return f"{output_prefix}{key.removeprefix(source_prefix)}{SUFFIXES[output_format]}"


def output_prefix(prefix: str, output_bucket: str | None, bucket: str) -> str:
    """Return the prefix of derivatives of objects in `bucket`: in a separate `output_bucket` with
    the name of the source bucket, since two buckets may have the same key."""
    return f"{prefix}{bucket}/" if output_bucket else prefix
