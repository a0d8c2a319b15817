"""What to do where a side has left or refused and does not say why: where in the handshake it did so says something."""

from __future__ import annotations

__all__ = ["CLIENT_LEFT", "SERVER_LEFT", "SERVER_REFUSED", "SERVER_SAID_NOTHING", "STRANGER_LEFT"]

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
