"""What goes out at once, of an answer that its parts come of one by one."""

import pytest

from event_pipelines.local.tls_server import _WholeAnswers

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"


class Transport:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        if data:
            self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.mark.parametrize(
    ("parts", "written"),
    [
        ((HEAD, b"body"), [HEAD + b"body"]),
        ((HEAD, b"4\r\nbody\r\n", b"0\r\n\r\n"), [HEAD + b"4\r\nbody\r\n", b"0\r\n\r\n"]),
        ((CONTINUE, HEAD, b"body"), [CONTINUE, HEAD + b"body"]),
        ((HEAD, HEAD), [HEAD + HEAD]),
        ((HEAD,), [HEAD]),
    ],
    ids=["whole", "in chunks", "after an interim answer", "a body like a head", "without a body"],
)
def test_the_head_of_an_answer_is_written_with_what_follows(
    parts: tuple[bytes, ...], written: list[bytes]
) -> None:
    transport = Transport()
    answers = _WholeAnswers(transport)
    for part in parts:
        answers.write(part)
    answers.flush()
    answers.flush()

    assert transport.written == written


def test_a_head_is_written_before_its_connection_is_closed() -> None:
    transport = Transport()
    answers = _WholeAnswers(transport)
    answers.write(HEAD)
    assert not answers.is_closing()

    answers.close()

    assert transport.written == [HEAD]
    assert answers.is_closing()
