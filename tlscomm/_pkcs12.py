"""Credentials in PKCS#12, which Windows calls PFX (RFC 7292).

`cryptography` answers a wrong pass phrase and a missing one with one text, and damaged files and files of another kind
with another. So the outermost structure is looked at first: what is not whole is damaged, and what encrypts nothing and
has no integrity check cannot need a pass phrase. A bit that changed inside of what is encrypted remains a wrong pass
phrase, for by design nobody can tell.
"""

from __future__ import annotations

from dataclasses import replace

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import pkcs12

from tlscomm import _der
from tlscomm._material import REJECTIONS, Contents, Passphrase, Secret, Source
from tlscomm.failures import Damaged, UnknownFormat, printable

__all__ = ["isPKCS12", "readPKCS12"]

#: The version, 3, and the start of the sequence after it.
_BEGINNING = bytes((_der.INTEGER, 1, 3, _der.SEQUENCE))

#: What is found in a PFX that encrypts something: the type encryptedData (RFC 2315, section 13) or a shrouded key bag
#: (RFC 7292, section 4.2.2), each as an encoded object identifier.
_ENCRYPTED = (bytes.fromhex("06092a864886f70d010706"), bytes.fromhex("060b2a864886f70d010c0a0102"))


def isPKCS12(content: bytes) -> bool:
    return content[:1] == bytes((_der.SEQUENCE,)) and content.startswith(_BEGINNING, _der.valueOffset(content))


def readPKCS12(source: Source, passphrase: Passphrase, wantKeys: bool) -> Contents:
    """Read the certificates and the private key of a PFX, in any encryption that `cryptography` decrypts.

    Bytes after its end are passed over: mail programs and editors add line ends.

    Raises:
        Damaged: it is cut off or broken.
        UnknownFormat: its key is of a kind that is not supported.
        PassphraseRequired, PassphraseWrong: it is encrypted.
    """
    outer = _der.element(source.content)
    if outer is None or not _der.isWhole(source.content) or not _isSafeWhole(source.content, outer):
        raise Damaged(f"the PFX {source.name} is cut off or its structure is broken")
    source = replace(source, content=source.content[: outer.end])
    needsPassphrase = _needsPassphrase(source.content, outer)
    for secret in passphrase.candidates(source.name) if needsPassphrase else (Secret(b""),):
        opened = _opened(source, secret)
        if opened is not None:
            return _contents(opened, wantKeys)
    raise passphrase.refusal(source.name) if needsPassphrase else Damaged(f"the PFX {source.name}")


def _opened(source: Source, secret: Secret) -> pkcs12.PKCS12KeyAndCertificates | None:
    if not _isPossible(secret):
        return None
    try:
        return pkcs12.load_pkcs12(source.content, secret.value)
    except UnsupportedAlgorithm as error:
        # Only what was decrypted can be of the wrong kind.
        raise UnknownFormat(
            f"the private key in {source.name} is of a kind that is not supported", evidence=(printable(str(error)),)
        ) from None
    except REJECTIONS:
        return None


def _isPossible(secret: Secret) -> bool:
    # A pass phrase is text that ends in a NUL (RFC 7292, appendix B.1). With a NUL inside, cryptography 50 panics, and
    # the text of the panic holds the pass phrase.
    try:
        return "\0" not in secret.value.decode()
    except UnicodeDecodeError:
        return False


def _contents(opened: pkcs12.PKCS12KeyAndCertificates, wantKeys: bool) -> Contents:
    # Without a key all certificates are among the additional ones.
    held = [entry for entry in (opened.cert, *opened.additional_certs) if entry is not None]
    names = [entry.friendly_name for entry in held if entry.friendly_name]
    return Contents(
        certificates=tuple(entry.certificate for entry in held),
        keys=(opened.key,) if wantKeys and opened.key is not None else (),
        friendlyName=names[0].decode(errors="replace") if names else None,
        holdsKey=opened.key is not None,
    )


def _isSafeWhole(content: bytes, outer: _der.Element) -> bool:
    # PFX ::= SEQUENCE { version, authSafe SEQUENCE { type, [0] { OCTET STRING } }, macData } (RFC 7292, section 4).
    current = outer
    for tag, index in ((_der.SEQUENCE, 1), (0xA0, 1), (_der.OCTET_STRING, 0)):
        if current.isIndefinite:
            return True
        parts = _der.children(content, current) or ()
        if len(parts) <= index or parts[index].tag not in (tag, tag | 0x20):
            return False
        current = parts[index]
    # BER may cut the octet string into pieces.
    return current.isConstructed or _der.isWhole(current.valueIn(content))


def _needsPassphrase(content: bytes, outer: _der.Element) -> bool:
    parts = () if outer.isIndefinite else _der.children(content, outer) or ()
    hasIntegrityCheck = len(parts) != 2
    return hasIntegrityCheck or any(mark in content for mark in _ENCRYPTED)
