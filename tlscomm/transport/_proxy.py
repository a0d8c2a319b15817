"""What Twisted asks of a TLS transport and what its connection, its output or TCP answers without further thought."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryptography import x509
from OpenSSL.crypto import X509
from OpenSSL.SSL import Connection as SSLConnection
from twisted.internet.interfaces import IAddress, IProtocol

from tlscomm.access import Peer
from tlscomm.proxyprotocol import ProxyHeader
from tlscomm.tls import TLSConnection, TLSFacts
from tlscomm.transport._output import Output

__all__ = ["TransportProxy"]


class TransportProxy:
    """The part of a TLS transport that has no state of its own.

    Attributes:
        transport: the TCP transport below.
    """

    __slots__ = ()

    transport: Any
    protocol: IProtocol | None
    connected: bool
    disconnecting: bool
    _isWriteEnding: bool
    _connection: TLSConnection
    _output: Output
    _address: IAddress | None
    _began: float
    _acceptedAt: float
    _refusedAt: float
    _host: IAddress | None
    proxied: ProxyHeader | None

    @property
    def began(self) -> float:
        """When TCP was connected, by the clock of the factory, or as much later as we have kept the peer waiting."""
        return self._began

    @property
    def acceptedAt(self) -> float:
        """When both sides had accepted each other, by the same clock; 0 before that."""
        return self._acceptedAt

    @property
    def refusedAt(self) -> float:
        """When one side had refused the other, by the same clock; 0 where none has, or there was no handshake."""
        return self._refusedAt

    @property
    def agreed(self) -> tuple[str, str, bool]:
        """The version, the key exchange group and whether a session was resumed; empty what had yet to be agreed."""
        return ("", "", False) if self.transport is None else self._connection.agreed

    @property
    def ja4(self) -> str | None:
        """The JA4 fingerprint of the client, also of one that is refused, where the server works it out."""
        return None if self.transport is None else self._connection.ja4

    @property
    def tls(self) -> TLSFacts:
        """What was agreed in the handshake."""
        return self._connection.facts

    @property
    def peer(self) -> Peer | None:
        """The peer, or None where it presented no certificate (a client that need not)."""
        return self._connection.peer

    @property
    def presented(self) -> Sequence[x509.Certificate]:
        """The certificates that the peer has presented, its own first; none where it has none."""
        return self._connection.presented

    @property
    def negotiatedProtocol(self) -> bytes | None:
        """The application protocol that ALPN chose, or None."""
        return self._connection.handle.get_alpn_proto_negotiated() or None

    def exportKeyingMaterial(self, label: str, length: int, context: bytes | None = None) -> bytes:
        """Return bytes that only the two sides of this connection know (RFC 5705, and RFC 8446, section 7.5).

        Args:
            label: what they are for, in ASCII; the same on both sides. IANA registers some, and others begin with
                ``EXPERIMENTAL``.
            length: how many, 8160 at most.
            context: more that both sides have to agree on. Under TLS 1.2 no bytes are not the same as None.

        Raises:
            NoChannelBinding: both sides have yet to accept each other, or the peer speaks TLS 1.2 without the extended
                master secret.
            ValueError: an argument is wrong.
        """
        from tlscomm.tls._channelbinding import exportKeyingMaterial

        return exportKeyingMaterial(self._connection, label, length, context)

    def channelBinding(self, kind: str = "tls-exporter") -> bytes:
        """Return what ties a login by other means to this very connection (RFC 5056), as SCRAM's ``-PLUS`` does.

        Args:
            kind: ``tls-exporter`` (RFC 9266), which fits every connection, or ``tls-server-end-point`` (RFC 5929),
                which stands for the server's certificate and passes a machine between that has it too.

        Raises:
            NoChannelBinding: there is none that could be relied on, as for `exportKeyingMaterial`; or, of
                ``tls-server-end-point``, the server's certificate has no hash function.
            ValueError: there is no such kind. ``tls-unique`` is not there: it is not safe.
        """
        from tlscomm.tls._channelbinding import channelBinding

        return channelBinding(self._connection, kind)

    def getPeerCertificate(self) -> X509 | None:
        """The peer's certificate in pyOpenSSL's form, as Twisted's programs expect; `peer` says more."""
        return self._connection.handle.get_peer_certificate()

    def failVerification(self, reason: object) -> None:
        """Twisted's client options call it when they refuse a name; our own check names what is wrong."""

    def getHandle(self) -> SSLConnection:
        """The pyOpenSSL connection, for Twisted's ``Certificate.peerFromTransport``."""
        return self._connection.handle

    def getPeer(self) -> Any:
        """The peer's address; behind a proxy that tells it, from when it has. None where none is known."""
        # What is below may know better than when TCP was connected: the header of the PROXY protocol comes later, but
        # before TLS.
        if self.transport is None or self.protocol is not None or self.proxied is not None:
            return self._address
        return self.transport.getPeer()

    def getHost(self) -> Any:
        """Our own address; behind a proxy that tells it, the one that the client has connected to."""
        return self.transport.getHost() if self._host is None else self._host

    def getTcpNoDelay(self) -> bool:
        return self.transport.getTcpNoDelay()  # type: ignore[no-any-return]

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.transport.setTcpNoDelay(enabled)

    def getTcpKeepAlive(self) -> bool:
        return self.transport.getTcpKeepAlive()  # type: ignore[no-any-return]

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.transport.setTcpKeepAlive(enabled)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """See `twisted.internet.interfaces.IConsumer`."""
        if self._isWriteEnding:
            producer.stopProducing()
        else:
            self._output.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """See `twisted.internet.interfaces.IConsumer`."""
        self._output.unregisterProducer()

    @property
    def isWriting(self) -> bool:
        """Whether bytes that were written are still on their way, as far as this machine knows.

        What TLS has to say by itself, because a peer asks for it, does not count, nor does what waits behind too much
        of that.
        """
        return self.connected and self._output.isMoving and not self._output.answers.areTooMany

    @property
    def unsent(self) -> int:
        """How many bytes are on their way to the peer, as far as this machine knows, TLS's own answers included."""
        return self._output.unsent if self.connected else 0
