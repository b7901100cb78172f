"""`event-pipelines capacity`."""

import argparse

from event_pipelines import times
from event_pipelines.console import print_block, print_json
from event_pipelines.errors import UserError
from event_pipelines.plans.capacity import model, quantities, report, settings
from event_pipelines.plans.capacity.arrivals import Load
from event_pipelines.plans.capacity.settings import PIPELINES
from event_pipelines.plans.capacity.workloads import WORK
from event_pipelines.plans.review.plan import SOURCE_HELP

BROKEN = 1
_MOST_TENANTS = 200
_MOST_WORKERS = 10_000

_DESCRIPTION = (
    "How long the pipelines of a plan take for a load, how old messages become, whether the plan's"
    " age alarms stay silent, what it costs and which setting is in the way. Simulated: needs"
    " neither network nor credentials. Ends with 1 when an alarm threshold is exceeded, or messages"
    " are deleted unread."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `capacity`."""
    parser.description = _DESCRIPTION
    add = parser.add_argument
    add("--plan", required=True, metavar="PLAN", help=SOURCE_HELP)
    add("--rate", metavar="N/s", help="objects that arrive: 500/s, 30/m, 1000/h, 5000000/d")
    add("--for", dest="span", default="15m", metavar="TIME", help="how long (default: %(default)s)")
    add("--backlog", metavar="N", help="objects that wait when it begins")
    add("--burst", metavar="Nx", help="100x: a hundred times the rate, one minute after the start")
    add("--burst-for", default="1m", metavar="TIME", help="how long (default: %(default)s)")
    sizes = ", ".join(f"{name} {size:g}MB" for name, size in model.OBJECT_MB.items() if size)
    add("--object-size", metavar="SIZE", help=f"800KB, 3MB, 1GB (default: {sizes})")
    add(
        "--pipeline",
        action="append",
        choices=PIPELINES,
        metavar="NAME",
        help=f"only this one; may be repeated: {', '.join(PIPELINES)}",
    )
    add("--failures", default="0%", metavar="SHARE", help="tries that fail for a moment: 1%%")
    add("--poison", default="0%", metavar="SHARE", help="objects whose every try fails: 0.1%%")
    add(
        "--seconds",
        action="append",
        default=[],
        metavar="FUNCTION=SECONDS",
        help="what one message takes on average, from your own logs; may be repeated",
    )
    add("--tenants", type=int, default=10, metavar="N", help="of one group (default: %(default)s)")
    add(
        "--service-workers",
        type=int,
        default=4,
        metavar="N",
        help="what `items serve` runs with (default: %(default)s)",
    )
    add(
        "--account-concurrency",
        type=int,
        default=1000,
        metavar="N",
        help="the account's concurrent executions in the region (default: %(default)s)",
    )
    add("--seed", type=int, default=1, help="another run of the same dice (default: %(default)s)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints results; returns BROKEN if alarms ring or messages expire, or 0. Raises UserError."""
    question = _question(arguments)
    found = settings.read(arguments.plan)
    wanted = arguments.pipeline or [pipeline.name for pipeline in found]
    missing = sorted(set(wanted) - {pipeline.name for pipeline in found})
    if missing:
        raise UserError(
            f"The plan has no {' and no '.join(missing)}: it has"
            f" {', '.join(pipeline.name for pipeline in found)}."
        )
    results = [model.run(pipeline, question) for pipeline in found if pipeline.name in wanted]
    if arguments.json:
        print_json(report.as_dict(results), indent=2)
    else:
        print_block(report.text(results), end="")
    exceeded = any(result.within_max_age is False or result.unread for result in results)
    return BROKEN if exceeded else 0


def _question(arguments: argparse.Namespace) -> model.Question:
    if arguments.rate is None and arguments.backlog is None:
        raise UserError("Nothing was asked: give --rate, such as 500/s, or --backlog, or both.")
    rate = 0.0 if arguments.rate is None else times.rate(arguments.rate)
    if arguments.burst is not None and not rate:
        raise UserError("--burst multiplies the rate: give --rate, such as 50/s, as well.")
    if not rate and arguments.backlog is None:
        raise UserError("--rate is 0 and there is no --backlog: nothing would happen.")
    _within("--tenants", arguments.tenants, _MOST_TENANTS)
    _within("--service-workers", arguments.service_workers, _MOST_WORKERS)
    _within("--account-concurrency", arguments.account_concurrency, 10**6)
    size = arguments.object_size
    given = dict(quantities.measured(text, set(WORK)) for text in arguments.seconds)
    return model.Question(
        Load(
            rate=rate,
            seconds=times.duration(arguments.span).total_seconds(),
            backlog=0 if arguments.backlog is None else quantities.objects(arguments.backlog),
            burst=1.0 if arguments.burst is None else quantities.burst(arguments.burst),
            burst_seconds=times.duration(arguments.burst_for).total_seconds(),
            poison=quantities.share("--poison", arguments.poison),
        ),
        object_mb=None if size is None else quantities.megabytes(size),
        failures=quantities.share("--failures", arguments.failures),
        tenants=arguments.tenants,
        service_workers=arguments.service_workers,
        account_executions=arguments.account_concurrency,
        seconds={name: (seconds,) for name, seconds in given.items()},
        seed=arguments.seed,
    )


def _within(option: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise UserError(f"{option} {value} is out of range: 1 to {most:,}.")
