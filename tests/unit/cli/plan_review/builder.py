"""Plans in the exact shape of `terraform show -json`, made of no more than a test is about."""

import json
import re
from typing import Any

from event_pipelines.plans.review.commands import RENDERERS
from event_pipelines.plans.review.document import rendered
from event_pipelines.plans.review.plan import plan_of
from event_pipelines.plans.review.render_json import rendered as as_json
from event_pipelines.plans.review.review import Review, review
from event_pipelines.plans.review.sections import document

ACTIONS = {"replace": ["delete", "create"], "no-op": ["no-op"]}
ACCOUNT, REGION = "123456789012", "eu-west-1"


def change(address: str, action: str, before: Any = None, after: Any = None, **more: Any) -> Any:
    """An entry of `resource_changes`. `more` goes into the change where Terraform has it there,
    and into the entry otherwise."""
    module, resource = re.fullmatch(r"((?:module\.[^.]+\.)*)(.*)", address, re.DOTALL).groups()  # type: ignore[union-attr]
    kind, _, rest = resource.partition(".")
    name, _, index = rest.partition("[")
    inner: dict[str, Any] = {
        "after_unknown": more.pop("unknown", {} if after is not None else False),
        "before_sensitive": more.pop("before_sensitive", {} if before is not None else False),
        "after_sensitive": more.pop("after_sensitive", {} if after is not None else False),
        **{
            key: more.pop(key)
            for key in ("replace_paths", "importing", "generated_config")
            if key in more
        },
    }
    return {
        "address": address,
        **({"module_address": module.rstrip(".")} if module else {}),
        "mode": "managed",
        "type": kind,
        "name": name,
        **({"index": json.loads(index[:-1])} if index else {}),
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": {
            "actions": more.pop("actions", ACTIONS.get(action, [action])),
            "before": before,
            "after": after,
            **inner,
        },
        **more,
    }


def plan(*changes: Any, **more: Any) -> dict[str, Any]:
    """A whole plan of these changes."""
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "planned_values": {"root_module": {}},
        "resource_changes": list(changes),
        "output_changes": {},
        "configuration": {"root_module": {}},
        "applyable": True,
        "complete": True,
        "errored": False,
        **more,
    }


def reviewed(*changes: Any, **more: Any) -> Review:
    return review(plan_of(plan(*changes, **more)))


def shown(found: Review, form: str = "markdown", budget: int | None = None) -> str:
    if form == "json":
        return as_json(found)
    return rendered(document(found, None), RENDERERS[form](), budget)


def every_format(*changes: Any, **more: Any) -> dict[str, str]:
    found = reviewed(*changes, **more)
    return {form: shown(found, form) for form in ("markdown", "text", "json", "html")}


def policy(*statements: Any, version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": list(statements)})


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def queue(name: str, **more: Any) -> dict[str, Any]:
    return {
        "arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}",
        "id": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}",
        "url": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}",
        "name": name,
        "visibility_timeout_seconds": 30,
        **more,
    }


def topic(name: str, **more: Any) -> dict[str, Any]:
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"
    return {"arn": arn, "id": arn, "name": name, **more}


def function(name: str, **more: Any) -> dict[str, Any]:
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    return {"arn": arn, "id": name, "function_name": name, **more}


def bucket(name: str, **more: Any) -> dict[str, Any]:
    return {"arn": f"arn:aws:s3:::{name}", "id": name, "bucket": name, **more}


def redrive(name: str, count: int = 5) -> str:
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    return json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": count})
