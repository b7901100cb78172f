"""Which pipelines a stack has, told from the names of its queues."""

from event_pipelines.pipelines import stages
from event_pipelines.pipelines.pipeline import Stage
from event_pipelines.stack import Queue


def queues(*names: str) -> list[Queue]:
    """Each with a dead-letter queue."""
    found = []
    for name in (f"acme-{name}" for name in names):
        suffix = ".fifo" if name.endswith(".fifo") else ""
        letters = f"{name.removesuffix('.fifo')}-dlq{suffix}"
        found += [
            Queue(letters, letters, letters, 0, 0, 0),
            Queue(name, name, name, 0, 0, 0, letters, 3),
        ]
    return found


def described(stage: Stage) -> tuple[str, str, str | None, list[str]]:
    return stage.pipeline, stage.name, stage.function, [queue.name for queue in stage.queues]


def test_every_pipeline_in_the_order_of_its_events() -> None:
    found = stages(
        "acme",
        queues(
            "relay-finished.fifo", "relay-updates", "csv-rows", "csv-imports", "image-thumbnail",
            "image-mobile", "audit-other", "tenants-quarantine", "tg-north-ingest", "tg-north-raw",
            "tenant-globex-raw", "tg-south-ingest",
        ),
    )  # fmt: skip

    assert [described(stage) for stage in found] == [
        ("image-derivatives", "mobile", "acme-image-mobile", ["acme-image-mobile"]),
        ("image-derivatives", "thumbnail", "acme-image-thumbnail", ["acme-image-thumbnail"]),
        ("event-audit", "other", "acme-audit-other", ["acme-audit-other"]),
        ("csv-import", "split", "acme-csv-split", ["acme-csv-imports"]),
        ("csv-import", "load", "acme-csv-load", ["acme-csv-rows"]),
        (
            "tenant-routing", "route", "acme-tenants-route",
            ["acme-tg-north-ingest", "acme-tg-south-ingest"],
        ),
        ("tenant-routing", "quarantine", None, ["acme-tenants-quarantine"]),
        (
            "tenant-routing", "process", "acme-tenants-process",
            ["acme-tenant-globex-raw", "acme-tg-north-raw"],
        ),
        ("item-relay", "update", "acme-relay-update", ["acme-relay-updates"]),
        ("item-relay", "serve", None, ["acme-relay-finished.fifo"]),
    ]  # fmt: skip
    for stage in found:
        assert len(stage.dead_letters) == len(stage.queues), stage


def test_one_row_at_a_time_is_the_same_stage() -> None:
    (load,) = stages("acme", queues("csv-rows.fifo"))

    assert described(load) == ("csv-import", "load", "acme-csv-load", ["acme-csv-rows.fifo"])


def test_a_pipeline_that_is_not_deployed_has_no_stages() -> None:
    assert [stage.pipeline for stage in stages("acme", queues("audit-upload", "else"))] == [
        "event-audit"
    ]
