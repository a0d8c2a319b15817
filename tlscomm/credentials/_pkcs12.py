"""Credentials in PKCS#12, which Windows calls PFX (RFC 7292).

`cryptography` loads them, and three things are missing there. It answers a wrong pass phrase, a missing one, a damaged
file and one of another kind with two texts; it gives the first of several keys; and it does whatever work the file asks
for, also where that is hidden in what is encrypted. So the walk over the structure is made here, and `cryptography`
opens what it comes to, once the cost is known. The integrity check tells a wrong pass phrase from everything else, and
after it whatever is wrong is the file's fault. Only that a part has another pass phrase than the whole cannot be told
in advance: Java's programs give the private key one of its own, so the others are tried on what the first does not
open.

    PFX
      integrity check (MAC) over all of the following
      safes, each in the clear or encrypted as a whole
        bags: a certificate, a private key in the clear or encrypted, more bags; revocation lists and other secrets
              are passed over
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import field
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from tlscomm._dataclasses import dataclass
from tlscomm.credentials._contents import CONVERT_PFX, Contents, Reading, certificatesOf, named, placeOf
from tlscomm.credentials._cost import Unsupported
from tlscomm.credentials._encryption import encryptionOf
from tlscomm.credentials._integrity import isIntact
from tlscomm.credentials._keys import decryptedKey, loadedKey
from tlscomm.credentials._oldencryption import OldEncryption
from tlscomm.credentials._ordering import fits
from tlscomm.credentials._passphrase import NotOpened, Secret, Spelling, WrongPassphrase, spellings
from tlscomm.credentials._sources import Source
from tlscomm.failures import Damaged, PassphraseRequired, TLSFailure
from tlscomm.x509 import _der
from tlscomm.x509._der import CONTEXT_0, INTEGER, OBJECT_IDENTIFIER, SEQUENCE, SET, Element

__all__ = ["readPKCS12"]

_VERSION = 3

_DATA = "1.2.840.113549.1.7.1"
_SIGNED_DATA = "1.2.840.113549.1.7.2"
_ENVELOPED_DATA = "1.2.840.113549.1.7.3"
_ENCRYPTED_DATA = "1.2.840.113549.1.7.6"

_KEY_BAG = "1.2.840.113549.1.12.10.1.1"
_SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2"
_CERTIFICATE_BAG = "1.2.840.113549.1.12.10.1.3"
_BAG_OF_BAGS = "1.2.840.113549.1.12.10.1.6"

_X509_CERTIFICATE = "1.2.840.113549.1.9.22.1"
_FRIENDLY_NAME = "1.2.840.113549.1.9.20"
_LOCAL_KEY_ID = "1.2.840.113549.1.9.21"

_LONGEST_NAME = 1000

_TAKE_APART = (
    "A certificate or a key in it may be broken, and in this encryption it is not seen which. Take the file apart, and "
    "name what comes out: openssl pkcs12 -legacy -in FILE -nodes -out NEW.pem."
)
_GIVE_BOTH = (
    "Give both pass phrases: --passphrase-file, -env and -fd may be given several times, in any order. Or give the key "
    "that of the file: keytool -importkeystore asks for both."
)

T = TypeVar("T")


@dataclass(frozen=True)
class _Attributes:
    """What a bag says of what is in it.

    Attributes:
        name: its friendly name.
        localKeyID: what a certificate and its key have in common.
        isPartial: whether the identifier is not known, because the library does not tell it.
    """

    name: str | None = None
    localKeyID: bytes | None = None
    isPartial: bool = False


@dataclass(repr=False)
class _Found:
    """What was in the bags so far."""

    certificates: list[tuple[x509.Certificate, _Attributes]] = field(default_factory=list)
    keys: list[tuple[PrivateKeyTypes, _Attributes]] = field(default_factory=list)
    places: dict[x509.Certificate, str] = field(default_factory=dict)
    holdsKey: bool = False


def readPKCS12(source: Source, reading: Reading) -> Contents:
    """Read the certificates and the private keys of a PFX.

    Bytes after its end are passed over: mail programs and editors add line ends.

    Raises:
        Damaged: it is cut off or broken.
        UnknownFormat: a key or an encryption is of a kind that is not supported, or costs too much.
        PassphraseRequired, PassphraseWrong: no pass phrase opens it.
    """
    what = f"the PFX in {source.name}"
    with named(what, CONVERT_PFX):
        pfx = _PFX(_der.first(source.content), source, reading)
        for secret in reading.passphrase.candidates(source.name) if pfx.needsPassphrase else (Secret(b""),):
            for spelling in spellings(secret):
                with suppress(WrongPassphrase), reading.attempt():
                    return _contents(pfx.opened(spelling))
    raise reading.passphrase.refusal(source.name)


class _PFX:
    """A PFX whose outer structure has been read."""

    def __init__(self, outer: Element, source: Source, reading: Reading) -> None:
        version, authSafe, *rest = outer.parts(INTEGER, SEQUENCE)
        if version.integer() != _VERSION:
            raise Unsupported(f"its version is {version.integer()}; there is only {_VERSION}")
        self._source = source
        self._what = f"the PFX in {source.name}"
        self._reading = reading
        self._known: list[Spelling] = []
        self._content = _content(authSafe)
        self._safes = _der.first(self._content).parts()
        self._check = rest[0] if rest else None

    @property
    def needsPassphrase(self) -> bool:
        """Whether anything is encrypted or has to be checked.

        Raises:
            Unsupported: something is encrypted in a way that no pass phrase opens here.
        """
        # All are looked at, so that what cannot be opened is said before a person is asked.
        encrypted = [self._isEncrypted(safe) for safe in self._safes]
        return self._check is not None or any(encrypted)

    def opened(self, spelling: Spelling) -> _Found:
        """Check the integrity and open everything.

        Raises:
            WrongPassphrase: the pass phrase does not open it, in this spelling.
        """
        if self._check is not None and not isIntact(self._check, self._content, spelling, self._reading.work):
            raise WrongPassphrase
        self._known = [] if self._check is None else [spelling]
        found = _Found()
        for safe in self._safes:
            self._openSafe(safe, spelling, found)
        return found

    def _unlocked(self, open_: Callable[[Spelling], T], spelling: Spelling, part: str) -> T:
        """Open something that is encrypted: with the pass phrase of the whole, or with another one of those given.

        Raises:
            WrongPassphrase: the pass phrase does not open it, and it is not known yet whether it opens anything.
            PassphraseRequired, PassphraseWrong: it has another pass phrase than the rest.
        """
        isWhole = True
        for candidate in self._spellings(spelling, part):
            try:
                with self._reading.attempt():
                    opened = open_(candidate)
            except NotOpened:
                isWhole = isWhole and candidate not in self._known
            except WrongPassphrase:
                pass
            else:
                if candidate not in self._known:
                    self._known.append(candidate)
                return opened
        if not self._known:
            raise WrongPassphrase
        if not isWhole:
            raise Damaged(
                f"{self._what}: what is encrypted cannot be read, although the pass phrase is right", remedy=_TAKE_APART
            )
        raise self._otherPassphrase(part)

    def _spellings(self, spelling: Spelling, part: str) -> Iterator[Spelling]:
        if not self._known:
            yield spelling
            return
        known = tuple(self._known)
        yield from known
        for secret in self._reading.passphrase.candidates(f"the {part} in {self._source.name}"):
            yield from (other for other in spellings(secret) if other not in known)

    def _otherPassphrase(self, part: str) -> TLSFailure:
        refusal = self._reading.passphrase.refusal(self._source.name)
        # The file itself is open; what opened it is no pass phrase where none was given.
        opened = (
            "" if isinstance(refusal, PassphraseRequired) else "; the one that was given opens the rest of the file"
        )
        return type(refusal)(
            f"the {part} in {self._source.name} has a pass phrase of its own{opened}", remedy=_GIVE_BOTH
        )

    def _isEncrypted(self, safe: Element) -> bool:
        if _kindOf(safe) != _DATA:
            encryptionOf(_encryptedContent(safe)[0])
            return True
        isEncrypted = False
        for bag in _der.first(_content(safe)).parts():
            kind, wrapped, *_ = bag.parts(OBJECT_IDENTIFIER, CONTEXT_0)
            identifier = kind.identifier()
            if identifier == _SHROUDED_KEY_BAG and self._reading.wantKeys:
                encryptionOf(wrapped.wrapped().wrapped())
            # What lies deeper asks for its pass phrase by failing without one.
            isEncrypted |= identifier in (_SHROUDED_KEY_BAG, _BAG_OF_BAGS)
        return isEncrypted

    def _openSafe(self, safe: Element, spelling: Spelling, found: _Found) -> None:
        if _kindOf(safe) == _DATA:
            self._openBags(_der.first(_content(safe)), spelling, found)
            return
        algorithm, ciphertext = _encryptedContent(safe)
        encryption, work = encryptionOf(algorithm), self._reading.work
        if isinstance(encryption, OldEncryption):
            opened = self._unlocked(
                lambda other: encryption.certificates(ciphertext, other, work), spelling, "part with the certificates"
            )
            for held in opened:
                self._reading.countPart()
                found.places[held.certificate] = placeOf(self._reading.countCertificate(), self._source)
                name = (held.friendly_name or b"").decode("utf-8", "replace")[:_LONGEST_NAME]
                found.certificates.append((held.certificate, _Attributes(name or None, isPartial=True)))
        else:
            plain = self._unlocked(
                lambda other: encryption.opened(other, ciphertext, work), spelling, "part with the certificates"
            )
            self._openBags(_der.first(plain.value), spelling, found)

    def _openBags(self, bags: Element, spelling: Spelling, found: _Found) -> None:
        for bag in bags.parts():
            self._reading.countPart()
            kind, wrapped, *attributes = bag.parts(OBJECT_IDENTIFIER, CONTEXT_0)
            identifier, value = kind.identifier(), wrapped.wrapped()
            if identifier == _CERTIFICATE_BAG:
                self._openCertificate(value, _attributes(attributes), found)
            elif identifier in (_KEY_BAG, _SHROUDED_KEY_BAG):
                self._openKey(value, identifier == _SHROUDED_KEY_BAG, spelling, _attributes(attributes), found)
            elif identifier == _BAG_OF_BAGS:
                self._openBags(value, spelling, found)

    def _openCertificate(self, bag: Element, attributes: _Attributes, found: _Found) -> None:
        kind, wrapped, *_ = bag.parts(OBJECT_IDENTIFIER, CONTEXT_0)
        if kind.identifier() == _X509_CERTIFICATE:
            loaded = certificatesOf((wrapped.wrapped().octets(),), self._source, self._reading)
            found.certificates.extend((certificate, attributes) for certificate in loaded.certificates)
            found.places.update(loaded.places)

    def _openKey(
        self, bag: Element, isEncrypted: bool, spelling: Spelling, attributes: _Attributes, found: _Found
    ) -> None:
        found.holdsKey = True
        if not self._reading.wantKeys:
            return
        if isEncrypted:
            key = self._unlocked(
                lambda other: decryptedKey(bag, other, self._what, self._reading), spelling, "private key"
            )
        else:
            key = loadedKey(Secret(bag.encoded), self._what, self._reading)
        found.keys.append((key, attributes))


def _kindOf(contentInfo: Element) -> str:
    return contentInfo.parts(OBJECT_IDENTIFIER)[0].identifier()


def _content(contentInfo: Element) -> bytes:
    """Return what a ContentInfo of plain data holds (RFC 2315, section 7)."""
    kind, content, *_ = contentInfo.parts(OBJECT_IDENTIFIER, CONTEXT_0)
    if (identifier := kind.identifier()) != _DATA:
        raise Unsupported(_notSupported(identifier))
    return content.wrapped().octets()


def _encryptedContent(contentInfo: Element) -> tuple[Element, bytes]:
    """Return how encrypted data is encrypted, and the ciphertext (RFC 2315, section 13)."""
    if (kind := _kindOf(contentInfo)) != _ENCRYPTED_DATA:
        raise Unsupported(_notSupported(kind))
    _, content, *_ = contentInfo.parts(OBJECT_IDENTIFIER, CONTEXT_0)
    _, info, *_ = content.wrapped().parts(INTEGER, SEQUENCE)
    _, algorithm, *encrypted = info.parts(OBJECT_IDENTIFIER, SEQUENCE)
    return algorithm, encrypted[0].octets() if encrypted else b""


def _notSupported(kind: str) -> str:
    if kind in (_SIGNED_DATA, _ENVELOPED_DATA):
        return "it is protected by a public key and not by a pass phrase, which is not supported"
    return f"it has content of a kind that is not supported ({kind})"


def _attributes(found: list[Element]) -> _Attributes:
    name, localKeyID = None, None
    for attribute in found[0].parts() if found and found[0].tag == SET else ():
        kind, values, *_ = attribute.parts(OBJECT_IDENTIFIER, SET)
        identifier, held = kind.identifier(), values.parts()
        if identifier == _FRIENDLY_NAME and held:
            name = held[0].value[:_LONGEST_NAME].decode("utf-16-be", "replace")
        elif identifier == _LOCAL_KEY_ID and held:
            localKeyID = held[0].value
    return _Attributes(name, localKeyID)


def _contents(found: _Found) -> Contents:
    called = [(held, its.name or _nameOfKey(held, its, found)) for held, its in found.certificates]
    return Contents(
        certificates=tuple(certificate for certificate, _ in found.certificates),
        keys=tuple(key for key, _ in found.keys),
        friendlyNames={certificate: name for certificate, name in called if name},
        holdsKey=found.holdsKey,
        places=found.places,
    )


def _nameOfKey(certificate: x509.Certificate, its: _Attributes, found: _Found) -> str | None:
    """Return the name of a certificate's key: some programs name the certificate, others the key."""
    named = ((key, attributes) for key, attributes in found.keys if attributes.name)
    if its.isPartial:
        return next((attributes.name for key, attributes in named if fits(certificate, key)), None)
    return next((attributes.name for _, attributes in named if attributes.localKeyID == its.localKeyID), None)
