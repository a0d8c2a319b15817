"""What a header says, whichever version it has."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from tlscomm._dataclasses import dataclass
from tlscomm.failures import printable
from tlscomm.proxyprotocol import _tlvs as tlvs

__all__ = ["ProxyAddress", "ProxyHeader", "ProxyTLS"]


@dataclass(frozen=True)
class ProxyAddress:
    """One end of the connection that a proxy passes on.

    Attributes:
        family: what kind of address it is.
        host: the address, or the path of a UNIX socket, whose name may be empty.
        port: the port, 0 for a UNIX socket.
    """

    family: Literal["IPv4", "IPv6", "UNIX"]
    host: str
    port: int = 0


@dataclass(frozen=True)
class ProxyTLS:
    """What a proxy that ends TLS says of its client's connection (section 2.2.5 of the specification).

    It is what the proxy says, and worth as much as the proxy is trusted. Texts are as they came.

    Attributes:
        flags: bit 0: the client connected over TLS; bit 1: it presented a certificate on this connection; bit 2: it
            did at least once in the TLS session.
        verify: 0 where it presented a certificate and that was verified; OpenSSL's number of the error otherwise.
        version: the version of TLS, ``TLSv1.3`` for example; None where it is not said, as with those that follow.
        commonName: the common name of the client's certificate.
        cipher: the cipher suite.
        signatureAlgorithm: the algorithm that the proxy's certificate was signed with.
        keyAlgorithm: the kind and the size of the proxy's own key.
    """

    flags: int
    verify: int
    version: str | None = None
    commonName: str | None = None
    cipher: str | None = None
    signatureAlgorithm: str | None = None
    keyAlgorithm: str | None = None

    @property
    def isTLS(self) -> bool:
        """Whether the client connected over TLS."""
        return bool(self.flags & tlvs.CLIENT_SSL)

    @property
    def hasCertificate(self) -> bool:
        """Whether the client has presented a certificate in the TLS session, on this connection or before."""
        return bool(self.flags & (tlvs.CLIENT_CERT_CONN | tlvs.CLIENT_CERT_SESS))

    @property
    def isVerified(self) -> bool:
        """Whether the client has presented a certificate, and the proxy has verified it."""
        return self.isTLS and self.hasCertificate and not self.verify


@dataclass(frozen=True)
class ProxyHeader:
    """A header of the PROXY protocol.

    Attributes:
        version: 1 or 2.
        isLocal: whether the connection is the proxy's own (``LOCAL``), to see whether the server lives for example.
        source: whence the client connected, or None where the proxy does not say it: the connection's own address
            holds.
        destination: where the client connected to, or None.
        tlvs: what a header of version 2 says besides, each as its type and value, in order.
    """

    version: Literal[1, 2]
    isLocal: bool = False
    source: ProxyAddress | None = None
    destination: ProxyAddress | None = None
    tlvs: tuple[tuple[int, bytes], ...] = ()

    def value(self, kind: int) -> bytes | None:
        """Return the value of the first TLV of a type, or None where there is none."""
        return next((value for each, value in self.tlvs if each == kind), None)

    @property
    def alpn(self) -> bytes | None:
        """The application protocol that the client and the proxy have agreed on (ALPN), or None."""
        return self.value(tlvs.ALPN)

    @property
    def authority(self) -> str | None:
        """The host name that the client has asked for, with TLS by SNI, or None."""
        return _text(self.value(tlvs.AUTHORITY))

    @property
    def uniqueID(self) -> bytes | None:
        """What the proxy calls the connection, or None."""
        return self.value(tlvs.UNIQUE_ID)

    @property
    def networkNamespace(self) -> str | None:
        """The name of the network namespace, or None."""
        return _text(self.value(tlvs.NETNS))

    @cached_property
    def tls(self) -> ProxyTLS | None:
        """What the proxy says of its client's TLS, or None where it says nothing."""
        value = self.value(tlvs.SSL)
        if value is None:
            return None
        flags, verify, parts = tlvs.splitSSL(value)
        said = {_TLS_TEXTS[kind]: _text(text) for kind, text in reversed(parts) if kind in _TLS_TEXTS}
        return ProxyTLS(flags, verify, **said)

    def toJSON(self) -> dict[str, object]:
        """Return what it says for a log line or a status page, all of it printable."""
        tls = self.tls
        return {
            "version": self.version,
            "local": self.isLocal,
            "source": _words(self.source),
            "destination": _words(self.destination),
            "alpn": None if self.alpn is None else printable(self.alpn.decode("utf-8", "backslashreplace")),
            "authority": None if self.authority is None else printable(self.authority),
            "uniqueID": None if self.uniqueID is None else printable(self.uniqueID.decode("utf-8", "backslashreplace")),
            "tls": None if tls is None else _tlsJSON(tls),
        }


_TLS_TEXTS = {
    tlvs.SSL_VERSION: "version",
    tlvs.SSL_CN: "commonName",
    tlvs.SSL_CIPHER: "cipher",
    tlvs.SSL_SIG_ALG: "signatureAlgorithm",
    tlvs.SSL_KEY_ALG: "keyAlgorithm",
}


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "backslashreplace")


def _words(address: ProxyAddress | None) -> str | None:
    if address is None:
        return None
    if address.family == "UNIX":
        return printable(f"unix:{address.host}")
    return f"[{address.host}]:{address.port}" if address.family == "IPv6" else f"{address.host}:{address.port}"


def _tlsJSON(tls: ProxyTLS) -> dict[str, object]:
    texts = {name: getattr(tls, name) for name in _TLS_TEXTS.values()}
    return {
        "verified": tls.isVerified,
        "verify": tls.verify,
        "certificate": tls.hasCertificate,
        **{name: None if text is None else printable(text) for name, text in texts.items()},
    }
