"""The channel between the supervisor and one of its workers: one says how it goes, the other asks.

Each message is one object of JSON with its length in front (Twisted's `Int32StringReceiver`), over a pair of sockets.
Both ends can tell and ask. The one that asks says how long the answer may take, so that a process that does not answer
is found out.
A worker may have been taken over by a client, so what it sends is bounded, and what does not fit the form ends it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure

from tlscomm.failures import printable

__all__ = ["LONGEST_MESSAGE", "ChannelUser", "NoAnswer", "RefusedRequest", "WorkerChannel"]

_log = Logger(namespace="tlscomm")

#: Bytes of a message. The status of a worker is the longest.
LONGEST_MESSAGE = 8 << 20
#: Requests that wait for their answers at a time.
_MOST_REQUESTS = 64
#: Characters of an error that the other process sent.
_LONGEST_PROBLEM = 4000


class NoAnswer(Exception):
    """The other process has not answered in time, or has ended."""


class RefusedRequest(Exception):
    """The other process cannot do what it was asked for; the message says why."""


class ChannelUser(Protocol):
    """Uses one end of a channel."""

    def told(self, notice: str, facts: dict[str, Any]) -> None:
        """The other process has said something."""

    def asked(self, request: str, facts: dict[str, Any]) -> Any:
        """Return the answer to a request, as JSON has it, or a Deferred with it. What it raises is the answer, too."""

    def channelEnded(self) -> None:
        """The other process has gone, or what it sent is no message."""


class WorkerChannel(Int32StringReceiver):
    """One end of the channel."""

    MAX_LENGTH = LONGEST_MESSAGE

    def __init__(self, clock: IReactorTime, user: ChannelUser) -> None:
        """
        Args:
            clock: tells how long answers take.
            user: is told and asked.
        """
        self._clock = clock
        self._user = user
        self._count = 0
        self._waiting: dict[int, tuple[Deferred[Any], IDelayedCall]] = {}
        self._hasEnded = False

    def tell(self, notice: str, **facts: Any) -> None:
        """Say something that needs no answer."""
        self._send({"tell": notice, "facts": facts})

    def ask(self, request: str, seconds: float, **facts: Any) -> Deferred[Any]:
        """Ask for something.

        Args:
            request: what is asked for.
            seconds: how long the answer may take.
            facts: what belongs to it, as JSON has it.

        Returns:
            The answer. It fails with `NoAnswer` or `RefusedRequest`.
        """
        if self._hasEnded or len(self._waiting) >= _MOST_REQUESTS:
            return fail(NoAnswer("it has ended" if self._hasEnded else "it owes too many answers"))
        self._count += 1
        answer: Deferred[Any] = Deferred()
        late = self._clock.callLater(seconds, self._late, self._count, seconds)
        self._waiting[self._count] = answer, late
        self._send({"ask": request, "number": self._count, "facts": facts})
        return answer

    def stringReceived(self, string: bytes) -> None:
        try:
            self._received(json.loads(string))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as problem:
            _log.error("a message between processes is none: {problem}", problem=printable(repr(problem)[:200]))
            self._abort()

    def lengthLimitExceeded(self, length: int) -> None:
        _log.error("a message between processes has {length} bytes", length=length)
        self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._hasEnded = True
        for answer, late in self._waiting.values():
            late.cancel()
            answer.errback(NoAnswer("it has ended"))
        self._waiting.clear()
        self._user.channelEnded()

    def _received(self, message: dict[str, Any]) -> None:
        if "tell" in message:
            self._guarded(self._user.told, str(message["tell"]), dict(message["facts"]))
        elif "ask" in message:
            asked = maybeDeferred(self._user.asked, str(message["ask"]), dict(message["facts"]))
            asked.addCallback(self._answer, message["number"]).addErrback(self._refuse, message["number"])
        else:
            self._answered(message)

    def _guarded(self, call: Callable[..., object], *arguments: Any) -> None:
        try:
            call(*arguments)
        except Exception:
            # What the user of the channel does wrong is not the other process's fault.
            _log.failure("a message between processes")

    def _answered(self, message: dict[str, Any]) -> None:
        # A late answer finds no request any more.
        answer, late = self._waiting.pop(message["answer"], (None, None))
        if answer is None or late is None:
            return
        late.cancel()
        if "problem" in message:
            answer.errback(RefusedRequest(printable(str(message["problem"])[:_LONGEST_PROBLEM])))
        else:
            answer.callback(message["facts"])

    def _answer(self, facts: Any, number: int) -> None:
        self._send({"answer": number, "facts": facts})

    def _refuse(self, reason: Failure, number: int) -> None:
        if not reason.check(RefusedRequest):
            _log.failure("a request between processes", reason)
        self._send({"answer": number, "problem": str(reason.value)[:_LONGEST_PROBLEM]})

    def _late(self, number: int, seconds: float) -> None:
        answer, _ = self._waiting.pop(number)
        answer.errback(NoAnswer(f"no answer within {seconds:g} s"))

    def _send(self, message: dict[str, Any]) -> None:
        content = json.dumps(message).encode()
        if len(content) > LONGEST_MESSAGE:
            # The other end would take it for the end of the channel.
            _log.error("{size} bytes are too many for a message between processes", size=len(content))
            content = json.dumps({"answer": message.get("answer"), "problem": "it is too long to be told"}).encode()
        if not self._hasEnded:
            self.sendString(content)  # type: ignore[no-untyped-call]

    def _abort(self) -> None:
        cast(ITCPTransport, self.transport).abortConnection()
