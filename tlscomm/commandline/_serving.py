"""The reactor, for as long as a service runs that the command line has started."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import globalLogBeginner, textFileLogObserver

from tlscomm.commandline import _collection
from tlscomm.server._tunnel import Tunnel
from tlscomm.serving._notifying import systemdObserver
from tlscomm.serving._phases import ServerPhase
from tlscomm.serving._ports import CannotListen
from tlscomm.serving._signals import Signals
from tlscomm.serving._stopping import UNFINISHED, EndSignals

__all__ = ["serve"]


class Renewed(Protocol):
    """What has files that are read again."""

    def reload(self, trigger: str) -> object: ...

    def watch(self) -> object: ...

    def unwatch(self) -> object: ...


def serve(make: Callable[[Any], tuple[Tunnel, Renewed]]) -> int:
    """Run a tunnel until a signal ends it; possible once in a process. Its log goes to standard error.

    Args:
        make: returns the tunnel and what reads its files, when it is called with the reactor. What it raises is raised.

    Returns:
        The exit status.
    """
    from twisted.internet import reactor as installed

    reactor = cast(Any, installed)
    tunnel, renewed = make(reactor)
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    try:
        tunnel.startService()
    except CannotListen:
        return 1
    renewed.watch()
    _collection.resume()
    systemd = systemdObserver(reactor, lambda: len(tunnel.forwarding.relays))
    enter: Callable[[ServerPhase], object] = (lambda _: None) if systemd is None else systemd.entered
    signals, ends = Signals(reactor), EndSignals(reactor, tunnel.endNow)
    signals.listenTo("SIGHUP", lambda: renewed.reload("signal"))
    ends.listen()
    reactor.callWhenRunning(enter, ServerPhase.READY)

    def stop() -> Deferred[Any]:
        enter(ServerPhase.DRAINING)
        renewed.unwatch()
        return maybeDeferred(tunnel.stopService).addBoth(lambda _: enter(ServerPhase.STOPPED))

    reactor.addSystemEventTrigger("before", "shutdown", stop)
    reactor.run()
    signals.release()
    if (number := getattr(reactor, "_exitSignal", None)) not in (None, signal.SIGTERM, signal.SIGINT):
        return 128 + int(number)
    return UNFINISHED if tunnel.unfinished else 0
