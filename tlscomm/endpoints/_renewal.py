"""Files of an endpoint string that change while its program runs: a renewed certificate, other authorities.

Nothing in an endpoint string's program knows that there is anything to read again. So the files are watched, as those
of ``twistd tlscomm`` are, and what has changed is taken when it has come to rest.

SIGHUP would end such a program. It reads the files again instead, where the program has no use of its own for it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import ILoggingContext, IProtocolFactory, IReactorTime
from zope.interface import implementer

from tlscomm.configuration import Configuration
from tlscomm.configuration._listsread import ListsRead
from tlscomm.limits import Admission
from tlscomm.transport import Observer, TLSFactory, TLSTransport
from tlscomm.watching._filewatch import LOOK_SECONDS
from tlscomm.watching._reloadresult import ReloadResult
from tlscomm.watching._renewal import Renewal
from tlscomm.watching._watchedfiles import WatchedFiles

if TYPE_CHECKING:
    from tlscomm.tracing import Tracing

__all__ = ["RenewedConfiguration", "RenewedFactory"]


class RenewedConfiguration:
    """A client's configuration, read again before a connection where its files have changed, or when they change."""

    def __init__(
        self, clock: IReactorTime, configuration: Configuration, read: Callable[[], Configuration], files: WatchedFiles
    ) -> None:
        """
        Args:
            clock: tells the time.
            configuration: what was read at first.
            read: returns the configuration of the files as they are now. It is called in a thread.
            files: what it reads.
        """
        self._clock = clock
        self._configuration = configuration
        self._lookedAt = clock.seconds()
        self._isWatched = False
        self._renewal = Renewal(clock, read, self._take, files=files)

    def latest(self) -> Deferred[Configuration]:
        """Return what to connect with. The files are looked at for that, unless they were a moment ago or are watched.

        Where they cannot be read, or not in time, it is what was read before, and the log says why.
        """
        now = self._clock.seconds()
        if self._isWatched or now - self._lookedAt < LOOK_SECONDS:
            return succeed(self._configuration)
        self._lookedAt = now
        return self._renewal.begin("files").addCallback(lambda _: self._configuration)

    def watch(self) -> None:
        """Read the files when they change, whether there is a connection to come or not."""
        if not self._isWatched:
            self._isWatched = True
            self._renewal.use(self._clock)

    def unwatch(self) -> None:
        """Look at them before connections again."""
        if self._isWatched:
            self._isWatched = False
            self._renewal.release()

    def reload(self, trigger: str) -> Deferred[ReloadResult]:
        """Read the files now.

        Args:
            trigger: why: ``signal``, ``files`` or ``program``.
        """
        self._lookedAt = self._clock.seconds()
        return self._renewal.begin(trigger)

    def _take(self, read: Configuration) -> None:
        self._configuration = read


@implementer(ILoggingContext)
class RenewedFactory(TLSFactory):
    """A server's factory whose files are read again when they change, at SIGHUP, and when it is told to."""

    def __init__(
        self,
        configuration: Configuration,
        wrappedFactory: IProtocolFactory,
        clock: IReactorTime,
        observer: Observer[TLSTransport] | None,
        admission: Admission | None,
        *,
        readAgain: Callable[[], Configuration],
        files: WatchedFiles,
        tracing: Tracing | None = None,
    ) -> None:
        """
        Args:
            readAgain: returns the configuration of the files as they are now. It is called in a thread.
            files: what it reads.
        """
        super().__init__(configuration, wrappedFactory, clock, observer, tracing=tracing, admission=admission)
        self._renewal: Renewal[Configuration | ListsRead] = Renewal(
            clock,
            readAgain,
            self._take,
            files=files,
            what="the files of an endpoint",
            readLists=lambda: ListsRead([self.configuration]),
        )

    def logPrefix(self) -> str:
        """Return what Twisted's log calls each factory of TLS."""
        return TLSFactory.__name__

    def reload(self, trigger: str = "program") -> Deferred[ReloadResult]:
        """Read the files now.

        Args:
            trigger: why: ``signal``, ``files`` or ``program``.

        Returns:
            What came of it. Where they could not be read, the log says why, and the former configuration stays in use.
        """
        return self._renewal.begin(trigger)

    def doStart(self) -> None:
        super().doStart()
        if self._users == 1:
            self._renewal.use(self.clock)
            _hangUps.add(self)

    def doStop(self) -> None:
        super().doStop()
        if not self._users:
            self._renewal.release()
            _hangUps.discard(self)

    def _take(self, read: Configuration | ListsRead) -> Sequence[BaseException]:
        if isinstance(read, ListsRead):
            return read.take()
        self.reconfigure(read)
        return ()


class _HangUps:
    """Has SIGHUP read the files of all listening endpoints again, where the signal would end the program."""

    def __init__(self) -> None:
        self._factories: dict[RenewedFactory, None] = {}

    def add(self, factory: RenewedFactory) -> None:
        self._factories[factory] = None
        if _isOurs(signal.SIG_DFL):
            signal.signal(signal.SIGHUP, self._heard)

    def discard(self, factory: RenewedFactory) -> None:
        self._factories.pop(factory, None)
        # A program that has come to use the signal meanwhile keeps it.
        if not self._factories and _isOurs(self._heard):
            signal.signal(signal.SIGHUP, signal.SIG_DFL)

    def _heard(self, _number: int, _frame: Any) -> None:
        for factory in tuple(self._factories):
            # A signal comes in the middle of anything.
            fromThread = getattr(factory.clock, "callFromThread", lambda call: call())
            fromThread(partial(factory.reload, "signal"))


def _isOurs(disposition: object) -> bool:
    """Return whether SIGHUP is dealt with like this, and can be dealt with otherwise: by the main thread alone."""
    isMain = threading.current_thread() is threading.main_thread()
    return isMain and hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == disposition


_hangUps = _HangUps()
