"""What the key usage of a certificate allows (RFC 5280, section 4.2.1.3)."""

from __future__ import annotations

from cryptography import x509

from tlscomm.x509._roles import Role

__all__ = ["handshakeUsageProblem"]


def handshakeUsageProblem(usage: x509.KeyUsage | None, role: Role) -> str:
    """Return how a key usage keeps a key from a handshake, as a phrase; nothing where it does not.

    Args:
        usage: that of the certificate, or None where it has none, which allows everything.
        role: the side that presents the certificate. A server may also decrypt with an RSA key in TLS 1.2 (RFC 5246,
            section 7.4.2).
    """
    if usage is None or usage.digital_signature or usage.key_agreement:
        return ""
    if role == "server" and usage.key_encipherment:
        return ""
    return "its key usage does not allow a signature in a handshake"
