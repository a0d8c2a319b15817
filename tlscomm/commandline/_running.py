"""The reactor, for as long as one piece of work takes.

Twisted's own `react` turns a result into an exit status and an exception into a log entry. A command hands both to
what words them, and it has to end at once, and quietly, when it is interrupted.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

import click
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tlscomm.commandline import _collection

__all__ = ["run"]

T = TypeVar("T")

_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)


def run(work: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
    """Run the reactor until a piece of work is done; possible once in a process.

    Args:
        work: is called with the running reactor.

    Returns:
        What the work returns.

    Raises:
        click.exceptions.Exit: a signal ended it; its exit status is 128 and the number of the signal.
        Exception: what the work raises.
    """
    from twisted.internet import reactor as installed

    reactor = cast(Any, installed)
    results: list[T | Failure] = []
    interruptions: list[int] = []

    def begin() -> None:
        def cancel() -> None:
            working.cancel()

        def interrupted(number: int, _: object) -> None:
            interruptions.append(number)
            reactor.callFromThread(cancel)

        for number in _INTERRUPTIONS:
            signal.signal(number, interrupted)
        working = Deferred.fromCoroutine(work(reactor))
        working.addBoth(results.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    # A conversation lasts as long as its messages do.
    _collection.resume()
    reactor.run(installSignalHandlers=False)
    if interruptions:
        raise click.exceptions.Exit(128 + interruptions[0])
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result
