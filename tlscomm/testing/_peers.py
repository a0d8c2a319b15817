"""Peers that do not behave: they stall, cut the stream, change a bit, do not read, or do not speak TLS at all.

Each is a plain protocol of Twisted, for a `tlscomm.testing.Pair` in memory and for a real socket alike::

    Factory.forProtocol(partial(StallingPeer, configuration, at="Finished"))

Those that speak TLS do so honestly, by a `TLSConnection` of their own, up to the point where they misbehave. That point
is a number of bytes that they have sent, or a message of the handshake by its name in RFC 8446 and RFC 5246: a client
sends ``ClientHello``, ``Certificate``, ``ClientKeyExchange``, ``CertificateVerify``, ``ChangeCipherSpec`` and
``Finished``; a server sends ``ServerHello``, ``EncryptedExtensions``, ``Certificate``, ``ServerKeyExchange``,
``CertificateRequest``, ``CertificateVerify``, ``ServerHelloDone``, ``ChangeCipherSpec``, ``Finished`` and
``NewSessionTicket``, as far as the version and the configurations have them. ``ApplicationData`` is what comes after.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IPullProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from tlscomm.configuration import Configuration
from tlscomm.tls import State, TLSConnection

__all__ = [
    "GARBAGE",
    "HTTP_REQUEST",
    "HTTP_RESPONSE",
    "SSH_BANNER",
    "CorruptingPeer",
    "CuttingPeer",
    "DeafPeer",
    "HonestPeer",
    "Point",
    "ResettingPeer",
    "SlowPeer",
    "Speaker",
    "StallingPeer",
]

Point = str | int
"""Where a peer begins to misbehave: at a message of the handshake, or after a number of bytes."""

HTTP_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
HTTP_RESPONSE = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
SSH_BANNER = b"SSH-2.0-OpenSSH_9.2p1\r\n"
GARBAGE = bytes(range(0x60, 0xA0))

#: RFC 8446, section 5.1, and RFC 5246, section 6.2.1.
_CHANGE_CIPHER_SPEC, _HANDSHAKE, _ENCRYPTED = 20, 22, 23
_HEADER = 5

#: RFC 8446, section 4, and RFC 5246, section 7.4.
_NAMES = {
    1: "ClientHello",
    2: "ServerHello",
    4: "NewSessionTicket",
    11: "Certificate",
    12: "ServerKeyExchange",
    13: "CertificateRequest",
    14: "ServerHelloDone",
    15: "CertificateVerify",
    16: "ClientKeyExchange",
}

#: The encrypted flights of TLS 1.3 by their number of records: OpenSSL puts each message into one of its own.
_CLIENT_FLIGHTS = {
    1: ("Finished",),
    2: ("Certificate", "Finished"),
    3: ("Certificate", "CertificateVerify", "Finished"),
}
_SERVER_FLIGHTS = {
    2: ("EncryptedExtensions", "Finished"),
    4: ("EncryptedExtensions", "Certificate", "CertificateVerify", "Finished"),
    5: ("EncryptedExtensions", "CertificateRequest", "Certificate", "CertificateVerify", "Finished"),
}


@implementer(IHalfCloseableProtocol)
class HonestPeer(Protocol):
    """A peer that speaks TLS as it should; the others extend it.

    Attributes:
        connection: its side of TLS.
        received: the application data that came.
        sent: how many bytes of ciphertext it has sent.
        lost: why TCP ended, or None while it has not.
    """

    def __init__(self, configuration: Configuration) -> None:
        """
        Args:
            configuration: a client's or a server's.
        """
        self.connection = TLSConnection(configuration)
        self.received = b""
        self.sent = 0
        self.lost: BaseException | None = None
        self._isClient = configuration.isClient

    def connectionMade(self) -> None:
        if self._isClient:
            self.connection.start()
        self._speak()

    def dataReceived(self, data: bytes) -> None:
        self.received += self.connection.receive(data)
        self._speak()
        if self.connection.state in (State.CLOSED, State.FAILED):
            self.end()

    def send(self, data: bytes) -> None:
        """Send application data. The handshake must be done on this side."""
        self.connection.send(data)
        self._speak()

    def end(self) -> None:
        """End the connection: the other side has ended TLS, or has broken it."""
        self.connection.close()
        self._speak()
        self._tcp.loseConnection()

    def readConnectionLost(self) -> None:
        """The other side has ended TCP."""
        self._tcp.loseConnection()

    def writeConnectionLost(self) -> None:
        """Part of `IHalfCloseableProtocol`."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason.value

    @property
    def _tcp(self) -> Any:
        return self.transport

    def _speak(self) -> None:
        self._write(self.connection.outgoing())

    def _write(self, ciphertext: bytes) -> None:
        self.sent += len(ciphertext)
        self._tcp.write(ciphertext)


class DeafPeer(HonestPeer):
    """A peer that never answers close_notify, nor the end of the TCP stream."""

    def end(self) -> None:
        """Do not."""

    def readConnectionLost(self) -> None:
        """Do not answer."""


class SlowPeer(HonestPeer):
    """A peer that shakes hands at once and then reads slowly."""

    def __init__(self, configuration: Configuration, *, bytesPerSecond: float, clock: IReactorTime) -> None:
        """
        Args:
            configuration: a client's or a server's.
            bytesPerSecond: how many bytes of ciphertext it reads; 0 for none at all.
            clock: tells the time: the reactor, or a test's ``Clock``.
        """
        super().__init__(configuration)
        self._rate = bytesPerSecond
        self._clock = clock
        self._resting: IDelayedCall | None = None

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        if self.connection.isAccepted:
            self._tcp.pauseProducing()
            if self._rate:
                self._resting = self._clock.callLater(len(data) / self._rate, self._tcp.resumeProducing)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        if self._resting is not None and self._resting.active():
            self._resting.cancel()


class _FaultyPeer(HonestPeer, ABC):
    """A peer that behaves up to a point."""

    def __init__(self, configuration: Configuration, *, at: Point) -> None:
        """
        Args:
            configuration: a client's or a server's.
            at: in place of which message of the handshake, or after how many bytes, it misbehaves.
        """
        super().__init__(configuration)
        self.misbehaved = False
        self._at = at
        self._records = _Records(configuration.isClient)

    def end(self) -> None:
        if not self.misbehaved:
            super().end()

    def _write(self, ciphertext: bytes) -> None:
        if self.misbehaved:
            self._goOn(ciphertext)
        elif (length := self._lengthBefore(ciphertext)) is None:
            super()._write(ciphertext)
        else:
            super()._write(ciphertext[:length])
            self.misbehaved = True
            self._misbehave(ciphertext[:length], ciphertext[length:])

    def _lengthBefore(self, ciphertext: bytes) -> int | None:
        """Return how many of these bytes come before the point, or None where it is not reached."""
        if isinstance(self._at, int):
            length = self._at - self.sent
            return length if length <= len(ciphertext) else None
        length = 0
        for name, record in self._records.named(ciphertext):
            if name == self._at:
                return length
            length += len(record)
        return None

    @abstractmethod
    def _misbehave(self, before: bytes, rest: bytes) -> None:
        """Do what is wrong.

        Args:
            before: what was written in the same turn, up to the point.
            rest: what should be written after it.
        """

    def _goOn(self, ciphertext: bytes) -> None:
        """Send what TLS says after that: nothing, where this is not overridden."""


class StallingPeer(_FaultyPeer):
    """A peer that stops in the middle: it sends nothing more, and keeps the connection open.

    Attributes:
        misbehaved: whether the point was reached.
    """

    def readConnectionLost(self) -> None:
        """Do not answer."""

    def _misbehave(self, before: bytes, rest: bytes) -> None: ...


class CuttingPeer(_FaultyPeer):
    """A peer whose stream ends in the middle, without close_notify.

    Attributes:
        misbehaved: whether the point was reached.
    """

    def _misbehave(self, before: bytes, rest: bytes) -> None:
        self._tcp.loseWriteConnection()


@implementer(IPullProducer)
class ResettingPeer(_FaultyPeer):
    """A peer that resets the TCP connection in the middle, when everything before that has been sent.

    Attributes:
        misbehaved: whether the point was reached.
    """

    _isWaiting = False

    def resumeProducing(self) -> None:
        """TCP has nothing left to send. It says so at once when it is asked, and again when it is true."""
        if self._isWaiting:
            self._tcp.abortConnection()
        self._isWaiting = True

    def stopProducing(self) -> None:
        """Part of `IPullProducer`."""

    def _misbehave(self, before: bytes, rest: bytes) -> None:
        # A reset throws away what is still in the buffer.
        if before:
            self._tcp.registerProducer(self, False)
        else:
            self._tcp.abortConnection()


class CorruptingPeer(_FaultyPeer):
    """A peer that changes one bit of what it sends: the last of a message's record, or the last of a byte.

    Attributes:
        misbehaved: whether the point was reached.
    """

    def _misbehave(self, before: bytes, rest: bytes) -> None:
        index = 0 if isinstance(self._at, int) else _HEADER + int.from_bytes(rest[3:_HEADER], "big") - 1
        self._goOn(rest[:index] + bytes([rest[index] ^ 1]) + rest[index + 1 :])

    def _goOn(self, ciphertext: bytes) -> None:
        HonestPeer._write(self, ciphertext)


class Speaker(Protocol):
    """A peer that speaks something else than TLS, and waits for what comes of it.

    Attributes:
        received: what came.
        lost: why TCP ended, or None while it has not.
    """

    def __init__(self, words: bytes, *, speaksFirst: bool = True) -> None:
        """
        Args:
            words: what it says: `HTTP_REQUEST`, `HTTP_RESPONSE`, `SSH_BANNER`, `GARBAGE`, or anything.
            speaksFirst: whether it speaks when TCP is connected, or in answer to the first bytes.
        """
        self.received = b""
        self.lost: BaseException | None = None
        self._words = words
        self._speaksFirst = speaksFirst

    def connectionMade(self) -> None:
        if self._speaksFirst:
            self._speak()

    def dataReceived(self, data: bytes) -> None:
        if not self.received and not self._speaksFirst:
            self._speak()
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason.value

    def _speak(self) -> None:
        self.transport.write(self._words)  # type: ignore[union-attr]


class _Records:
    """Gives each record of an honest side the name of the message that it carries."""

    def __init__(self, isClient: bool) -> None:
        self._flights = _CLIENT_FLIGHTS if isClient else _SERVER_FLIGHTS
        self._expectsTickets = not isClient
        self._isEncrypted = False
        self._flightIsOver = False

    def named(self, flight: bytes) -> Iterator[tuple[str, bytes]]:
        """Yield the records of what TLS says at one time."""
        records = list(_split(flight))
        encrypted = [record for record in records if record[0] == _ENCRYPTED]
        names = iter(self._encryptedNames(len(encrypted)) if encrypted else ())
        for record in records:
            yield next(names) if record[0] == _ENCRYPTED else self._clearName(record), record

    def _encryptedNames(self, count: int) -> Sequence[str]:
        if not self._flightIsOver and count in self._flights:
            self._flightIsOver = True
            return self._flights[count]
        name = "NewSessionTicket" if self._expectsTickets else "ApplicationData"
        self._expectsTickets = False
        return (name,) * count

    def _clearName(self, record: bytes) -> str:
        if record[0] == _CHANGE_CIPHER_SPEC:
            self._isEncrypted = True
            return "ChangeCipherSpec"
        if record[0] != _HANDSHAKE:
            return "Alert"
        if self._isEncrypted:
            # Only TLS 1.2 does not hide that this is a message of the handshake.
            self._flightIsOver, self._expectsTickets = True, False
            return "Finished"
        return _NAMES.get(record[_HEADER], "unknown")


def _split(flight: bytes) -> Iterator[bytes]:
    while flight:
        length = _HEADER + int.from_bytes(flight[3:_HEADER], "big")
        yield flight[:length]
        flight = flight[length:]
