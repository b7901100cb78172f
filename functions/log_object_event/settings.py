"""Settings from environment variables."""

import re
from dataclasses import dataclass

from shared.configuration import ConfigurationError, Environment

EVENT_NAME = re.compile(r"[A-Za-z0-9]+(:[A-Za-z0-9]+)?")


@dataclass(frozen=True)
class Route:
    """A route and its event names: ``events``, or all but them for a catch-all route."""

    name: str
    events: frozenset[str]
    catch_all: bool

    def takes(self, event_name: str) -> bool:
        return (event_name in self.events) is not self.catch_all


@dataclass(frozen=True)
class Settings:
    """Settings of a route. ``rejections_prefix`` ends with a slash. ``trail_table`` None: no trail.

    ``records_bucket`` has object lock; None: records are in the trail only.
    """

    route: Route
    rejections_bucket: str
    rejections_prefix: str
    trail_table: str | None
    trail_retention_days: int
    records_bucket: str | None

    @classmethod
    def from_environment(cls, environment: Environment) -> "Settings":
        """Raises ConfigurationError that names the variable and what to set it to."""
        return cls(
            route=_route(environment),
            rejections_bucket=environment.text("REJECTIONS_BUCKET"),
            rejections_prefix=environment.prefix("REJECTIONS_PREFIX"),
            trail_table=environment.optional("TRAIL_TABLE"),
            trail_retention_days=environment.integer("TRAIL_RETENTION_DAYS", 1, 3650, default=90),
            records_bucket=environment.optional("TRAIL_RECORDS_BUCKET"),
        )


def _route(environment: Environment) -> Route:
    name = environment.text("ROUTE")
    given = [v for v in ("ROUTE_EVENTS", "ROUTE_EXCEPT") if environment.optional(v)]
    if len(given) != 1:
        raise ConfigurationError(
            "Set exactly one of the environment variables ROUTE_EVENTS (events of the route) and"
            " ROUTE_EXCEPT (all events but these)."
        )
    (variable,) = given
    events = environment.parsed(
        variable, _event_names, "names such as ObjectCreated:Put,ObjectCreated:Post, without s3:"
    )
    return Route(name, events, catch_all=variable == "ROUTE_EXCEPT")


def _event_names(value: str) -> frozenset[str]:
    names = frozenset(name.strip() for name in value.split(","))
    # A name with an asterisk, or with s3: in front, would match no name in a message.
    if not all(EVENT_NAME.fullmatch(name) for name in names):
        raise ValueError
    return names
