"""Whether a certificate is valid at a time (RFC 5280, section 4.1.2.5)."""

from __future__ import annotations

from cryptography import x509

from tlscomm.failures._wording import timeText

__all__ = ["validityText"]


def validityText(code: str, certificate: x509.Certificate) -> str:
    """Return the phrase for a certificate out of its time.

    Args:
        code: the failure's, ``expired`` or ``not-yet-valid``.
        certificate: which one.
    """
    if code == "expired":
        return f"its validity ended at {timeText(certificate.not_valid_after_utc)}"
    return f"its validity begins at {timeText(certificate.not_valid_before_utc)}"
