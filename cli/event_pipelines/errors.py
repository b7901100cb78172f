"""Errors that the command line prints as a sentence and turns into an exit code."""

# Exit code after Ctrl-C.
INTERRUPTED = 130


class UserError(Exception):
    """Wrong use that the user can fix: exit code 2. The message is a sentence that names the input
    and the remedy."""

    code = 2


class Unfinished(UserError):
    """A command that ran and found a fault, or did not complete: exit code 1."""

    code = 1


class Unanswered(UserError):
    """A refusal or missing response of AWS, the network or this machine: exit code 3."""

    code = 3


_DENIALS = ("Denied", "Unauthori", "NotAuthori", "Forbidden", "403")
# Remedies for errors of AWS, by parts of the error's code or class name.
_ADVICE = {
    "run it again in a minute": (
        *("Throttl", "TooMany", "SlowDown", "LimitExceeded", "Unavailable", "Internal"),
        *("Timeout", "Connection", "Streaming", "Aborted", "Conflict"),
    ),
    "sign in or renew the credentials, then run it again": (
        *("Expired", "Token", "Credential", "Signature", "AccessKey", "SSO", "UnrecognizedClient"),
    ),
    "have it allowed, then run it again": _DENIALS,
}


def told(error: Exception, command: str) -> str:
    """Returns a sentence on a botocore exception: operation, message of AWS, and the remedy."""
    answer = getattr(error, "response", None) or {}
    said = answer.get("Error", {})
    name = str(said.get("Code") or type(error).__name__)
    if answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        name += " (Internal)"
    operation = getattr(error, "operation_name", "")
    advice = (text for text, parts in _ADVICE.items() if any(part in name for part in parts))
    message = f"AWS said {name}: {said.get('Message', '')}" if said else str(error)
    where = f" at {operation}" if operation else ""
    remedy = next(advice, "do not run it again before what AWS refused is changed")
    return f"`{command}` stopped{where}: {message.strip().rstrip('.')}; {remedy}."


def denied(code: object) -> bool:
    """Whether an error of this code says that the credentials do not allow the call."""
    return any(part in str(code) for part in _DENIALS)
