"""Splits an uploaded file into messages of its rows, across interruptions and duplicates.

Every message about an import continues at the checkpoint of the ledger: the first delivery, a
duplicate, a redelivery, or the message by which an invocation without time left requests another.
Two concurrent invocations send the same messages; the one that fails to move the checkpoint stops.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from shared.batch import Message, Outcome, each_object
from shared.contracts.events import NotAnObjectEvent, ObjectEvent
from shared.contracts.imports import CONTINUE, ImportStatus, import_id, rejected_rows_prefix
from shared.csv_files.content import FileDamaged, FileRefused, content_of
from shared.csv_files.opening import Opening
from shared.csv_files.progress import Progress
from shared.csv_files.records import Dialect, RowReader
from shared.csv_files.row_messages import Envelope
from shared.csv_files.segments import OutgoingMessage, Segment, cut_segments
from shared.import_ending import ImportEnding
from shared.import_ledger import ENCODING, CheckpointLost, ImportLedger, ImportSource, ImportState
from shared.object_content import BLOCK_BYTES, SourceGone, SourceReplaced, StoredObject, open_csv
from shared.rejected_rows import store_rejected_rows
from shared.rejections import Rejections
from split_csv.row_queue import MESSAGES_PER_CALL, RowQueue
from split_csv.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

PART = "split"

# Limits of what is sent a second time when an invocation is killed. A million rows take 250 writes
# to the ledger, whatever the number of rows per message.
CHECKPOINT_ROWS = 4_000
CHECKPOINT_BYTES = 4 << 20

# Exceptions that end an import while its file is being read.
ENDS = (FileRefused, SourceGone, SourceReplaced)


class ImportStalled(Exception):
    """The time of an invocation does not suffice to advance."""


@dataclass(frozen=True)
class Invocation:
    """One delivery of one message, and the time that is left to handle it, in milliseconds.

    ``holder`` is this delivery's name in the ledger.
    """

    message: Message
    remaining_ms: Callable[[], int]
    event: ObjectEvent | None = None
    nonce: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def holder(self) -> str:
        return f"{self.message.id}/{self.nonce}"

    def shares_message_with(self, holder: str | None) -> bool:
        return holder is not None and holder.startswith(f"{self.message.id}/")


@dataclass
class Splitter:
    """Splitter of the files of one batch. ``rows_rejected`` counts their rejected rows for metrics.

    They count when their record is stored, again for each delivery.
    """

    settings: Settings
    s3: "S3Client"
    sqs: "SQSClient"
    ledger: ImportLedger
    rows: RowQueue
    ending: ImportEnding
    block_bytes: int = BLOCK_BYTES
    rows_rejected: int = field(default=0, init=False)

    def outcomes(self, message: Message, remaining_ms: Callable[[], int]) -> Iterable[Outcome]:
        """Work for ``process_batch``: a message about uploads, or one that continues an import.

        Errors that a retry may fix are raised, or give an outcome that asks for a retry: AWS does
        not answer, SQS refuses rows, the time does not suffice, or another delivery of the same
        message is ahead.
        """
        known = _import_to_continue(message.body)
        if known is not None:
            return [self._proceed(known, Invocation(message, remaining_ms))]

        def handle(event: ObjectEvent, message: Message) -> Outcome:
            return self._upload(event, Invocation(message, remaining_ms, event))

        def foreign(message: Message, error: NotAnObjectEvent) -> Outcome:
            invocation = Invocation(message, remaining_ms)
            return self._kept(invocation, "not_an_object_event", str(error))

        return each_object(handle, foreign)(message)

    def _upload(self, event: ObjectEvent, invocation: Invocation) -> Outcome:
        if not event.creates_object:
            return _ignored(event, "not an upload")
        if not event.key.startswith(self.settings.import_prefix):
            return _ignored(event, f"not below {self.settings.import_prefix}")
        if event.key.endswith("/") and event.size == 0:
            return _ignored(event, "a folder marker")
        try:
            known = import_id(event.bucket, event.key, event.version_id, event.etag)
        except ValueError as error:
            return self._kept(invocation, "no_version", str(error))
        state = self.ledger.get(known)
        if state is None:
            try:
                state = self._begun(event)
            except FileRefused as refused:
                return self._refused(self._source(event), refused, invocation)
            except (SourceGone, SourceReplaced) as error:
                return Outcome(_name_of(error), event)
        return self._split(state, invocation)

    def _begun(self, event: ObjectEvent) -> ImportState:
        opening = open_csv(self._stored(self._source(event)), self.settings.dialect)
        self.settings.expected.check(opening.header)
        start = Progress(next_offset=opening.offset, next_line=opening.line)
        return self.ledger.begin(self._source(event, opening), start)

    def _proceed(self, known: str, invocation: Invocation) -> Outcome:
        state = self.ledger.get(known)
        if state is None:
            detail = f"the ledger has no import {known}"
            return self._kept(invocation, "import_unknown", detail)
        return self._split(state, invocation)

    def _split(self, state: ImportState, invocation: Invocation) -> Outcome:
        """Continue an import from its checkpoint."""
        if state.status is not ImportStatus.SPLITTING:
            return self._settled("duplicate", state, invocation)
        try:
            return self._send_rows(state, invocation)
        except CheckpointLost as lost:
            return self._overtaken(lost, invocation)
        except FileRefused as refused:
            return self._refused(state.source, refused, invocation)
        except (SourceGone, SourceReplaced) as error:
            name = _name_of(error)
            ending = self.ending.failed(state.import_id, self.ledger.fail(state.import_id, name))
            return ending.added_to(_outcome(name, state, invocation))

    def _send_rows(self, state: ImportState, invocation: Invocation) -> Outcome:
        reached = state.progress
        hops = reached.hops + 1
        try:
            for call in _calls(self._segments(state, invocation), self._in_a_hurry(invocation)):
                self.rows.send(state.import_id, [s.message for s in call if s.message])
                reached = call[-1].progress
                if invocation.remaining_ms() < self.settings.stop_at_remaining_ms:
                    reached = replace(reached, hops=hops)
                    state = self.ledger.checkpoint(state, reached, invocation.holder)
                    return self._continued(state, invocation)
                if _due(state.progress, reached):
                    state = self.ledger.checkpoint(state, reached, invocation.holder)
        except FileDamaged as damaged:
            return self._damaged(state, reached, damaged, invocation)
        except ENDS:
            # Otherwise the ledger of a failed import could count more rows as loaded than sent.
            if reached != state.progress:
                self.ledger.checkpoint(state, reached, invocation.holder)
            raise
        state = self.ledger.finish_splitting(state, reached, invocation.holder)
        return self._settled("split", state, invocation)

    def _damaged(
        self, state: ImportState, reached: Progress, damaged: FileDamaged, invocation: Invocation
    ) -> Outcome:
        """Load the rows before the damage; the import fails once that is done."""
        if reached.rows_sent == 0:
            raise damaged
        outcome = self._refusal(state.source, damaged, invocation)
        state = self.ledger.finish_splitting(state, reached, invocation.holder, damaged.reason)
        fields = {**_outcome("rejected", state, invocation).fields, **outcome.fields}
        return self.ending.of(state).added_to(replace(outcome, fields=fields))

    def _in_a_hurry(self, invocation: Invocation) -> Callable[[Segment], bool]:
        """Return a function that tells whether time is short after a segment with rejections."""

        def hurry(segment: Segment) -> bool:
            late = self.settings.stop_at_remaining_ms
            return bool(segment.rejected) and invocation.remaining_ms() < late

        return hurry

    def _segments(self, state: ImportState, invocation: Invocation) -> Iterator[Segment]:
        """Cut the rest of the file; the rejected rows of a segment are stored before it is given.

        Raises ImportStalled when the time is too short to reach the first segment.
        """
        source, start = state.source, state.progress
        stored = self._stored(source)
        if source.compression == "gzip" or source.encoding != ENCODING:
            # An offset of the content cannot be located in such a file, so that the file is read
            # from its beginning again.
            content = content_of(stored.chunks(), source.compression, source.encoding)
            chunks = self._behind(start.next_offset, content, invocation)
        else:
            chunks = stored.chunks(start.next_offset)
        dialect = source.dialect
        reader = RowReader(chunks, start.next_offset, start.next_line, dialect, start.reread_debt)
        envelope = Envelope(
            state.import_id,
            source.bucket,
            source.key,
            source.version_id,
            source.header,
            dialect.unnamed,
        )
        prefix = self.settings.large_rows_prefix
        stretches = reader.stretches()
        for segment in cut_segments(stretches, envelope, source.rows_per_message, start, prefix):
            if segment.message and segment.message.stored:
                segment = self._stored_apart(segment, segment.message, source)
            if segment.rejected:
                prefix = self.settings.rejections_prefix
                bucket = self.settings.rejections_bucket or source.bucket
                prefix = rejected_rows_prefix(prefix, state.import_id)
                key = f"{prefix}split-{segment.rejected[0].row:012d}.jsonl"
                store_rejected_rows(self.s3, bucket, key, segment.rejected)
                self.rows_rejected += len(segment.rejected)
            yield segment

    def _stored_apart(
        self, segment: Segment, message: OutgoingMessage, source: ImportSource
    ) -> Segment:
        """Store a row that its message only refers to, and release its content."""
        if message.stored:
            key, content = message.stored
            self.s3.put_object(
                Bucket=self.settings.rejections_bucket or source.bucket,
                Key=key,
                Body=content,
                ContentType="application/json",
                ChecksumAlgorithm="SHA256",
            )
        return replace(segment, message=replace(message, stored=None))

    def _behind(
        self, offset: int, chunks: Iterable[bytes], invocation: Invocation
    ) -> Iterator[bytes]:
        for chunk in chunks:
            if offset < len(chunk):
                yield chunk[offset:]
                offset = 0
                continue
            offset -= len(chunk)
            # The other half of the time is left for sending the rows that follow.
            if invocation.remaining_ms() < self.settings.stop_at_remaining_ms / 2:
                raise ImportStalled(
                    "Reading the file up to its checkpoint takes a whole invocation: raise the"
                    " timeout of the function, or upload the file as uncompressed UTF-8."
                )

    def _continued(self, state: ImportState, invocation: Invocation) -> Outcome:
        """Request another invocation, after the checkpoint advanced. Raises FileRefused."""
        if state.progress.hops > self.settings.max_hops:
            raise FileRefused(
                "too_many_hops",
                f"the file is not finished after {self.settings.max_hops} continuations: split it"
                " into several files, or raise the timeout of the function",
            )
        self.sqs.send_message(
            QueueUrl=self.settings.imports_queue_url,
            MessageBody=json.dumps({CONTINUE: state.import_id}),
        )
        return _outcome("continued", state, invocation)

    def _overtaken(self, lost: CheckpointLost, invocation: Invocation) -> Outcome:
        """Leave the import to the invocation that is ahead, which has a message of its own.

        If it has the same message, delivered twice, this one fails: acknowledging it would delete
        the message, and the import would stop if the other invocation is killed.
        """
        splitting = lost.state.status is ImportStatus.SPLITTING
        if splitting and invocation.shares_message_with(lost.state.holder):
            raise lost
        return self._settled("duplicate", lost.state, invocation)

    def _settled(self, name: str, state: ImportState, invocation: Invocation) -> Outcome:
        return self.ending.of(state).added_to(_outcome(name, state, invocation))

    def _refused(
        self, source: ImportSource, refused: FileRefused, invocation: Invocation
    ) -> Outcome:
        """End an import that can never be finished."""
        # The record is stored first: the rejection of a failed import is not recorded again.
        outcome = self._refusal(source, refused, invocation)
        ended = self.ledger.refuse(source, refused.reason)
        return self.ending.failed(source.import_id, ended).added_to(outcome)

    def _refusal(
        self, source: ImportSource, refused: FileRefused, invocation: Invocation
    ) -> Outcome:
        outcome = self._rejections.of_object(
            source, invocation.message, refused.reason, refused.detail, invocation.event
        )
        fields = {"import_id": source.import_id, **_named(source), **outcome.fields}
        return replace(outcome, fields=fields)

    def _kept(self, invocation: Invocation, reason: str, detail: str) -> Outcome:
        """Record a message that is about no import; a retry would not change that."""
        return self._rejections.of_message(invocation.message, reason, detail, invocation.event)

    @property
    def _rejections(self) -> Rejections:
        bucket, prefix = self.settings.rejections_bucket, self.settings.rejections_prefix
        return Rejections(lambda: self.s3, bucket, prefix, PART)

    def _source(self, event: ObjectEvent, opening: Opening | None = None) -> ImportSource:
        return ImportSource(
            bucket=event.bucket,
            key=event.key,
            version_id=event.version_id,
            etag=event.etag,
            size=event.size or 0,
            header=opening.header if opening else (),
            compression=opening.compression if opening else "none",
            rows_per_message=self.settings.rows_per_message,
            encoding=opening.encoding if opening else ENCODING,
            dialect=opening.dialect if opening else Dialect(),
        )

    def _stored(self, source: ImportSource) -> StoredObject:
        return StoredObject(
            self.s3, source.bucket, source.key, source.version_id, source.etag, self.block_bytes
        )


def _import_to_continue(body: str) -> str | None:
    """Return the import id in a message of ``_continued``, and None for any other message."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    known = document.get(CONTINUE) if isinstance(document, dict) else None
    return known if isinstance(known, str) and known else None


def _calls(
    segments: Iterable[Segment], in_a_hurry: Callable[[Segment], bool]
) -> Iterator[list[Segment]]:
    """Yield the segments of each call; before an error of ENDS, those gathered until then.

    The list is always the same one, because the messages of two calls would take twice the memory.
    """
    call: list[Segment] = []
    try:
        for segment in segments:
            call.append(segment)
            if len(call) == MESSAGES_PER_CALL or in_a_hurry(segment):
                yield call
                call.clear()
    except ENDS:
        if call:
            yield call
        raise
    if call:
        yield call


def _due(saved: Progress, reached: Progress) -> bool:
    return (
        reached.next_row - saved.next_row >= CHECKPOINT_ROWS
        or reached.next_offset - saved.next_offset >= CHECKPOINT_BYTES
    )


def _outcome(name: str, state: ImportState, invocation: Invocation) -> Outcome:
    fields = {
        "import_id": state.import_id,
        **_named(state.source),
        "status": state.status.value,
        "next_offset": state.progress.next_offset,
        "rows_sent": state.progress.rows_sent,
        "rows_rejected": state.progress.rows_rejected,
        "messages_sent": state.progress.messages_sent,
        "hops": state.progress.hops,
    }
    return Outcome(name, invocation.event, fields)


def _named(source: ImportSource) -> dict[str, object]:
    """Return the object's fields, for messages that announce no object themselves."""
    return {"bucket": source.bucket, "key": source.key, "version_id": source.version_id}


def _ignored(event: ObjectEvent, detail: str) -> Outcome:
    return Outcome("ignored", event, {"detail": detail})


def _name_of(error: SourceGone | SourceReplaced) -> str:
    return "source_gone" if isinstance(error, SourceGone) else "source_replaced"
