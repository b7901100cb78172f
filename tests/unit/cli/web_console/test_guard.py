"""Who gets into the console: whoever has the printed address, and nobody who was sent by others."""

import socket

import pytest

from event_pipelines.__main__ import main
from event_pipelines.web_console import commands
from unit.cli.web_console.conftest import Serve, Served

EVERY_VIEW = (
    "/", "/object", "/letters", "/letters/redrive", "/letters/export", "/rejections",
    "/rejections/export", "/imports", "/tenants", "/tenants/release", "/picture", "/events",
    "/console.css", "/console.js", "/no-such-view",
)  # fmt: skip


@pytest.fixture
def served(serve: Serve) -> Served:
    return serve(opened=False)


def test_an_address_without_the_token_is_refused(served: Served) -> None:
    for path in EVERY_VIEW:
        answer = served.ask(path)

        assert answer.status == 403, path
        assert "Open the address that `event-pipelines console` printed" in answer.text
        assert served.guard.token not in answer.text


def test_a_wrong_token_opens_nothing(served: Served) -> None:
    for token in ("", "x", "%C3%BC", "%FF", f"{served.guard.token}x"):
        answer = served.ask(f"/?token={token}")

        assert answer.status == 403, token
        assert "set-cookie" not in answer.headers


def test_the_token_becomes_a_cookie_and_leaves_the_address(served: Served) -> None:
    answer = served.ask(f"/letters?queue=a%26b&token={served.guard.token}")

    assert answer.status == 303
    assert answer.headers["location"] == "/letters?queue=a%26b"
    cookie = answer.headers["set-cookie"].lower()
    assert served.guard.token.lower() not in cookie
    assert {"httponly", "samesite=strict", "path=/"} <= {p.strip() for p in cookie.split(";")}


def test_a_token_leads_to_no_other_host(served: Served) -> None:
    answer = served.ask(f"//example.com/?token={served.guard.token}")

    assert answer.headers["location"].startswith("/example.com")


def test_other_names_of_this_machine_are_refused(served: Served) -> None:
    served.open()
    for host in ("example.com", "127.0.0.1", "localhost:1", "", "[::1]:80"):
        answer = served.ask("/object", Host=host)

        assert answer.status in (400, 403), host
        assert "Show its story" not in answer.text


def test_localhost_is_answered_as_well(served: Served) -> None:
    served.open()

    assert served.ask("/object", Host=f"localhost:{served.port}").status == 200


def test_forms_of_other_pages_are_refused(serve: Serve) -> None:
    served = serve(allow_changes=True)
    for origin in ("http://example.com", "null", "http://127.0.0.1:1", ""):
        answer = served.ask("/letters/redrive", "POST", "queue=a", Origin=origin)

        assert answer.status == 403, origin
    assert not served.log.exists()


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_links_of_other_pages_are_shown_before_they_are_followed(served: Served, site: str) -> None:
    served.open()

    answer = served.ask("/object?key=a%22%3E", Sec_Fetch_Site=site)

    assert answer.status == 403
    assert '<a href="/object?key=a%22%3E">Open this view</a>' in answer.text
    assert served.ask("/object?key=", Sec_Fetch_Site="same-origin").status == 200


def test_every_answer_has_a_policy_that_runs_nothing_foreign(served: Served) -> None:
    refused = [served.ask(path).headers for path in EVERY_VIEW]
    served.open()
    # The stream of events never ends: see test_looks.py.
    shown = [served.ask(path).headers for path in EVERY_VIEW if path != "/events"]
    for headers in (*refused, *shown):
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"
        assert "server" not in headers


def test_pages_hold_no_style_and_no_script_of_their_own(served: Served) -> None:
    served.open()

    for path in EVERY_VIEW[:4]:
        text = served.ask(path).text
        assert "<style" not in text
        assert " style=" not in text
        assert " on" not in text.split("<main")[0]
        assert text.count("<script") == text.count('<script src="/console.js"') == 1


def test_a_first_page_with_all_it_needs_is_a_hundred_kilobytes_at_most(served: Served) -> None:
    served.open()

    assert sum(len(served.ask(path).text) for path in ("/", *EVERY_VIEW[-3:-1])) <= 100_000


def test_the_console_listens_on_loopback_alone() -> None:
    with commands.listening(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("event_pipelines.stack.Stack.account", "1")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])

        assert main(["console", "--port", port]) == 2
        assert f"--port {port} cannot be used" in capsys.readouterr().err
        assert main(["console", "--port", "70000"]) == 2
        assert main(["console", "--interval", "0"]) == 2
