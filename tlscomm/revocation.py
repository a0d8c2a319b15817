"""Lists of revoked certificates, from the files that authorities publish.

A list is loaded here and applied by OpenSSL in the handshake: to every certificate of a chain, its dates and its
signature included. Whoever names a list wants to know of every certificate whether it was revoked, so one that no valid
list covers is refused too (``revocation-unknown``).
"""

from __future__ import annotations

import re

from cryptography import x509

from tlscomm._material import REJECTIONS, SourceLike, readSource
from tlscomm.failures import Damaged, UnknownFormat

__all__ = ["loadRevocationLists"]

_PEM = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)


def loadRevocationLists(source: SourceLike) -> tuple[x509.CertificateRevocationList, ...]:
    """Load the revocation lists of a file, PEM (any number) or DER (one).

    Args:
        source: a path, or the content as bytes.

    Raises:
        FileNotFound, Unreadable: the file cannot be read.
        UnknownFormat: it holds no revocation list.
        Damaged: it holds one that is broken.
    """
    found = readSource(source)
    content = found.content
    blocks = _PEM.findall(content)
    if not blocks and not content.startswith(b"\x30"):
        raise UnknownFormat(f"{found.name} holds no revocation list, neither PEM nor DER")
    try:
        if blocks:
            return tuple(x509.load_pem_x509_crl(block) for block in blocks)
        return (x509.load_der_x509_crl(content),)
    except REJECTIONS:
        raise Damaged(f"{found.name} holds no revocation list that can be read") from None
