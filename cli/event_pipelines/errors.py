"""The one exception that the command line turns into a sentence and a non-zero exit."""


class UserError(Exception):
    """Something the user can fix. The message is a sentence: which input, and the remedy."""
