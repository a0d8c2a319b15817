"""The answer of a hook that takes its time, as a Deferred."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from twisted.internet.defer import Deferred

__all__ = ["asDeferred"]

_T = TypeVar("_T")


def asDeferred(awaited: Awaitable[_T]) -> Deferred[_T]:
    """Return a Deferred for the result of a Deferred, a coroutine, or anything else that can be awaited."""
    return awaited if isinstance(awaited, Deferred) else Deferred.fromCoroutine(_result(awaited))


async def _result(awaited: Awaitable[_T]) -> _T:
    return await awaited
