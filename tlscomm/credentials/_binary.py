"""Everything in ASN.1, bare or out of an armour: told apart by content, and each read by what can read it."""

from __future__ import annotations

from dataclasses import replace

from tlscomm.credentials._contents import Contents, Reader, Reading, certificateOf, named
from tlscomm.credentials._keys import readEncryptedKey, readKey
from tlscomm.credentials._pkcs7 import readPKCS7
from tlscomm.credentials._pkcs12 import readPKCS12
from tlscomm.credentials._sources import Source
from tlscomm.credentials._structure import Structure, structureOf
from tlscomm.credentials._unsupportedformats import structureCalled
from tlscomm.x509 import _der

__all__ = ["READERS", "isBinary", "readBinary"]


def _readCertificate(source: Source, reading: Reading) -> Contents:
    what = f"the certificate in {source.name}"
    with named(what):
        return Contents(certificates=(certificateOf(source.content, what, reading),))


READERS: dict[Structure, Reader] = {
    Structure.PKCS12: readPKCS12,
    Structure.CERTIFICATE: _readCertificate,
    Structure.PKCS7: readPKCS7,
    Structure.KEY: readKey,
    Structure.ENCRYPTED_KEY: readEncryptedKey,
}
"""What reads each structure that is a credential or a part of one."""


def isBinary(content: bytes) -> bool:
    """Whether content begins with a structure that is known, be it a credential or not."""
    return structureOf(content) is not None


def readBinary(source: Source, reading: Reading) -> Contents:
    """Read one structure, or several that follow one another, as ``cat`` makes them.

    What follows and is no part of a credential is passed over: editors add line ends, and OpenSSL notes whom to trust.

    Raises:
        UnknownFormat: it is something else, which is named.
        TLSFailure: the structure's reader refuses it.
    """
    contents, offset = Contents(), 0
    while (structure := structureOf(source.content, offset)) in READERS:
        with named(source.name):
            reading.countPart()
        end = _end(source.content, offset)
        contents += READERS[structure](replace(source, content=source.content[offset:end]), reading)
        offset = end
    if structure is not None and not offset and (foreign := structureCalled(structure)) is not None:
        raise foreign.refusal(source.name)
    return contents


def _end(content: bytes, offset: int) -> int:
    try:
        return _der.first(content, offset).following
    except _der.Malformed:
        # Whoever reads it says so.
        return len(content)
