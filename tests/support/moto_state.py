"""Saves and loads the content of an account of moto, which is faster than building a stack again.

Every load makes objects of its own, so that tests cannot affect each other.
"""

import copyreg
import io
import pickle
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any
from weakref import WeakValueDictionary

from moto.core.base_backend import BackendDict
from moto.s3.models import s3_backends
from moto.ssm.models import ParameterDict


@dataclass(frozen=True)
class State:
    """A saved account. `shared` are the objects that belong to the process, not to the account."""

    content: bytes
    shared: list[Any]


@dataclass
class States:
    """Saved accounts by name; they are valid in this process only, as moto's objects are."""

    saved: dict[str, State] = field(default_factory=dict)

    def once(self, name: str, build: Callable[[], None], pauses: list[float]) -> None:
        """Calls `build` and saves moto and `pauses` the first time; later loads what was saved."""
        if name not in self.saved:
            build()
            self.saved[name] = _save(pauses)
        else:
            pauses[:] = _load(self.saved[name])


def _save(beside: Any) -> State:
    accounts = [
        (backends, {account: dict(regions) for account, regions in backends.items()})
        for backends in BackendDict._instances  # type: ignore[misc]
    ]
    content, shared = io.BytesIO(), list[Any]()
    _Pickler(content, shared).dump((accounts, s3_backends.bucket_accounts, beside))
    return State(content.getvalue(), shared)


def _load(state: State) -> Any:
    BackendDict.reset()
    accounts, buckets, beside = _Unpickler(io.BytesIO(state.content), state.shared).load()
    for backends, by_account in accounts:
        for account, regions in by_account.items():
            backends[account].update(regions)
    s3_backends.bucket_accounts = buckets
    return beside


class _Pickler(pickle.Pickler):
    dispatch_table = copyreg.dispatch_table | {
        type(threading.Lock()): lambda _: (threading.Lock, ()),
        type(threading.RLock()): lambda _: (threading.RLock, ()),
        WeakValueDictionary: lambda one: (WeakValueDictionary, (dict(one),)),
        # Unlike other dictionaries, this one is constructed with an account and a region.
        ParameterDict: lambda one: (
            ParameterDict,
            (one.account_id, one.region_name),
            vars(one),
            None,
            iter(one.items()),
        ),
    }

    def __init__(self, content: io.BytesIO, shared: list[Any]) -> None:
        super().__init__(content, pickle.HIGHEST_PROTOCOL)
        self.shared = shared

    def persistent_id(self, found: Any) -> int | None:
        nameless = isinstance(found, FunctionType) and "<" in found.__qualname__
        if nameless and found.__closure__:
            raise pickle.PicklingError(f"{found} refers to what is saved: give it a reduction")
        if not nameless and not isinstance(found, BackendDict):
            return None
        self.shared.append(found)
        return len(self.shared) - 1


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: io.BytesIO, shared: list[Any]) -> None:
        super().__init__(content)
        self.shared = shared

    def persistent_load(self, number: int) -> Any:
        return self.shared[number]
