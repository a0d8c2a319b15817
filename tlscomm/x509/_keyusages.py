"""What the key usage of a certificate allows (RFC 5280, section 4.2.1.3)."""

from __future__ import annotations

from cryptography import x509

__all__ = ["handshakeUsageProblem"]


def handshakeUsageProblem(usage: x509.KeyUsage | None) -> str:
    """Return how a key usage keeps a key from a handshake, as a phrase; nothing where it does not.

    Either side signs in every handshake: with TLS 1.3 always (RFC 8446, section 4.4.2.2), and with all cipher suites of
    TLS 1.2 that are spoken here, whose keys are exchanged by ECDHE (RFC 5246, section 7.4.2, and RFC 8422, section 3).

    Args:
        usage: that of the certificate, or None where it has none, which allows everything.
    """
    if usage is None or usage.digital_signature:
        return ""
    return "its key usage does not allow signatures (digitalSignature), and a handshake is signed"
