"""The base of exceptions for input that can never be processed."""


class InvalidInput(ValueError):
    """Invalid input. ``reason`` is one of a few codes to filter by, ``detail`` is a sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
