"""No secret is shown in whatever form, place and format: random plans, and those that once failed.

The plans of `tests/fixtures/hostile_plans` are each the first member of a kind.
"""

import base64
import gzip
import html
import json
import quopri
import random
import re
import shlex
import string
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus

import pytest

from event_pipelines.plans.review.plan import read
from event_pipelines.plans.review.review import review
from support.linear_time import grows_too_fast
from unit.cli.plan_review.builder import change, every_format, shown

HOSTILE = Path(__file__).parents[3] / "fixtures/hostile_plans"
FORMATS = ("markdown", "text", "json", "html")
PLANS = 300


def meanings(content: bytes) -> set[str]:
    found = {content.decode(form, "replace") for form in ("utf-8", "utf-16-le", "utf-16-be")}
    if content[:3] == b"\x1f\x8b\x08":
        found.add(zlib.decompressobj(31).decompress(content).decode("utf-8", "replace"))
    return found


def decoded(text: str, depth: int = 3) -> set[str]:
    """`text` and all that it decodes to; found another way than the command finds it."""
    seen = {text}
    latest = {text}
    for _ in range(depth):
        following: set[str] = set()
        for each in latest:
            following |= {html.unescape(each), unquote_plus(each), re.sub(r"\\(.)", r"\1", each)}
            following.add(each.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\"))
            for run in re.findall(r"[A-Za-z0-9+/_-]{8,}", each):
                for start in range(4):
                    part = run[start:].replace("-", "+").replace("_", "/")
                    part = part[: len(part) // 4 * 4]
                    following |= meanings(base64.b64decode(part))
            for run in re.findall(r"(?:[0-9a-fA-F]{2}){6,}", each):
                following |= meanings(bytes.fromhex(run))
        latest = {each for each in following - seen if len(each) < 100_000}
        seen |= latest
    return seen


def check(formats: dict[str, str], secrets: list[str], what: str) -> None:
    for form, text in formats.items():
        if form == "json":
            json.loads(text)
        # Copies of secrets are the only lines of interest; whole pages decode slowly.
        for line in text.split("\n"):
            for meaning in decoded(line, 2):
                for secret in secrets:
                    assert secret not in meaning, (what, form, line)


@pytest.mark.parametrize("file", sorted(HOSTILE.glob("*.json")), ids=lambda file: file.stem)
def test_plans_that_once_showed_their_secret_show_none(file: Path) -> None:
    found = review(read(str(file)))

    check({form: shown(found, form) for form in FORMATS}, ["CANARY"], file.stem)


# --- Forms in which a copy may stand

Encode = Callable[[str], str]


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


FORMS: dict[str, Encode] = {
    "itself": lambda text: text,
    "trimmed": str.strip,
    "within": lambda text: f"https://user:{text}@host/path",
    "json": json.dumps,
    "json twice": lambda text: json.dumps(json.dumps({"a": text})),
    "json text": lambda text: json.dumps({"outer": [{"inner": text}]}),
    "yaml": lambda text: f"password: {json.dumps(text)}\nother: 1\n",
    "base64": b64,
    "base64 without padding": lambda text: b64(text).rstrip("="),
    "base64 url": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 at 1": lambda text: b64(f"a{text}z"),
    "base64 at 2": lambda text: b64(f"ab{text}yz"),
    "base64 at 3": lambda text: b64(f"abc{text}xyz"),
    "base64 after digits": lambda text: f"Basic{b64(text)}",
    "base64 of json": lambda text: b64(json.dumps({"password": text})),
    "base64gzip": lambda text: base64.b64encode(gzip.compress(f"a {text} z".encode())).decode(),
    "textencodebase64": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "base64 of UTF-16 BE": lambda text: base64.b64encode(f"a {text}".encode("utf-16-be")).decode(),
    "base64 twice": lambda text: b64(f"x {b64(text)}"),
    "url": lambda text: f"https://host/?q={quote(text, safe='')}&r=1",
    "form": lambda text: f"q={quote_plus(text)}&r=1",
    "url of base64": lambda text: quote(b64(text), safe=""),
    "html": lambda text: f"<b>{html.escape(text)}</b>",
    "markdown": lambda text: re.sub(r"([\\`*_{}\[\]()#+.!|<>-])", r"\\\1", text),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "ascii json": lambda text: "".join(f"\\u{ord(character):04x}" for character in text),
}
ALONE = ("itself", "json text", "base64", "url alone", "hex")
FORMS["url alone"] = lambda text: quote(text, safe="")


def secret_text(source: random.Random) -> str:
    """At least 12 characters, so that none is in an output by chance."""
    letters = string.ascii_letters + string.digits + "-_./+&<>\"'%\\ {}:`é|*"
    return "Zq" + "".join(source.choice(letters) for _ in range(source.randint(10, 90))) + "7K"


def short_text(source: random.Random) -> str:
    return "Zq" + "".join(source.choice(string.ascii_letters) for _ in range(4)) + "7"


def wrapped(source: random.Random, value: str, depth: int = 0) -> Any:
    """`value` somewhere within a value."""
    kind = source.choice(["plain", "plain", "list", "map", "key", "json"] if depth < 3 else [""])
    inner = wrapped(source, value, depth + 1) if kind in ("list", "map", "json") else value
    match kind:
        case "list":
            return ["seen", inner]
        case "map":
            return {"a": inner, "b": 1}
        case "json":
            return json.dumps({"a": inner, "b": [1, "x"]})
        case "key" if depth:
            return {value: "1"}
        case _:
            return value


def planted(source: random.Random, secret: str, copy: Any) -> dict[str, Any]:
    """A plan with `secret` at a sensitive place, and `copy` at another without a mark."""
    held = wrapped(source, source.choice([secret, f" {secret}\n", f"first\n{secret}\nlast line"]))
    action = source.choice(["create", "update", "replace", "delete"])
    old, new = {"copy": copy, "other": "seen"}, {"copy": "x", "other": [copy], "note": copy}
    before = None if action == "create" else old
    after = None if action == "delete" else new
    kind = source.choice(["x_y", "aws_sqs_queue", "aws_iam_role_policy", "aws_lambda_function"])
    plan: dict[str, Any] = {
        "changes": [
            change(f"{kind}.z", action, before, after,
                   replace_paths=[["copy"], ["other", 0]] if action == "replace" else []),
        ],
    }  # fmt: skip
    match source.choice(["variable", "resource", "same", "output", "module", "drift", "path"]):
        case "variable":
            plan["variables"] = {"v": {"value": held}}
            plan["configuration"] = {"root_module": {"variables": {"v": {"sensitive": True}}}}
        case "resource":
            plan["changes"].append(
                change("x_y.s", "create", None, {"s": held}, after_sensitive={"s": True})
            )
        case "same":
            inner = plan["changes"][0]["change"]
            for side in ("before", "after"):
                if inner[side] is not None:
                    inner[side]["s"] = held
                    inner[f"{side}_sensitive"] = {"s": True}
        case "output":
            plan["output_changes"] = {
                "o": {"actions": ["create"], "before": None, "after": held, "after_unknown": False,
                      "before_sensitive": True, "after_sensitive": True}
            }  # fmt: skip
        case "module":
            plan["configuration"] = {"root_module": {"module_calls": {"m": {
                "expressions": {"t": {"constant_value": held}},
                "module": {"variables": {"t": {"sensitive": True}}}}}}}  # fmt: skip
        case "drift":
            plan["resource_drift"] = [
                change("x_y.d", "update", {"s": held}, {"s": "new"}, before_sensitive={"s": True})
            ]
        case "path":
            marks = {"triggers": True}
            plan["changes"].append(
                change("x_y.t", "replace", {"triggers": {secret: held}},
                       {"triggers": {secret: "2"}}, before_sensitive=marks, after_sensitive=marks,
                       replace_paths=[["triggers", secret]])
            )  # fmt: skip
    return plan


@pytest.mark.parametrize("form", sorted(FORMS))
def test_no_copy_of_a_long_secret_is_shown(form: str) -> None:
    source = random.Random(f"long {form}")
    for turn in range(PLANS // len(FORMS)):
        secret = secret_text(source)
        copy = wrapped(source, FORMS[form](secret))
        plan = planted(source, secret, copy)
        what = json.dumps([turn, secret, plan])

        check(every_format(*plan.pop("changes"), **plan), [secret], what)


# --- Forms that other programs make of a text: what is left of a copy is compared by its letters


def lines_of(text: str, width: int, end: str = "\n") -> str:
    return end.join(text[start : start + width] for start in range(0, len(text), width))


REWRITTEN: dict[str, Encode] = {
    "upper case": str.upper,
    "lower case": str.lower,
    "title case": str.title,
    "lines": lambda text: lines_of(text, 7),
    "lines with backslashes": lambda text: lines_of(text, 9, "\\\n    "),
    "lines of Windows": lambda text: lines_of(text, 11, "\r\n"),
    "words on lines": lambda text: text.replace(" ", "\n"),
    "base64 in lines of 76": lambda text: base64.encodebytes(("x" * 60 + text).encode()).decode(),
    "base64 in lines of 16": lambda text: lines_of(b64(text), 16, "\r\n"),
    "basic authentication": lambda text: f"Authorization: Basic {b64('user:' + text)}",
    "Docker credentials": lambda text: b64(
        json.dumps({"auths": {"r": {"auth": b64("u:" + text)}}})
    ),
    "Kubernetes secret": lambda text: f"kind: Secret\ndata:\n  password: {b64(text)}\n",
    "shell": lambda text: f"export P={shlex.quote(text)}",
    "shell in shell": lambda text: "sh -c '" + text.replace("'", "'\\''") + "'",
    "SQL": lambda text: "SET PASSWORD = '" + text.replace("'", "''") + "';",
    "CSV": lambda text: 'id,"' + text.replace('"', '""') + '"',
    "YAML block": lambda text: f"password: |\n    {text}\n",
    "environment file": lambda text: f"export P={json.dumps(text)}\nQ=1\n",
    "connection string": lambda text: f"Server=db;User Id=u;Password={text};",
    "hexadecimal with colons": lambda text: text.encode().hex(":"),
    "hexadecimal with spaces": lambda text: text.encode().hex(" "),
    "hexadecimal numbers": lambda text: ", ".join(f"0x{byte:02x}" for byte in text.encode()),
    "hexadecimal escapes": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "octal escapes": lambda text: "".join(f"\\{byte:03o}" for byte in text.encode()),
    "bytes of Python": lambda text: repr(text.encode()),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "quoted-printable": lambda text: quopri.encodestring(text.encode(), quotetabs=True).decode(),
    "zlib": lambda text: base64.b64encode(zlib.compress(text.encode())).decode(),
    "JSON of Go": lambda text: json.dumps(text).replace("<", "\\u003c").replace("&", "\\u0026"),
    "entities": lambda text: "".join(f"&#x{ord(sign):x};" for sign in text),
}


def letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text).lower()


def texts_of(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for key, inner in value.items():
                yield key
                yield from texts_of(inner)
        case list():
            for inner in value:
                yield from texts_of(inner)
        case str():
            yield value


def shown_letters(form: str, output: str) -> str:
    if form == "json":
        return letters("".join(texts_of(json.loads(output))))
    return letters(html.unescape(output) if form == "html" else output)


@pytest.mark.parametrize("form", sorted(REWRITTEN))
def test_no_copy_that_another_program_wrote_is_shown(form: str) -> None:
    source = random.Random(f"rewritten {form}")
    for _ in range(6):
        secret = secret_text(source)
        copy = REWRITTEN[form](secret)
        plan = planted(source, secret, copy)

        for name, output in every_format(*plan.pop("changes"), **plan).items():
            for left in {letters(secret), letters(copy)}:
                assert left not in shown_letters(name, output), (name, secret, copy)


@pytest.mark.parametrize(
    "holder",
    [
        "postgres://user:{}@host:5432/db",
        "Server=db;User Id=u;Password={};Encrypt=true",
        "DB_HOST=db\nDB_PASSWORD={}\n",
        'host: db\napi_token: "{}"\n',
        "Authorization: Bearer {}",
    ],
)
def test_a_password_within_a_secret_text_is_a_secret_by_itself(holder: str) -> None:
    plan = {
        "variables": {"s": {"value": holder.format("Zq93-canary-7K")}},
        "configuration": {"root_module": {"variables": {"s": {"sensitive": True}}}},
    }

    for name, output in every_format(
        change("x_y.z", "create", None, {"a": "Zq93-canary-7K", "b": b64("Zq93-canary-7K")}), **plan
    ).items():
        for text in ("Zq93-canary-7K", b64("Zq93-canary-7K")):
            assert letters(text) not in shown_letters(name, output)


def test_places_and_words_stay_readable_beside_secrets_that_hold_them() -> None:
    held = json.dumps({"region": "eu-west-1", "zone": "us-gov-west-1a", "on": True, "p": "Zq-7-9K"})
    plan = {
        "variables": {"s": {"value": held}},
        "configuration": {"root_module": {"variables": {"s": {"sensitive": True}}}},
    }
    seen = {"a": "eu-west-1", "b": "arn:aws:sqs:eu-west-1:123456789012:q", "c": "us-gov-west-1a"}

    for output in every_format(
        change("x_y.z", "create", None, {**seen, "on": True, "p": "x Zq-7-9K"}), **plan
    ).values():
        assert all(text in output for text in seen.values())
        assert "true" in output


@pytest.mark.parametrize("secret", ["Xk7Qp2", "83921", "a1b2c3d"])
@pytest.mark.parametrize(
    "form", ["Bearer {}", "https://u:{}@h/", "a,{},b", "x={};", "PIN {}.", '{{"a": ["{}"]}}']
)
def test_a_short_secret_with_digits_is_not_shown_as_a_word(secret: str, form: str) -> None:
    plan = {
        "variables": {"s": {"value": secret}},
        "configuration": {"root_module": {"variables": {"s": {"sensitive": True}}}},
    }

    for output in every_format(
        change("x_y.z", "create", None, {"a": form.format(secret), "b": "seen"}), **plan
    ).values():
        assert secret not in output
        assert "seen" in output


@pytest.mark.parametrize("form", ALONE)
def test_no_copy_of_a_short_secret_is_shown_where_it_stands_alone(form: str) -> None:
    source = random.Random(f"short {form}")
    for turn in range(8):
        secret = short_text(source)
        plan = planted(source, secret, FORMS[form](secret))
        what = json.dumps([turn, secret, plan])

        check(every_format(*plan.pop("changes"), **plan), [secret], what)


@pytest.mark.parametrize(
    "joined", ["ZqUser1:Zqpass2", "ZqUser1Zqpass2", "ZqUser1, Zqpass2", '["ZqUser1","Zqpass2"]']
)
def test_no_short_secrets_are_shown_where_they_are_joined(joined: str) -> None:
    formats = every_format(
        change("x_y.z", "update", {"a": "x"}, {"a": joined}),
        variables={"v": {"value": ["ZqUser1", "Zqpass2"]}},
        configuration={"root_module": {"variables": {"v": {"sensitive": True}}}},
    )

    check(formats, ["ZqUser1", "Zqpass2"], joined)


def test_output_is_the_last_to_be_masked() -> None:
    """Also what no earlier step has seen, such as the text of a check, in every format."""
    formats = every_format(
        change("x_y.z", "update", {"a": 1}, {"a": 2}, action_reason="ZqSecret123"),
        terraform_version="1.ZqSecret123",
        action_invocations=[{"address": "action.ZqSecret123"}],
        variables={"v": {"value": "ZqSecret123"}},
        configuration={"root_module": {"variables": {"v": {"sensitive": True}}}},
    )

    check(formats, ["ZqSecret123"], "everywhere")


@pytest.mark.parametrize("form", FORMATS)
def test_a_secret_cannot_break_the_output(form: str) -> None:
    """A secret may read like the output's own mark-up, whose structure stays whole."""
    for secret in ('", "after": ', "</details>", "/summary>", "``````````", '"addresses": ['):
        text = every_format(
            change("x_y.z", "update", {"a": 1}, {"a": f"before {secret} after"}),
            variables={"v": {"value": secret}},
            configuration={"root_module": {"variables": {"v": {"sensitive": True}}}},
        )[form]
        if form == "json":
            assert json.loads(text)["updates"][0]["addresses"] == ["x_y.z"]
        elif form == "html":
            assert text.count("<section>") == text.count("</section>") >= 1
        elif form == "markdown":
            assert text.count("```diff") == text.count("\n  ```\n") == 1


@pytest.mark.parametrize("form", FORMATS)
def test_the_version_of_terraform_is_a_value_like_any_other(form: str) -> None:
    text = every_format(terraform_version="1.0 @everyone [x](http://h) \u202e<img>")[form]

    assert "\u202e" not in text
    assert "<img>" not in text or form != "html"
    if form == "markdown":
        assert "`1.0 @everyone [x](http://h)" in text


def test_terraform_version_of_any_length_is_cut() -> None:
    assert len(every_format(terraform_version="9" * 100_000)["markdown"]) < 1_000


def test_time_is_linear_in_secrets_and_text() -> None:
    def review(count: int) -> None:
        values = {f"key-{number:06}": f"https://host/{number:08}" for number in range(count)}
        entries = [change("x_y.z", "create", None, {"m": values, "n": list(values.values())})]
        text = every_format(
            *entries,
            variables={"v": {"value": values}},
            configuration={"root_module": {"variables": {"v": {"sensitive": True}}}},
        )
        assert "https://host/0" not in text["json"]

    assert not (fault := grows_too_fast(review, 2_000, 8_000)), fault
