"""What to do where where in the handshake a side has left says something, or what it speaks in the place of TLS."""

from __future__ import annotations

from tlscomm._wire.openings import Protocol

__all__ = [
    "CLIENT_LEFT",
    "SERVER_LEFT",
    "SERVER_REFUSED",
    "SERVER_SAID_NOTHING",
    "STRANGER_LEFT",
    "UNEXPECTED_HEADER",
    "plainRemedy",
]

SERVER_SAID_NOTHING = (
    "Look in the server's log. It may have no version of TLS or no cipher suite in common with us, let no connection "
    "from here in, be overloaded or have been stopped; or what listens there does not speak TLS."
)
SERVER_LEFT = (
    "Look in the server's log. It may be overloaded or have been stopped, or a proxy or a firewall between may have "
    "closed the connection."
)
SERVER_REFUSED = (
    "Look in the server's log, which knows the reason. The likeliest: it does not trust the issuer of our certificate, "
    "has the certificate on a revocation list, or does not let its holder in."
)
STRANGER_LEFT = (
    "It left before it had seen our certificate. A port scanner or a health check does this, and means no harm; of a "
    "client that should have stayed the log says more."
)
CLIENT_LEFT = (
    "Look in the client's log. It most likely does not accept our certificate: check that it trusts its issuer, and "
    "that the certificate is for the name that the client uses."
)
UNEXPECTED_HEADER = (
    "The client, or a proxy before it, sends a PROXY header, which the server may not expect: have the server expect "
    "it from this address (--proxy-from with tlscomm), or the header left out."
)

#: By what a client, and a server, speaks in the place of TLS.
_OF_CLIENTS: dict[Protocol, str] = {
    "HTTP": "Use https: in the place of http: in the client's address, or give it the server's port for plain HTTP.",
    "PROXY": UNEXPECTED_HEADER,
}
_OF_SERVERS: dict[Protocol, str] = {
    "HTTP": "Give the client the port where the server speaks TLS, or have the server speak TLS on this one.",
    "SMTP or FTP": (
        "Have the client begin in plain text and change to TLS by STARTTLS or AUTH TLS, or give it the port where TLS "
        "is spoken from the first byte on."
    ),
}


def plainRemedy(protocol: Protocol, *, isClients: bool) -> str:
    """Return what to do about a side that speaks another protocol; nothing where there is no more to say than of all.

    Args:
        protocol: which one.
        isClients: whether it is the client that speaks it.
    """
    return (_OF_CLIENTS if isClients else _OF_SERVERS).get(protocol, "")
