"""What unit tests share: what botocore and moto would work out again for each client and call."""

import functools
from collections.abc import Iterator
from typing import Any

import botocore.hooks
import botocore.session
import botocore.useragent
import moto.core.models
import moto.core.responses
import moto.s3.models
import moto.s3.urls
import moto.sqs.models
import pytest


@pytest.fixture(scope="session", autouse=True)
def _repeated_work_of_botocore_and_moto_is_done_once() -> Iterator[None]:
    """Half of what a call costs. All but the last are functions of their arguments alone."""
    with pytest.MonkeyPatch.context() as patch:

        def once(owner: Any, name: str) -> None:
            patch.setattr(owner, name, functools.cache(getattr(owner, name)))

        # Every session makes a loader of its own; parsing what it loads is most of making a client.
        once(botocore.session, "create_loader")
        # Each session and each client has an aliaser, which goes through all names again.
        aliaser: Any = botocore.hooks.EventAliaser(botocore.hooks.HierarchicalEmitter())
        patch.setattr(botocore.hooks.EventAliaser, "_alias_event_name", aliaser._alias_event_name)
        # Each session looks into the signatures of all its handlers. A method is known by its
        # function, as its object may be a client; what is registered once only is forgotten again.
        accepts = functools.lru_cache(1024)(botocore.hooks.accepts_kwargs)
        patch.setattr(
            botocore.hooks,
            "accepts_kwargs",
            lambda handler: accepts(getattr(handler, "__func__", handler)),
        )
        once(botocore.useragent, "sanitize_user_agent_string_component")
        once(moto.core.responses, "method_names_from_class")
        once(moto.core.responses, "camelcase_to_underscores")
        once(moto.sqs.models, "camelcase_to_underscores")
        # moto imports its addresses of S3 again for every call, as the environment may change them.
        patch.setattr(moto.s3.models.S3Backend, "_url_module", moto.s3.urls)
        # For what calls AWS with `requests`, each start of moto registers all addresses of all its
        # services by method. Nothing here does: botocore has no part in it.
        patch.setattr(moto.core.models, "RESPONSES_METHODS", [])
        yield
