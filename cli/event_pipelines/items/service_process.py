"""Runs the service as a process: its clients, its folder, its signals, and its output."""

import signal
import sys
from pathlib import Path

from boto3.session import Session
from botocore.config import Config

from event_pipelines.console import first_signal, flush, let_go, print_json_text, print_line
from event_pipelines.errors import UserError
from event_pipelines.items import documents
from event_pipelines.items.deliveries import LongPolledQueue
from event_pipelines.items.documents import Document, Value
from event_pipelines.items.message_handler import ItemReport, Showing
from event_pipelines.items.monitor import Monitor, json_logs, listening, logger
from event_pipelines.items.service_loop import Pace, Service
from event_pipelines.pipelines.item_relay import Relay, relay_of
from event_pipelines.stack import Stack

LONGEST_POLL_SECONDS = 20
# Longer than a poll may take to respond; messages of a lost response stay hidden until then.
POLL_TIMEOUT_SECONDS = LONGEST_POLL_SECONDS + 5
CONNECT_TIMEOUT_SECONDS = 3
CALL_TIMEOUT_SECONDS = 5
# Characters of a value that are shown on a terminal.
SHOWN_CHARACTERS = 100


def serve(stack: Stack, output: Path, pace: Pace, port: int | None, as_json: bool) -> None:
    """Shows items until SIGTERM, SIGINT, idleness or the end of the pipe that it prints to; a
    second signal ends it at once.

    Items go to stdout, as text or as a JSON line each; logs go to stderr. Raises UserError if the
    relay, the folder or the port cannot be used; after a graceful stop KeyboardInterrupt if SIGINT
    caused it, and BrokenPipeError if the pipe did.
    """
    relay = relay_of(stack)
    report = _report(output)
    ended: list[type[BaseException]] = []

    def show(document: Document) -> None:
        try:
            (_print_json if as_json else _print)(document)
        except BrokenPipeError:
            let_go()
            ended.append(BrokenPipeError)
            service.stop("the reader of the pipe closed it")

    def on_signal(name: str) -> None:
        if name == "SIGINT":
            ended.append(KeyboardInterrupt)
        service.stop(name)

    monitor = Monitor(show)
    # One session: each reads the models of AWS for itself.
    queue = _queue(relay, stack.session, pace)
    service = Service(queue, _showing(relay, stack.session, report, pace), monitor, pace)
    with (
        json_logs(sys.stderr),
        listening(monitor, port) as listening_port,
        first_signal((signal.SIGTERM, signal.SIGINT), on_signal),
    ):
        where = {"relay": relay.name, "account": relay.account, "region": relay.region}
        logger.info("serving", extra={"fields": where})
        if listening_port is not None:
            logger.info("listening", extra={"fields": {"port": listening_port}})
        service.run()
    for how in ended:
        raise how


def _report(output: Path) -> ItemReport:
    try:
        output.mkdir(parents=True, exist_ok=True)
        report = ItemReport(output)
        report.sweep()
    except OSError as error:
        raise UserError(
            f"{output} cannot be used ({error.strerror}): name another folder with --output."
        ) from error
    return report


def _queue(relay: Relay, session: Session, pace: Pace) -> LongPolledQueue:
    settler = session.client("sqs", config=_config(CALL_TIMEOUT_SECONDS, pace.concurrency))
    # The client does not retry: after an error SQS needs a new attempt id, and the loop decides how
    # long to retry.
    poller = session.client(
        "sqs",
        config=Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=POLL_TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 1},
        ),
    )
    return LongPolledQueue(
        relay.queue_url(settler, relay.finished),
        poller,
        settler,
        wait_seconds=_poll_seconds(pace),
        visibility_seconds=pace.visibility,
    )


def _poll_seconds(pace: Pace) -> int:
    """Returns for how many seconds a poll waits for messages."""
    # A poll must end before the idle time does. A poll that outlasts the drain time receives the
    # next message, which then stays hidden for a visibility timeout.
    return max(1, min(LONGEST_POLL_SECONDS, pace.idle or LONGEST_POLL_SECONDS, pace.drain - 1))


def _showing(relay: Relay, session: Session, report: ItemReport, pace: Pace) -> Showing:
    config = _config(CALL_TIMEOUT_SECONDS, pace.concurrency)
    return Showing(
        relay,
        session.client("s3", config=config),
        session.client("dynamodb", config=config),
        report,
    )


def _config(read_timeout: int, concurrency: int) -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": 2},
        # A connection for each worker, and as many for the extension of leases.
        max_pool_connections=2 * concurrency,
    )


def _print_json(document: Document) -> None:
    print_json_text(documents.encode(document))


def _print(document: Document) -> None:
    """Prints the item in a few lines: its file, and the differences."""
    kept = "unchanged" if document["unchanged"] else "NOT the one that was put"
    print_line(
        f"{document['item_id']}: its file is {kept}; + added, - removed, ~ changed in the item"
    )
    print_line(f"  file {_shortened(document['file'])}")
    different: dict[str, Document] = document["difference"]  # type: ignore[assignment]
    for place, value in sorted(different["added"].items()):
        print_line(f"  + {place} {_shortened(value)}")
    for place, value in sorted(different["removed"].items()):
        print_line(f"  - {place} {_shortened(value)}")
    for place, change in sorted(different["changed"].items()):
        was, now = (_shortened(change[side]) for side in ("from", "to"))  # type: ignore[index,call-overload]
        print_line(f"  ~ {place} {was} -> {now}")
    flush()


def _shortened(value: Value) -> str:
    text = documents.encode(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
