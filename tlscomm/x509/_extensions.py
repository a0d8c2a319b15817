"""Single extensions of certificates, for reading that is no verification."""

from __future__ import annotations

import warnings
from typing import TypeVar

from cryptography import x509

from tlscomm.x509._readablenames import withReadableNames
from tlscomm.x509._unreadable import REJECTIONS

__all__ = ["extensionsOf", "readExtension"]

T = TypeVar("T", bound=x509.ExtensionType)


def extensionsOf(certificate: x509.Certificate) -> x509.Extensions:
    """Return the extensions of a certificate.

    `cryptography` reads none of them where one alternative name cannot be read. OpenSSL passes over a name that is an
    address of another length, or of a kind that it does not know, and goes by the others, and so it is here: each of
    them is an `UnreadableName`.

    Raises:
        ValueError: they cannot be read, or what else is in `REJECTIONS`.
    """
    try:
        return certificate.extensions
    except (ValueError, x509.UnsupportedGeneralNameType):
        # Warnings about the rest of the certificate have been given.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            readable = withReadableNames(certificate)
        if readable is None:
            raise
        return readable


def readExtension(certificate: x509.Certificate, kind: type[T]) -> T | None:
    """Return the value of an extension, or None where there is none, or none that can be read."""
    try:
        return extensionsOf(certificate).get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, *REJECTIONS):
        return None
