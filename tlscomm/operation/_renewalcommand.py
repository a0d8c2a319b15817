"""A command that renews an identity before it expires. The server runs it, and takes what it has written.

It is run without a shell, one at a time for each identity, for a bounded time and with a bounded output. It gets of the
environment what is known to hold no secret, and a session of its own, so that it can be ended with all that it has
started. What becomes of it is said in the log. Where it fails, or the identity is the same afterwards, it is run again,
each time later, by chance a little earlier or later than others of its kind do: an authority that is down must not be
overrun when it comes back.
"""

from __future__ import annotations

import os
import random
import shlex
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from tlscomm._dataclasses import dataclass
from tlscomm.failures import printable
from tlscomm.failures._wording import timeText

__all__ = ["Renewable", "RenewalCommands"]

_log = Logger(namespace="tlscomm")

#: Seconds for a command, and then for it to end when it is told to.
_MOST_SECONDS, _END_SECONDS = 300.0, 10.0
#: Seconds for what it has written last, when it has ended and what it has started has not.
_LAST_SECONDS = 1.0
#: Bytes of its output that are kept, the last ones.
_MOST_OUTPUT = 500
#: Seconds until it is run again, after the first failure and at most.
_FIRST_PAUSE, _LONGEST_PAUSE = 60.0, 6 * 3600.0
#: By how much of that by chance.
_JITTER = 0.25
#: Seconds in which those of several servers begin, when they are due at the same moment.
_SPREAD = 600.0
#: What it gets of the server's environment. What is not known may be a pass phrase or a token.
_PASSED = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TZ", "TMPDIR", "SYSTEMROOT"),
        *("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "LC_TIME"),
        # systemd.exec(5). Not CREDENTIALS_DIRECTORY, in which pass phrases are.
        *("RUNTIME_DIRECTORY", "STATE_DIRECTORY", "CACHE_DIRECTORY", "LOGS_DIRECTORY", "CONFIGURATION_DIRECTORY"),
        "INVOCATION_ID",
    )
)
#: Runs the command in the place of this program, which no call of Twisted does in a session of its own. Python ignores
#: SIGPIPE and SIGXFSZ, and what it runs would, too.
_IN_SESSION = """
import os, signal, sys
os.setsid()
for name in ("SIGPIPE", "SIGXFSZ"):
    signal.signal(getattr(signal, name), signal.SIG_DFL)
try:
    os.execvp(sys.argv[1], sys.argv[1:])
except OSError as problem:
    print("cannot be started:", problem.strerror, file=sys.stderr, flush=True)
    os._exit(127)
"""
#: How much of its time is left when a certificate is due where nothing else is said, as with most programs that renew.
_SHARE = 1 / 3


@dataclass(frozen=True)
class Renewable:
    """An identity that a command renews.

    Attributes:
        path: where it is, as it was named.
        since: from when on it is valid.
        until: until when.
        command: what is run: words as for a shell, which does not see them.
        hoursBefore: when it is due; None for a third of its time.
        key: the file with its key, where that is another one; empty where it is not.
    """

    path: str
    since: datetime
    until: datetime
    command: str
    hoursBefore: int | None = None
    key: str = ""

    @property
    def due(self) -> float:
        """When it is to be renewed, in seconds since 1970."""
        ends, lasts = self.until.timestamp(), (self.until - self.since).total_seconds()
        return ends - (lasts * _SHARE if self.hoursBefore is None else self.hoursBefore * 3600.0)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the command: what it may know of the server's, and what it is to renew."""
        own = {name: value for name, value in os.environ.items() if name in _PASSED}
        own["TLSCOMM_IDENTITY"] = os.path.abspath(self.path)
        own["TLSCOMM_NOT_AFTER"] = self.until.isoformat(timespec="seconds")
        if self.key:
            own["TLSCOMM_KEY"] = os.path.abspath(self.key)
        return own


class RenewalCommands:
    """Runs the commands of identities that are due."""

    def __init__(
        self,
        reactor: Any,
        chance: Callable[[], float] = random.random,
        signalSession: Callable[[int, str], object] | None = None,
    ) -> None:
        """
        Args:
            reactor: starts processes and tells the time.
            chance: returns a number from 0 to 1.
            signalSession: sends a signal to a process, by its number, and to all that it has started; that of this
                module where None.
        """
        self._reactor = reactor
        self._chance = chance
        self._signalSession = signalSession or _signalSession
        self._states: dict[str, _State] = {}

    def look(self, renewables: Iterable[Renewable], now: float) -> None:
        """Run what is due.

        Args:
            renewables: the identities as they are now. Of two with one path, one counts.
            now: in seconds since 1970.
        """
        current = {each.path: each for each in renewables}
        for path, state in tuple(self._states.items()):
            if path not in current and state.run is None:
                del self._states[path]
        for path, each in current.items():
            if now >= each.due:
                self._consider(each, self._states.setdefault(path, _State()), now)

    def stop(self) -> None:
        """End what runs: the server does."""
        for state in self._states.values():
            if state.run is not None:
                state.run.end()

    def _consider(self, each: Renewable, state: _State, now: float) -> None:
        if state.run is not None:
            return
        if state.until != each.until:
            # It was renewed since, or this is the first time.
            state.until, state.failures = each.until, 0
            left = max(0.0, each.until.timestamp() - now)
            state.next = self._reactor.seconds() + self._chance() * min(_SPREAD, left / 20)
        elif state.isDone:
            self._failed(each, state, "has ended well, and the identity is the same as before")
        state.isDone = False
        # Pauses are of time that passes: the time of day may be set.
        if self._reactor.seconds() >= state.next:
            state.run = _Run(self._reactor, each, self._signalSession)
            state.run.ended.addCallback(self._ended, each, state)

    def _ended(self, problem: str, each: Renewable, state: _State) -> None:
        run, state.run = state.run, None
        output = "" if run is None else run.output
        if problem:
            self._failed(each, state, problem, output)
            return
        state.isDone = True
        # Until then what it has written is read.
        state.next = self._reactor.seconds() + _FIRST_PAUSE
        _log.info(
            "the command that renews {identity} has ended well{output}",
            identity=printable(each.path),
            output=output and f": {output}",
        )

    def _failed(self, each: Renewable, state: _State, problem: str, output: str = "") -> None:
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(state.failures, 20))
        pause *= 1 + _JITTER * (2 * self._chance() - 1)
        state.failures += 1
        state.next = self._reactor.seconds() + pause
        _log.error(
            "the command that renews {identity} {problem}{output}. It is run again in {pause:.0f} s; the certificate "
            "expires at {until}. Next step: Run it by hand, as the user of the server: {command}",
            identity=printable(each.path),
            problem=problem,
            output=output and f": {output}",
            pause=pause,
            until=timeText(each.until),
            command=printable(each.command),
        )


class _State:
    """What is known of one identity.

    Attributes:
        until: the end of the certificate that this is about.
        failures: how often the command has failed for it.
        next: when it is run again, by the clock of the reactor.
        isDone: whether it has ended well, and it has yet to be seen what came of it.
        run: what runs now.
    """

    def __init__(self) -> None:
        self.until: datetime | None = None
        self.failures = 0
        self.next = 0.0
        self.isDone = False
        self.run: _Run | None = None


class _Run(ProcessProtocol):
    """One run of a command.

    Attributes:
        ended: fires with what went wrong; empty where nothing did.
    """

    def __init__(self, reactor: Any, each: Renewable, signalSession: Callable[[int, str], object]) -> None:
        self.ended: Deferred[str] = Deferred()
        self._reactor = reactor
        self._signalSession = signalSession
        self._output = b""
        self._isLate = self._isTold = self._hasExited = False
        self._number: int | None = None
        self._timer: IDelayedCall | None = None
        _log.info("renewing {identity}: {command}", identity=printable(each.path), command=printable(each.command))
        self._start(_inSession(shlex.split(each.command)), each.environment)

    @property
    def output(self) -> str:
        """The end of what it has written, on one line."""
        lines = self._output.decode("utf-8", "replace").split("\n")
        return printable(" | ".join(filter(None, map(str.strip, lines))), 4 * _MOST_OUTPUT)

    def end(self) -> None:
        """Have it end, with all that it has started."""
        self._isTold = True
        self._signal("TERM")

    def connectionMade(self) -> None:
        transport: Any = self.transport
        # Twisted forgets it when the process has exited, and its session may go on.
        self._number = transport.pid

    def outReceived(self, data: bytes) -> None:
        self._output = (self._output + data)[-_MOST_OUTPUT:]

    errReceived = outReceived

    def processExited(self, reason: Failure) -> None:
        """It has ended. What it has started may go on, and keep what it writes to open for ever."""
        if self._isTold:
            # What was told with it, and has not ended, has nothing left to wait for.
            self._signal("KILL")
        self._hasExited = True
        self._stopTimer()
        self._timer = self._reactor.callLater(_LAST_SECONDS, self._leave, reason)

    def processEnded(self, reason: Failure) -> None:
        self._over(reason)

    def _leave(self, reason: Failure) -> None:
        transport: Any = self.transport
        transport.loseConnection()
        self._over(reason)

    def _over(self, reason: Failure) -> None:
        self._stopTimer()
        if not self.ended.called:
            self.ended.callback(self._problem(reason))

    def _stopTimer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _start(self, words: list[str], environment: Mapping[str, str]) -> None:
        try:
            self._reactor.spawnProcess(self, words[0], words, env=environment)
        except OSError as problem:
            self.ended.callback(f"cannot be started: {problem.strerror}")
            return
        self._timer = self._reactor.callLater(_MOST_SECONDS, self._late)

    def _late(self) -> None:
        self._isLate = True
        self.end()
        self._timer = self._reactor.callLater(_END_SECONDS, self._signal, "KILL")

    def _signal(self, name: str) -> None:
        transport: Any = self.transport
        # Once it is known to have exited, another process may have its number.
        if self._number is None or self._hasExited:
            return
        try:
            self._signalSession(self._number, name)
        except (ProcessLookupError, PermissionError):
            # It has not come to begin its session; or it has another user's rights, and ends when it likes to.
            with suppress(ProcessExitedAlready, PermissionError):
                transport.signalProcess(name)

    def _problem(self, reason: Failure) -> str:
        if self._isLate:
            return f"took longer than {_MOST_SECONDS:g} s, and was ended"
        if reason.check(ProcessDone):
            return ""
        value: Any = reason.value
        if value.signal is not None:
            return f"was ended by signal {value.signal}"
        return f"ended with exit status {value.exitCode}"


def _inSession(words: list[str]) -> list[str]:
    """Return what runs a command in a session of its own, where the system has such."""
    return words if sys.platform == "win32" else [sys.executable, "-IS", "-c", _IN_SESSION, *words]


def _signalSession(process: int, name: str) -> None:
    if sys.platform == "win32":
        raise ProcessLookupError
    os.killpg(process, getattr(signal, f"SIG{name}"))
