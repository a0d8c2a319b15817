"""Single extensions of certificates, for reading that is no verification."""

from __future__ import annotations

from typing import TypeVar

from cryptography import x509

from tlscomm.x509._unreadable import REJECTIONS

__all__ = ["readExtension"]

T = TypeVar("T", bound=x509.ExtensionType)


def readExtension(certificate: x509.Certificate, kind: type[T]) -> T | None:
    """Return the value of an extension, or None where there is none, or none that can be read."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, *REJECTIONS):
        return None
