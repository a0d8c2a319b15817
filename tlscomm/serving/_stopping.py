"""How a server stops: what it waits for, in which order, and what its process leaves behind.

    1. It is not ready any more. For the drain delay it goes on as before, so that what sends clients to it learns of
       that.
    2. The ports are closed. Clients who wait in a socket of ours are accepted; those who wait in one that another
       process has too are left to that one.
    3. Connections end, each when nothing is under way on it, up to the drain timeout (`tlscomm.serving._draining`).
    4. Those that are left are asked to end, and cut after their close deadline.

A second signal cuts all that is still there.

The process then ends with one of these:

    exit status                means
    -------------------------  ----------------------------------------------------------------------------------------
    0                          all connections have ended in order
    `UNFINISHED`               some were cut while something was under way on them
    1                          it could not start
    by the signal              it was told to end at once: a second SIGTERM or SIGINT
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from tlscomm.serving._handover import Handover
from tlscomm.serving._service import TLSService
from tlscomm.serving._sockets import ListeningSockets

__all__ = ["UNFINISHED", "EndSignals", "Stopping", "exitFor", "exitWith"]

_log = Logger(namespace="tlscomm")

UNFINISHED = 3
"""The exit status of a server that has cut connections while something was under way on them."""


class Stopping:
    """The stop of all listeners of a process together.

    Attributes:
        isHandedOver: whether another process has their sockets now, and takes the new connections.
    """

    def __init__(
        self,
        clock: IReactorTime,
        listeners: Sequence[TLSService],
        sockets: ListeningSockets,
        delay: float,
        handover: Handover | None = None,
    ) -> None:
        """
        Args:
            clock: tells the time.
            listeners: what is served.
            sockets: what they listen on.
            delay: seconds for which new connections are still taken.
            handover: where another process can take over.
        """
        self.isHandedOver = False
        self._sockets = sockets
        self._handover = handover
        self._clock = clock
        self._listeners = listeners
        self._delay = delay
        self._delaying: Deferred[None] | None = None
        self._isHurried = False

    async def run(self) -> None:
        """Take no new connections, and wait until those that there are have ended, or have had their time."""
        self._isHurried = False
        if self._delay and not self.isHandedOver:
            self._delaying = deferLater(self._clock, self._delay)
            with contextlib.suppress(CancelledError):
                await self._delaying
        await gatherResults([each.closePorts() for each in self._listeners])
        if self._handover is not None:
            self._handover.close(isHandedOver=self.isHandedOver)
        self._sockets.close()
        self._announce()
        if not self._isHurried:
            await gatherResults([each.drain() for each in self._listeners])
        self._report()

    def handedOver(self) -> None:
        """Another process has the sockets and takes new connections."""
        self.isHandedOver = True
        self._sockets.handOver()
        for each in self._listeners:
            each.closePorts()
        self._stopDelay()

    def giveUp(self) -> None:
        """Let go of what was opened for a start that has failed."""
        if self._handover is not None:
            self._handover.close()
        self._sockets.discard()

    def hurry(self) -> None:
        """Wait for nothing any more, and cut all connections."""
        self._isHurried = True
        self._stopDelay()
        for each in self._listeners:
            each.endNow()

    def _stopDelay(self) -> None:
        if self._delaying is not None and not self._delaying.called:
            self._delaying.cancel()

    def _announce(self) -> None:
        if count := sum(len(each.factory.connections) for each in self._listeners):
            _log.info("no new connections are taken, and {count} are open: a second signal cuts them", count=count)

    def _report(self) -> None:
        if count := sum(each.unfinished for each in self._listeners):
            _log.warn("{count} connections end while something is under way on them", count=count)


class EndSignals:
    """SIGTERM and SIGINT: the first one stops the reactor, a second one ends at once.

    They take the place of those of Twisted's reactor, where it has some.
    """

    def __init__(self, reactor: Any, hurry: Callable[[], object]) -> None:
        """
        Args:
            reactor: the reactor, or what tells the time in tests, which is sent no signals.
            hurry: is called at the second signal, and at any later one.
        """
        self._reactor = reactor
        self._hurry = hurry
        self._former: dict[int, Any] = {}
        self._hasCome = False
        self._last: int | None = None

    def listen(self) -> None:
        """Listen to them from now on, also before the reactor runs, which is stopped then when it does."""
        if (whenRunning := getattr(self._reactor, "callWhenRunning", None)) is not None:
            self._replace()
            # The reactor puts its own in their place when it begins to run.
            whenRunning(self._replace)

    def stop(self) -> None:
        """Stop the reactor, as at the first signal, where it is not stopping already."""
        with contextlib.suppress(ReactorNotRunning):
            self._reactor.stop()

    def release(self) -> None:
        """Have those of the reactor again."""
        for number, former in self._former.items():
            signal.signal(number, former)
        self._former.clear()
        # twistd ends itself by this signal. One that came while the reactor began to run was for the reactor.
        if hasattr(self._reactor, "_exitSignal"):
            self._reactor._exitSignal = self._last

    def _replace(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for name, ofReactor in (("SIGTERM", "sigTerm"), ("SIGINT", "sigInt")):
            number = getattr(signal, name)
            former = signal.getsignal(number)
            # A debugger has its own.
            if former in (getattr(self._reactor, ofReactor, None), signal.SIG_DFL, signal.default_int_handler):
                self._former[number] = former
                signal.signal(number, lambda number, _: self._reactor.callFromThread(self._came, number))

    def _came(self, number: int) -> None:
        name = signal.Signals(number).name
        if not self._hasCome:
            self._hasCome = True
            _log.info("Received {name}, shutting down.", name=name)
            self.stop()
            return
        _log.warn("Received {name} once more, ending at once.", name=name)
        self._last = number
        self._hurry()


def exitFor(unfinished: int) -> None:
    """Have this process end with the exit status of a server that has stopped, when all else is done.

    twistd has no way to say one.

    Args:
        unfinished: how many connections were cut while something was under way on them.
    """
    if unfinished:
        exitWith(UNFINISHED)


def exitWith(status: int) -> None:
    """Have this process end with an exit status when all else is done."""
    atexit.register(partial(_exit, status))


def endProgram(reactor: Any, status: int) -> None:
    """Stop the reactor, when it runs, and have this process end with an exit status."""
    exitWith(status)
    reactor.callWhenRunning(reactor.stop)


def _exit(status: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(status)
