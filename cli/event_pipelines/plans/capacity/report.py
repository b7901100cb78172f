"""Renders results as text and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

from event_pipelines import prices
from event_pipelines.plans.capacity.model import HopResult, Result


def as_dict(results: Sequence[Result]) -> dict[str, Any]:
    """Returns all results with JSON types, in seconds, counts and dollars."""
    return {
        "schema_version": 1,
        "prices": {"region": prices.REGION, "listed": prices.LISTED},
        "pipelines": [_result(result) for result in results],
    }


def _result(result: Result) -> dict[str, Any]:
    bottleneck, dollars = result.bottleneck, result.dollars
    return {
        "pipeline": result.pipeline.name,
        "within_max_age": result.within_max_age,
        "messages_deleted_unread": result.unread,
        "objects": result.objects,
        "object_mb": result.object_mb,
        "seconds_to_drain": _rounded(result.drained),
        "keeps_up": not result.growth,
        "falls_behind_per_second": round(result.growth, 1),
        "seconds_from_upload_to_done": {
            "p50": _rounded(result.whole.quantile(0.5)),
            "p99": _rounded(result.whole.quantile(0.99)),
            "max": _rounded(result.whole.most),
        },
        "most_executions": result.most_executions,
        "slowest_of_other_tenants": _rounded(result.others_slowest),
        "bottleneck": None
        if bottleneck is None
        else {
            "stage": bottleneck.hop.name,
            "setting": bottleneck.setting,
            "kind": str(bottleneck.bound),
            "seconds": _rounded(bottleneck.bound_seconds),
        },
        "dollars": {
            **{name: round(value, 4) for name, value in vars(dollars).items()},
            "total": round(dollars.total, 4),
            "per_million_objects": round(result.dollars_per_million, 4),
        },
        "stages": [_stage(hop) for hop in result.hops],
        "assumed": list(result.pipeline.assumed),
    }


def _stage(hop: HopResult) -> dict[str, Any]:
    counts = hop.counts
    return {
        "stage": hop.hop.name,
        "queue": hop.hop.queue,
        "function": hop.hop.function,
        "messages": counts.arrived,
        "done": counts.done,
        "dead_letters": counts.dead,
        "expired": hop.expired,
        "invocations": counts.invocations,
        "timeouts": counts.timeouts,
        "age_of_oldest": _rounded(counts.oldest),
        "age": {
            "p50": _rounded(counts.ages.quantile(0.5)),
            "p99": _rounded(counts.ages.quantile(0.99)),
        },
        "max_age_seconds": hop.hop.max_age,
        "within_max_age": hop.within_max_age,
        "most_at_once": counts.most_busy,
        "mean_at_once": round(counts.busy_seconds / counts.last, 1) if counts.last else 0.0,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


def text(results: Sequence[Result]) -> str:
    """Returns the results as text, one pipeline after the other."""
    lines = [line for result in results for line in (*_lines(result), "")]
    lines.append(
        f"Dollars are list prices of {prices.REGION}, {prices.LISTED}. Durations are estimates"
        " unless given by --seconds; docs/capacity.md says what else is assumed."
    )
    return "\n".join(lines) + "\n"


def _lines(result: Result) -> Iterator[str]:
    verdict = {
        True: "below the alarm threshold",
        False: "ALARM THRESHOLD EXCEEDED",
        None: "no age alarm in the plan",
    }[result.within_max_age]
    size = f"{result.object_mb:g} MB" if result.object_mb else "any size"
    lost = f"; {result.unread:,} MESSAGES ARE DELETED UNREAD" if result.unread else ""
    yield f"{result.pipeline.name}: {verdict}{lost}"
    yield f"  load           {_load(result)}; {result.objects:,} objects in all, of {size}"
    if result.drained is not None:
        yield f"  time to drain  {span(result.drained)}"
    if result.question.load.rate:
        growth = f"falls behind by {result.growth:,.0f} messages a second"
        yield f"  rate           {growth if result.growth else 'keeps up'}"
    whole = result.whole
    yield (
        f"  upload to done p50 {span(whole.quantile(0.5))}, p99 {span(whole.quantile(0.99))},"
        f" max {span(whole.most)}"
    )
    if result.others_slowest is not None:
        yield f"  other tenants  max {span(result.others_slowest)} from upload to done"
    yield f"  executions     {result.most_executions:,} at once at most"
    dollars = result.dollars
    parts = ", ".join(
        f"{name} {value:,.2f}" for name, value in vars(dollars).items() if round(value, 2)
    )
    per_million = f"${result.dollars_per_million:,.2f} per million objects"
    yield f"  cost           {per_million}; ${dollars.total:,.2f} for this run ({parts})"
    yield f"  bottleneck     {_bottleneck(result)}"
    yield from _table(result.hops)
    if result.pipeline.assumed:
        yield "  known after apply only, so taken to be: " + ", ".join(result.pipeline.assumed)


def _load(result: Result) -> str:
    load = result.question.load
    parts = []
    if load.backlog:
        parts.append(f"a backlog of {load.backlog:,}")
    if load.rate:
        drains = (load.backlog or load.bursts) and not result.growth
        until = " and until it is drained" if drains else ""
        parts.append(f"{load.rate:g}/s for {span(load.seconds)}{until}")
    if load.bursts:
        parts.append(f"{load.burst:g} times as many for {span(load.burst_seconds)}")
    return ", ".join(parts)


def _bottleneck(result: Result) -> str:
    found = result.bottleneck
    if found is None:
        return "none: nothing waits for a place for long"
    return f"{found.hop.name}: {found.setting}"


_HEADINGS = (
    "stage", "messages", "done", "dead", "expired", "oldest", "max age", "p50", "p99", "at once",
)  # fmt: skip


def _table(hops: Sequence[HopResult]) -> Iterator[str]:
    rows = [_HEADINGS, *(_row(hop) for hop in hops)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *rest = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
        yield "  " + "  ".join(cells)


def _row(hop: HopResult) -> tuple[str, ...]:
    counts = hop.counts
    return (
        hop.hop.name,
        f"{counts.arrived:,}",
        f"{counts.done:,}",
        f"{counts.dead:,}",
        f"{hop.expired:,}",
        span(counts.oldest),
        "-"
        if hop.hop.max_age is None
        else f"{span(hop.hop.max_age)} {'ok' if hop.within_max_age else 'NO'}",
        span(counts.ages.quantile(0.5)),
        span(counts.ages.quantile(0.99)),
        f"{counts.most_busy:,}",
    )


def span(seconds: float) -> str:
    """Formats seconds for reading: 0.4s, 12s, 9m 30s, 3h 5m, 4d 2h."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    unit, name, below, smaller = 86_400, "d", 3600, "h"
    if whole < 86_400:
        unit, name, below, smaller = (60, "m", 1, "s") if whole < 3600 else (3600, "h", 60, "m")
    rest = whole % unit // below
    return f"{whole // unit}{name} {rest}{smaller}" if rest else f"{whole // unit}{name}"
