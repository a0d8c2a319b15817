"""Whether a certificate is valid at a time (RFC 5280, section 4.1.2.5)."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509

from tlscomm.failures._wording import timeText

__all__ = ["isValidAt", "validityOf", "validityText"]


def validityOf(certificate: x509.Certificate) -> tuple[datetime, datetime] | None:
    """Return from when to when a certificate is valid, both in UTC; None where that cannot be read.

    Devices write the year 0 for "always", which Python's calendar does not have.
    """
    try:
        return certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except (ValueError, OverflowError):
        return None


def isValidAt(certificate: x509.Certificate, at: datetime) -> bool:
    """Return whether a certificate is valid at a time; not where its dates cannot be read.

    Certificates know whole seconds, and the last one belongs to the validity (RFC 5280, section 4.1.2.5).
    """
    dates = validityOf(certificate)
    return dates is not None and dates[0] <= at.replace(microsecond=0) <= dates[1]


def validityText(code: str, certificate: x509.Certificate) -> str:
    """Return the phrase for a certificate out of its time.

    Args:
        code: the failure's, ``expired`` or ``not-yet-valid``.
        certificate: which one.
    """
    if code == "expired":
        return f"its validity ended at {timeText(certificate.not_valid_after_utc)}"
    return f"its validity begins at {timeText(certificate.not_valid_before_utc)}"
