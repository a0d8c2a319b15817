"""Everything in ASN.1, bare or out of an armour: told apart by content, and each read by what can read it."""

from __future__ import annotations

import re
from dataclasses import replace

from tlscomm.credentials._contents import Contents, Reader, Reading, certificatesOf, listOf, named
from tlscomm.credentials._keys import readEncryptedKey, readKey
from tlscomm.credentials._pkcs7 import readPKCS7
from tlscomm.credentials._pkcs12 import readPKCS12
from tlscomm.credentials._sources import Source
from tlscomm.credentials._structure import Structure, structureOf
from tlscomm.credentials._unsupportedformats import structureCalled
from tlscomm.x509 import _der

__all__ = ["READERS", "isBinary", "readBeginning", "readBinary", "readersFor"]


def _readCertificate(source: Source, reading: Reading) -> Contents:
    with named(source.name):
        return certificatesOf((source.content,), source, reading)


def _readList(source: Source, reading: Reading) -> Contents:
    with named(source.name):
        return Contents(lists=(listOf(source.content, source, reading),))


READERS: dict[Structure, Reader] = {
    Structure.PKCS12: readPKCS12,
    Structure.CERTIFICATE: _readCertificate,
    Structure.PKCS7: readPKCS7,
    Structure.KEY: readKey,
    Structure.ENCRYPTED_KEY: readEncryptedKey,
}
"""What reads each structure that is a credential or a part of one."""

LIST_READERS: dict[Structure, Reader] = {Structure.REVOCATION_LIST: _readList, Structure.PKCS7: readPKCS7}
"""The same for revocation lists, where these are wanted."""

#: What may stand between two structures: editors add line ends, and programs in C the end of a text.
_BETWEEN = re.compile(rb"[\s\0]*")


def readersFor(reading: Reading) -> dict[Structure, Reader]:
    return LIST_READERS if reading.wantLists else READERS


def isBinary(content: bytes) -> bool:
    """Whether content begins with a structure that is known, be it a credential or not."""
    return structureOf(content, _afterSpace(content, 0)) is not None


def readBinary(source: Source, reading: Reading) -> Contents:
    """Read one structure, or several that follow one another, as ``cat`` makes them.

    What follows and is no part of a credential is passed over: editors add line ends, and OpenSSL notes whom to trust.

    Raises:
        UnknownFormat: it is something else, which is named.
        TLSFailure: the structure's reader refuses it.
    """
    return readBeginning(source, reading)[0]


def readBeginning(source: Source, reading: Reading) -> tuple[Contents, int]:
    """Do as `readBinary`, and return also where what is read ends."""
    contents, readers, foreign = Contents(), readersFor(reading), list[Structure]()
    end, offset = 0, _afterSpace(source.content, 0)
    while (structure := structureOf(source.content, offset)) is not None:
        with named(source.name):
            reading.countPart()
        end = _end(source.content, offset)
        if structure in readers:
            place = source.place if source.place or not offset else f"byte {offset}"
            part = replace(source, content=source.content[offset:end], place=place)
            contents += readers[structure](part, reading)
        else:
            foreign.append(structure)
        offset = _afterSpace(source.content, end)
    called = structureCalled(foreign[0]) if foreign else None
    if called is not None and contents == Contents() and not reading.unreadable:
        raise called.refusal(source.name)
    return contents, end


def _afterSpace(content: bytes, offset: int) -> int:
    found = _BETWEEN.match(content, offset)
    return offset if found is None else found.end()


def _end(content: bytes, offset: int) -> int:
    try:
        return _der.first(content, offset).following
    except _der.Malformed:
        # The reader of the DER says so.
        return len(content)
