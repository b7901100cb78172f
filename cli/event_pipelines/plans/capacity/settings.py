"""Reads the pipelines' settings from a Terraform plan, as they are after the apply."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from event_pipelines.contracts.imports import WriteMode
from event_pipelines.contracts.tenant_registry import PER_TENANT
from event_pipelines.errors import UserError
from event_pipelines.plans.review import plan as plans
from event_pipelines.plans.review.derivatives import PIPELINE, variables_of

# Names as in `event_pipelines.pipelines`, which is not imported because it needs packages.
IMAGES = PIPELINE
AUDIT = "event-audit"
IMPORTS = "csv-import"
TENANTS = "tenant-routing"
RELAY = "item-relay"
PIPELINES = (IMAGES, AUDIT, IMPORTS, TENANTS, RELAY)

# Pipeline by handler module. A plan always has the handler, whatever else it does not know yet.
_CODE = {
    "create_image_derivative": IMAGES,
    "log_object_event": AUDIT,
    "split_csv": IMPORTS,
    "load_csv_rows": IMPORTS,
    "route_tenant_event": TENANTS,
    "process_tenant_file": TENANTS,
    "update_item": RELAY,
}
# Root variables by pipeline.
VARIABLES = {name: name.replace("-", "_") for name in PIPELINES}
_RETENTION = 345_600
# Maximum visibility timeout of SQS.
_SERVICE_SECONDS = 43_200
# Defaults of the pipelines' variables, for values that are unknown before the apply.
_MAX_RECEIVES = 5
_ROWS_PER_MESSAGE = 400
_ROUTER = {"batch_size": 10, "maximum_concurrency": 10}
_TENANT_CONSUMER = {"batch_size": 5, "maximum_concurrency": 10}


class NoPipelines(UserError):
    """The plan contains no pipeline of this project; the message says what was looked for."""


@dataclass(frozen=True)
class Hop:
    """A queue and the function that consumes it. Times are in seconds.

    `maximum_concurrency` None: no limit but Lambda's. `max_age`: the threshold of the queue's age
    alarm; None: it has no such alarm.
    """

    name: str
    code: str
    queue: str
    function: str
    memory_mb: int
    timeout: float
    architecture: str
    batch_size: int
    window: float
    maximum_concurrency: int | None
    visibility: float
    retention: float
    max_receives: int
    fifo: bool
    max_age: float | None
    events: str = ""


@dataclass(frozen=True)
class Pipeline:
    """One pipeline's settings. `table_units`: write units per second of its table; None: on demand.

    `assumed` lists values that are unknown before the apply, with the defaults used instead.
    """

    name: str
    hops: tuple[Hop, ...]
    table: str | None = None
    table_units: float | None = None
    rows_per_message: int = _ROWS_PER_MESSAGE
    write_mode: str = WriteMode.OVERWRITE
    queue_mode: str = PER_TENANT
    assumed: tuple[str, ...] = ()


def read(source: str) -> tuple[Pipeline, ...]:
    """Reads the plan in the file `source`, or on standard input for `-`.

    Raises NotAPlan, and NoPipelines if none of the pipelines exists after the plan.
    """
    plan = plans.load(source)
    # Only to raise NotAPlan if the shape is not that of a plan.
    plans.plan_of(plan, source)
    return pipelines(plan)


def pipelines(plan: Mapping[str, Any]) -> tuple[Pipeline, ...]:
    """Returns the pipelines of a plan's JSON, in the order of PIPELINES. Raises NoPipelines."""
    found = _Plan(plan)
    there = tuple(pipeline for name in PIPELINES if (pipeline := found.pipeline(name)))
    if not there:
        raise NoPipelines(
            "The plan leaves none of this project's pipelines behind: plan a root that calls the"
            f" root module or one of pipelines/{', '.join(PIPELINES)}, and no destroy."
        )
    return there


class _Plan:
    """Resources after the plan, by type, and the values of its root variables."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self._resources: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
        for entry in plan.get("resource_changes") or []:
            after = entry["change"].get("after")
            if entry.get("mode", "managed") == "managed" and isinstance(after, Mapping):
                kept = self._resources.setdefault(str(entry["type"]), [])
                kept.append((entry.get("module_address") or "", str(entry["name"]), after))
        self._variables = {
            name: variable.get("value") for name, variable in (plan.get("variables") or {}).items()
        }
        # Assumed values of the current pipeline, see `Pipeline.assumed`.
        self._assumed: list[str] = []
        self._queues = {
            str(after["name"]): after
            for _, name, after in self._all("aws_sqs_queue")
            if name == "queue" and after.get("name")
        }
        self._max_ages = {
            str(after["alarm_name"]).removesuffix("-oldest-message-age"): float(after["threshold"])
            for _, name, after in self._all("aws_cloudwatch_metric_alarm")
            if name == "oldest_message" and after.get("threshold") is not None
        }

    @property
    def assumed(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._assumed))

    def _all(self, kind: str) -> list[tuple[str, str, Mapping[str, Any]]]:
        return self._resources.get(kind, [])

    def _functions(self, pipeline: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Yields module, code and values of each of a pipeline's functions."""
        for module, _, after in self._all("aws_lambda_function"):
            code = str(after.get("handler") or "").partition(".")[0]
            if _CODE.get(code) == pipeline:
                yield module, code, after

    def pipeline(self, name: str) -> Pipeline | None:
        self._assumed = []
        if name == TENANTS:
            return self._tenants()
        hops = tuple(
            hop
            for module, code, function in self._functions(name)
            if (hop := self._hop(name, module, code, function))
        )
        if not hops:
            return None
        if name == IMPORTS:
            return self._imports(hops)
        if name == AUDIT:
            trail = self._table(hops[0].function, "-trail")
            table = None if trail is None else str(trail["name"])
            return Pipeline(name, _uploads(hops), table, assumed=self.assumed)
        if name == RELAY:
            return self._relay(hops)
        return Pipeline(name, hops, assumed=self.assumed)

    def _imports(self, hops: tuple[Hop, ...]) -> Pipeline:
        table = self._table(hops[0].function, "-csv-items") or {}
        split, load = (
            next((variables_of(v) for _, code, v in self._functions(IMPORTS) if code == name), {})
            for name in ("split_csv", "load_csv_rows")
        )
        rows = split.get("ROWS_PER_MESSAGE") or self._given(
            IMPORTS, ("rows_per_message",), _ROWS_PER_MESSAGE
        )
        return Pipeline(
            IMPORTS,
            tuple(sorted(hops, key=lambda hop: hop.code, reverse=True)),
            str(table.get("name") or "items"),
            _units(table),
            int(rows),
            load.get("WRITE_MODE") or self._given(IMPORTS, ("write_mode",), WriteMode.OVERWRITE),
            assumed=self.assumed,
        )

    def _relay(self, hops: tuple[Hop, ...]) -> Pipeline:
        prefix = hops[0].queue.removesuffix("-updates")
        name = f"{prefix}-finished.fifo"
        finished = self._queues.get(name)
        if finished:
            service = self._hop_of(
                RELAY,
                "serve",
                "service",
                {"function_name": "service", "timeout": _SERVICE_SECONDS},
                name,
                {},
            )
            hops = (*hops, service)
        table = self._table(hops[0].function, "-relay-items") or {}
        return Pipeline(
            RELAY, hops, str(table.get("name") or "items"), _units(table), assumed=self.assumed
        )

    def _tenants(self) -> Pipeline | None:
        found = {code: after for _, code, after in self._functions(TENANTS)}
        if len(found) < 2:
            return None
        router, consumer = found["route_tenant_event"], found["process_tenant_file"]
        platform = next(
            (
                json.loads(after["insecure_value"])
                for _, name, after in self._all("aws_ssm_parameter")
                if name == "platform" and isinstance(after.get("insecure_value"), str)
            ),
            None,
        )

        def term(path: tuple[str, ...], default: Any) -> Any:
            found: Any = platform
            for part in path:
                if not isinstance(found, Mapping) or part not in found:
                    return self._given(TENANTS, path, default)
                found = found[part]
            return found

        def hop(name: str, part: str, code: str, function: Mapping[str, Any], usual: Any) -> Hop:
            timeout = float(function.get("timeout") or 3)
            return Hop(
                name=name,
                code=code,
                queue=name,
                function=str(function["function_name"]),
                memory_mb=int(function.get("memory_size") or 128),
                timeout=timeout,
                architecture=_architecture(function),
                batch_size=int(term((part, "batch_size"), usual["batch_size"])),
                window=0.0,
                maximum_concurrency=term(
                    (part, "maximum_concurrency"), usual["maximum_concurrency"]
                ),
                visibility=6 * timeout,
                retention=float(term(("queues", "message_retention_seconds"), _RETENTION)),
                max_receives=int(term(("queues", "max_receive_count"), _MAX_RECEIVES)),
                fifo=False,
                max_age=None,
            )

        return Pipeline(
            TENANTS,
            (
                hop("route", "router", "route_tenant_event", router, _ROUTER),
                hop("process", "consumer", "process_tenant_file", consumer, _TENANT_CONSUMER),
            ),
            queue_mode=str(term(("queue_mode",), PER_TENANT)),
            assumed=self.assumed,
        )

    def _hop(
        self, pipeline: str, module: str, code: str, function: Mapping[str, Any]
    ) -> Hop | None:
        mapping = next(
            (
                after
                for at, _, after in self._all("aws_lambda_event_source_mapping")
                if at == module
            ),
            None,
        )
        if mapping is None:
            return None
        arn = mapping.get("event_source_arn")
        name = str(function["function_name"])
        # In the image and audit pipelines, a queue has the name of its function.
        queue = str(arn).rpartition(":")[2] if arn else name
        short = name.rpartition("-")[2] if pipeline in (IMPORTS, RELAY) else _route(name)
        return self._hop_of(pipeline, short, code, function, queue, mapping)

    def _hop_of(
        self,
        pipeline: str,
        name: str,
        code: str,
        function: Mapping[str, Any],
        queue: str,
        mapping: Mapping[str, Any],
    ) -> Hop:
        values = self._queues.get(queue, {})
        redrive = values.get("redrive_policy")
        receives = (
            json.loads(redrive)["maxReceiveCount"]
            if isinstance(redrive, str)
            else self._given(pipeline, ("max_receive_count",), _MAX_RECEIVES)
        )
        scaling = (mapping.get("scaling_config") or [{}])[0] or {}
        return Hop(
            name=name,
            code=code,
            queue=queue,
            function=str(function["function_name"]),
            memory_mb=int(function.get("memory_size") or 128),
            timeout=float(function.get("timeout") or 3),
            architecture=_architecture(function),
            batch_size=int(mapping.get("batch_size") or 1),
            window=float(mapping.get("maximum_batching_window_in_seconds") or 0),
            maximum_concurrency=scaling.get("maximum_concurrency"),
            visibility=float(values.get("visibility_timeout_seconds") or 30),
            retention=float(values.get("message_retention_seconds") or _RETENTION),
            max_receives=int(receives),
            fifo=bool(values.get("fifo_queue")),
            max_age=self._max_ages.get(queue),
            events=variables_of(function).get("ROUTE_EVENTS") or "",
        )

    def _table(self, function: str, ending: str) -> Mapping[str, Any] | None:
        """Returns the pipeline's table, found by the prefix its name shares with the function's."""
        return next(
            (
                after
                for _, _, after in self._all("aws_dynamodb_table")
                if str(after.get("name")).endswith(ending)
                and function.startswith(str(after["name"]).rpartition("-")[0])
            ),
            None,
        )

    def _given(self, pipeline: str, path: tuple[str, ...], default: Any) -> Any:
        """Returns a value of the pipeline's root variable, or the default, noted as assumed."""
        value = self._variables.get(VARIABLES[pipeline])
        for part in path:
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            return value
        self._assumed.append(f"{VARIABLES[pipeline]}.{'.'.join(path)} = {json.dumps(default)}")
        return default


def _uploads(hops: tuple[Hop, ...]) -> tuple[Hop, ...]:
    """Returns the routes of an upload: those that name its event, else the catch-all."""
    named = [hop for hop in hops if "ObjectCreated:Put" in hop.events.split(",")]
    return tuple(named or [hop for hop in hops if not hop.events] or hops[:1])


def _architecture(function: Mapping[str, Any]) -> str:
    named = function.get("architectures") or ["x86_64"]
    return str(named[0])


def _units(table: Mapping[str, Any]) -> float | None:
    if table.get("billing_mode") != "PROVISIONED":
        return None
    return float(table.get("write_capacity") or 1)


def _route(function: str) -> str:
    found = re.search(r"-(?:image|audit)-(.+)$", function)
    return found[1] if found else function
