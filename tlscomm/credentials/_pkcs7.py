"""Certificates and revocation lists in PKCS#7, which Windows calls P7B (RFC 2315, and RFC 5652 which followed it).

A P7B is a signed message without a message and without signatures, so a signed message is read just as well. How many
certificates there are is counted before they are loaded.
"""

from __future__ import annotations

from tlscomm.credentials._contents import Contents, Reading, certificatesOf, listOf, named
from tlscomm.credentials._cost import Unsupported
from tlscomm.credentials._sources import Source
from tlscomm.x509 import _der
from tlscomm.x509._der import CONTEXT_0, CONTEXT_1, INTEGER, OBJECT_IDENTIFIER, SEQUENCE, SET

__all__ = ["readPKCS7"]

_SIGNED_DATA = "1.2.840.113549.1.7.2"
_OTHERS = {
    "1.2.840.113549.1.7.1": "plain data",
    "1.2.840.113549.1.7.3": "an encrypted message",
    "1.2.840.113549.1.7.4": "an encrypted message",
    "1.2.840.113549.1.7.5": "data with a digest",
    "1.2.840.113549.1.7.6": "encrypted data",
}


def readPKCS7(source: Source, reading: Reading) -> Contents:
    """Read the certificates of a P7B, or its revocation lists. There is never a private key in one.

    Raises:
        Damaged: it is cut off or broken.
        UnknownFormat: it is a message of another kind, or holds too many certificates.
    """
    what = f"the P7B in {source.name}"
    with named(what):
        kind, content, *_ = _der.first(source.content).parts(OBJECT_IDENTIFIER, CONTEXT_0)
        if (identifier := kind.identifier()) != _SIGNED_DATA:
            raise Unsupported(f"it holds {_OTHERS.get(identifier, identifier)}, and no certificates")
        signed = content.parts(SEQUENCE)[0]
        parts = signed.parts(INTEGER, SET, SEQUENCE)
        wanted = CONTEXT_1 if reading.wantLists else CONTEXT_0
        # Entries with other tags are attribute certificates, and other ways to tell of revocation (RFC 5652, section
        # 10.2).
        held = [
            entry.encoded for part in parts[3:] if part.tag == wanted for entry in part.parts() if entry.tag == SEQUENCE
        ]
        if reading.wantLists:
            return Contents(lists=tuple(listOf(entry, source, reading) for entry in held))
        return certificatesOf(held, source, reading)
