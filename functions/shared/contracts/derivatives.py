"""Where the derivative of a picture is stored."""

# By the format of the derivative. `auto` chooses by content, which a key cannot know: the content
# type tells.
SUFFIXES = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "avif": ".avif", "auto": ""}


def derivative_key(key: str, source_prefix: str, output_prefix: str, output_format: str) -> str:
    """The whole file name stays in: cat.png and cat.jpg are two pictures."""
    return f"{output_prefix}{key.removeprefix(source_prefix)}{SUFFIXES[output_format]}"
