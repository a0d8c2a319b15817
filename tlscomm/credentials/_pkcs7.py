"""Certificates in PKCS#7, which Windows calls P7B (RFC 2315, and RFC 5652 which followed it).

A P7B is a signed message without a message and without signatures, so a signed message is read just as well. How many
certificates there are is counted before they are loaded.
"""

from __future__ import annotations

from tlscomm.credentials._contents import Contents, Reading, certificateOf, named
from tlscomm.credentials._cost import Unsupported
from tlscomm.credentials._sources import Source
from tlscomm.x509 import _der
from tlscomm.x509._der import CONTEXT_0, INTEGER, OBJECT_IDENTIFIER, SEQUENCE, SET

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
    """Read the certificates of a P7B. There is never a private key in one.

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
        held = (entry for part in parts[3:] if part.tag == CONTEXT_0 for entry in part.parts())
        # Entries with other tags are attribute certificates (RFC 5652, section 10.2.2).
        certificates = [certificateOf(entry.encoded, what, reading) for entry in held if entry.tag == SEQUENCE]
        return Contents(certificates=tuple(certificates))
