"""Failures of the connection that TLS runs over, and of time."""

from __future__ import annotations

from typing import Any

from tlscomm.failures._failure import ConnectionFailure

__all__ = [
    "BackendLost",
    "BackendUnavailable",
    "CloseTimeout",
    "ClosedInHandshake",
    "ConnectFailed",
    "HandshakeTimeout",
    "IdleTimeout",
    "LifetimeOver",
    "ReadTimeout",
    "Reset",
    "TooManyConnections",
    "TooManyHandshakes",
    "TooManyRefusals",
    "Truncated",
    "WriteTimeout",
]


class _OfLimit:
    """What happens by a limit, and not because anything is wrong with the peer.

    Attributes:
        limit: the name of the setting that is the limit.
    """

    def __init__(self, detail: str = "", *, limit: str = "", **facts: Any) -> None:
        super().__init__(detail, **facts)  # type: ignore[call-arg]
        self.limit = limit

    def toJSON(self) -> dict[str, object]:
        return {**super().toJSON(), "limit": self.limit or None}  # type: ignore[misc]


class BackendLost(ConnectionFailure):
    """The service behind a server that forwards to it broke the connection off."""

    code = "backend-lost"
    summary = "the service behind broke the connection off"
    ours = "Look in the log of the service that --forward names; a crash, a kill or a restart does this."
    theirs = ours
    general = "Look in the log of the service behind the server; a crash, a kill or a restart does this."
    reproduce = "Kill the service that a server forwards to while a client is connected."
    usualStage = "message"


class BackendUnavailable(ConnectionFailure):
    """A server accepted a client, and could not connect to the service that it forwards to."""

    code = "backend-unavailable"
    summary = "no connection to the service behind could be made"
    ours = "Check that the service runs, and that it listens where --forward says."
    theirs = ours
    general = "Check that the service behind the server runs, and listens where the server looks for it."
    reproduce = "Start a server with --forward and the address of a port where nothing listens, and connect."
    usualStage = "connect"


class ClosedInHandshake(ConnectionFailure):
    """The connection ended before the handshake did."""

    code = "closed-in-handshake"
    summary = "the connection ended during the handshake"
    ours = "Look in the peer's log."
    theirs = (
        "Look in the peer's log. If it left before it had seen our certificate, it may be a port scanner or a health "
        "check, which mean no harm."
    )
    reproduce = "Connect to the port and close the connection at once."


class CloseTimeout(ConnectionFailure):
    """The peer did not answer our close_notify in time."""

    code = "close-timeout"
    summary = "the peer did not finish the close of the connection in time"
    ours = "Nothing that was received is lost. If it happens often, the peer does not close TLS properly."
    theirs = ours
    reproduce = "Connect a peer that ignores close_notify and keeps the connection open."
    usualStage = "close"


class ConnectFailed(ConnectionFailure):
    """No TCP connection to the host and port could be made."""

    code = "connect-failed"
    summary = "no connection could be made"
    ours = "Check host name, port, firewall, and that the server runs."
    theirs = ours
    reproduce = "Connect to a port where nothing listens."
    usualStage = "connect"


class HandshakeTimeout(ConnectionFailure):
    """The handshake was not done in time."""

    code = "handshake-timeout"
    summary = "the handshake was not finished in time"
    ours = "Check the network and the load of both machines; the detail says what was awaited."
    theirs = ours
    reproduce = "Connect to the port and send nothing."


class IdleTimeout(_OfLimit, ConnectionFailure):
    """Neither side has sent anything for as long as a connection may be idle."""

    code = "idle-timeout"
    summary = "the connection was idle for too long"
    ours = "Have the peers say something from time to time, or let connections be idle for longer (--idle-timeout)."
    theirs = ours
    general = "Have one side say something from time to time, or let connections be idle for longer."
    reproduce = "Start a server with --idle-timeout 2 --read-timeout 0, connect, and send nothing."
    usualStage = "message"


class LifetimeOver(_OfLimit, ConnectionFailure):
    """The connection has lasted as long as one may."""

    code = "lifetime-over"
    summary = "the connection has lasted as long as one may"
    ours = "Nothing is wrong: the client connects again. Change --connection-lifetime where that happens too often."
    theirs = ours
    general = "Nothing is wrong: the client connects again."
    reproduce = "Start a server with --connection-lifetime 2 --read-timeout 0, connect, and wait."
    usualStage = "message"


class ReadTimeout(ConnectionFailure):
    """The peer sent no whole message in time."""

    code = "read-timeout"
    summary = "the peer sent no message in time"
    ours = (
        "Give the peer more time (--timeout on the client, --read-timeout on the server), or find out why it is silent."
    )
    theirs = ours
    reproduce = "Connect and send half a message."
    usualStage = "message"


class Reset(ConnectionFailure):
    """The connection was cut off by the peer or on the way."""

    code = "reset"
    summary = "the connection was reset"
    ours = "Look in the peer's log; a crash, a kill or a firewall does this."
    theirs = ours
    reproduce = "Kill the peer's process while it has unread data."
    usualStage = "message"


class TooManyConnections(_OfLimit, ConnectionFailure):
    """There are as many connections as the server allows: in all, of this address, or of this identity."""

    code = "too-many-connections"
    summary = "the server has as many connections as it allows"
    ours = "Raise the limit that is named, or find out who holds so many open."
    theirs = ours
    general = "Have the server allow more connections, or find out who holds so many open."
    reproduce = "Start a server with --maximum-connections 1 and connect twice."
    usualStage = "connect"


class TooManyHandshakes(_OfLimit, ConnectionFailure):
    """Connections come faster than the server allows, or too many have yet to be accepted."""

    code = "too-many-handshakes"
    summary = "the server has as many handshakes as it allows"
    ours = "Raise the limit that is named, or find out who connects so often."
    theirs = ours
    general = "Connect less often, and try again later."
    reproduce = "Start a server with --handshake-rate-per-address 1 and connect three times at once."
    usualStage = "connect"


class TooManyRefusals(_OfLimit, ConnectionFailure):
    """So many connections of this address were refused that it has to wait."""

    code = "too-many-refusals"
    summary = "the address has to wait, because too many of its connections were refused"
    ours = "Look in the log why its connections were refused, and mend that. It may connect again after a minute."
    theirs = ours
    general = "Find out why the connections before were refused, and mend that."
    reproduce = "Start a server with --refusals-per-address 2 and connect three times without a certificate."
    usualStage = "connect"


class Truncated(ConnectionFailure):
    """The stream ended without close_notify (RFC 8446, section 6.1), or in the middle of a message."""

    code = "truncated"
    summary = "the stream ended too early, so data may be missing"
    ours = (
        "Look in the peer's log. It may have waited too long for us (a read deadline or an idle timeout of its own, or "
        "of a proxy between), have been stopped or crashed, or it never closes TLS properly."
    )
    theirs = ours
    reproduce = "Kill the peer's process in the middle of a message."
    usualStage = "message"


class WriteTimeout(ConnectionFailure):
    """The peer did not take what was sent to it in time."""

    code = "write-timeout"
    summary = "the peer did not take our data in time"
    ours = "Find out why the peer does not read, or give it more time (--write-timeout)."
    theirs = ours
    reproduce = "Send much to a peer that does not read."
    usualStage = "message"
