"""How long others take that a connection waits for: the hook, and the backend that connections are forwarded to.

What is measured is put in the place of what it measures, where there are metrics. Otherwise nothing is in the way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from tlscomm.operation._counts import Counts
from tlscomm.verification import Hook

__all__ = ["timedConnecting", "timedHook"]

_T = TypeVar("_T")

_HOOK, _BACKEND = "tlscomm_hook_duration_seconds", "tlscomm_backend_connect_duration_seconds"


def timedHook(hook: Hook, clock: IReactorTime, counts: Counts) -> Hook:
    """Return the same hook, whose answers are timed, however it gives them."""

    def ask(question: Any) -> Any:
        began = clock.seconds()

        def note(result: str) -> None:
            counts.observe(_HOOK, (result,), clock.seconds() - began)

        try:
            answer = hook(question)
        except BaseException:
            note("failed")
            raise
        if isinstance(answer, Awaitable):
            return _awaited(answer, note)
        note("answered")
        return answer

    return ask


async def _awaited(answer: Awaitable[_T], note: Callable[[str], None]) -> _T:
    try:
        answered = await answer
    except (CancelledError, GeneratorExit):
        note("cancelled")
        raise
    except BaseException:
        note("failed")
        raise
    note("answered")
    return answered


def timedConnecting(clock: IReactorTime, counts: Counts) -> Callable[[Deferred[_T]], Deferred[_T]]:
    """Return what notes how long an attempt to connect to a backend takes. It returns the attempt as it was."""

    def timed(connecting: Deferred[_T]) -> Deferred[_T]:
        began = clock.seconds()

        def note(result: Any) -> Any:
            outcome = "connected"
            if isinstance(result, Failure):
                # The client has gone, and nothing is known of the backend.
                outcome = "cancelled" if result.check(CancelledError) else "failed"
            counts.observe(_BACKEND, (outcome,), clock.seconds() - began)
            return result

        return connecting.addBoth(note)

    return timed
