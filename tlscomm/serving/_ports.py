"""Ports that a service opens, and what is said when it cannot.

A port that cannot be opened has to end the program with a sentence and not with a traceback, for which twistd has no
way. So the exception is two things: an `Exception`, for which twistd removes its pid file and tells the parent of a
daemon, and a `SystemExit`, for which Python shows no traceback.
"""

from __future__ import annotations

import errno
import os

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import Logger

from tlscomm._dataclasses import dataclass

__all__ = ["CannotListen", "Listener", "complainInLog"]

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
