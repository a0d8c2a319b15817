"""Ports that a service opens, and what is said when it cannot.

A port that cannot be opened has to end the program with a sentence and not with a traceback, for which twistd has no
way. So the exception is two things: an `Exception`, for which twistd removes its pid file and tells the parent of a
daemon, and a `SystemExit`, for which Python shows no traceback.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from typing import cast

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from tlscomm._dataclasses import dataclass

__all__ = ["CannotListen", "Listener", "Ports", "complainInLog"]

_log = Logger(namespace="tlscomm")

_NEXT_STEPS = {
    errno.EADDRINUSE: "Stop the program that listens there, or listen on another port.",
    errno.EADDRNOTAVAIL: "Listen on an address that this machine has.",
    errno.EACCES: "Start as root, and give that up with twistd's --uid, or listen on a port of 1024 or above.",
}


class CannotListen(SystemExit, Exception):
    """A port cannot be opened. The program ends with exit status 1 if no caller catches it.

    Attributes:
        message: what happened and what to do.
    """

    def __init__(self, place: str, problem: BaseException | None) -> None:
        """
        Args:
            place: what was to be opened, as it was typed.
            problem: what Twisted or the operating system said.
        """
        cause = problem.socketError if isinstance(problem, CannotListenError) else problem
        number = cause.errno if isinstance(cause, OSError) else None
        # A resolver's errors have numbers of their own.
        reason = os.strerror(number) if number is not None and number in errno.errorcode else str(cause)
        nextStep = _NEXT_STEPS.get(number or 0, "Correct the address or the port.")
        # The parent of a daemon shows the first hundred characters.
        super().__init__(f"{place}: {reason}")
        self.message = f"cannot listen on {place}: {reason}\nNext step: {nextStep}"
        # Python would print anything else.
        self.code = 1


@dataclass(frozen=True)
class Listener:
    """One place to listen.

    Attributes:
        place: what was typed, for messages.
        endpoint: where TCP connections come from.
    """

    place: str
    endpoint: IStreamServerEndpoint


def complainInLog(message: str) -> None:
    """Say why a server cannot start, where no person watches."""
    _log.critical("{message}", message=message)


class Ports:
    """The ports of one service: opened all together or not at all, and closed together."""

    def __init__(self, complain: Callable[[str], object]) -> None:
        """
        Args:
            complain: is told why one cannot be opened.
        """
        self._complain = complain
        self._opening: list[Deferred[IListeningPort | None]] = []

    @property
    def areOpen(self) -> bool:
        """Whether there are any, those that take their time to open included."""
        return bool(self._opening)

    def open(self, places: Iterable[tuple[str, Callable[[], object]]]) -> None:
        """Open ports.

        Args:
            places: for each what was typed, and what opens it, which returns a Deferred of the port.

        Raises:
            CannotListen: one of them cannot be opened. The others are closed again.
        """
        try:
            for place, listen in places:
                self._opening.append(self._open(place, listen))
        except CannotListen as refused:
            self._complain(refused.message)
            self.close()
            raise

    def announce(self, say: Callable[[IListeningPort], object]) -> None:
        """Have each port that is open said, now or when it is."""
        for opening in self._opening:
            opening.addCallback(_said, say)

    def close(self) -> Deferred[None]:
        """Take no new connections, and give up what has yet to open."""
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        opening, self._opening = self._opening, []
        for each in opening:
            each.cancel()
            if (port := await each) is not None:
                await maybeDeferred(port.stopListening)

    def _open(self, place: str, listen: Callable[[], object]) -> Deferred[IListeningPort | None]:
        opening = cast("Deferred[IListeningPort | None]", maybeDeferred(listen))
        if opening.called and isinstance(opening.result, Failure):
            problem = opening.result.value
            opening.addErrback(lambda _: None)
            raise _cannotListen(place, problem) from None
        return opening.addErrback(self._neverOpened, place)

    def _neverOpened(self, reason: Failure, place: str) -> None:
        """An endpoint that takes its time has failed when the service was running already."""
        if not reason.check(CancelledError):
            self._complain(_cannotListen(place, reason.value).message)


def _said(port: IListeningPort | None, say: Callable[[IListeningPort], object]) -> IListeningPort | None:
    if port is not None:
        say(port)
    return port


def _cannotListen(place: str, problem: BaseException | None) -> CannotListen:
    return problem if isinstance(problem, CannotListen) else CannotListen(place, problem)
