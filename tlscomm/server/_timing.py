"""How long others take that a connection waits for: the hook, and the backend that connections are forwarded to.

What is measured is put in the place of what it measures, where there are metrics. Otherwise nothing is in the way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from tlscomm.server._counts import Counts
from tlscomm.verification import Hook

__all__ = ["TimedEndpoint", "timedHook"]

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


@implementer(IStreamClientEndpoint)
class TimedEndpoint:
    """The same client endpoint, whose connections are timed."""

    def __init__(self, endpoint: IStreamClientEndpoint, clock: IReactorTime, counts: Counts) -> None:
        """
        Args:
            endpoint: connects.
            clock: tells the time.
            counts: gets how long it took.
        """
        self._endpoint = endpoint
        self._clock = clock
        self._counts = counts

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect; see `IStreamClientEndpoint`."""
        return self._endpoint.connect(protocolFactory).addBoth(self._noted, self._clock.seconds())

    def _noted(self, result: Any, began: float) -> Any:
        # Who cancels has gone, or was not answered in time, which is for the backend.
        outcome = "failed" if isinstance(result, Failure) else "connected"
        self._counts.observe(_BACKEND, (outcome,), self._clock.seconds() - began)
        return result
