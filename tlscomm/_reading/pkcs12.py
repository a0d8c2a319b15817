"""Credentials in PKCS#12, which Windows calls PFX (RFC 7292).

`cryptography` loads them, and three things are missing there. It answers a wrong pass phrase, a missing one, a damaged
file and one of another kind with two texts; it gives the first of several keys; and it does whatever work the file asks
for, also where that is hidden in what is encrypted. So a PFX is taken apart here, as its standard has it: the integrity
check tells a wrong pass phrase from everything else, and after it whatever is wrong is the file's fault.

    PFX
      integrity check (MAC) over all of the following
      safes, each in the clear or encrypted as a whole
        bags: a certificate, a private key in the clear or encrypted, more bags; revocation lists and other secrets
              are passed over
"""

from __future__ import annotations

import hmac
from contextlib import suppress
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hmac import HMAC

from tlscomm import _der
from tlscomm._der import CONTEXT_0, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, Element, Malformed
from tlscomm._reading import kdf, pbe
from tlscomm._reading.kdf import Spelling, Unsupported
from tlscomm._reading.keys import decryptedKey, loadedKey
from tlscomm._reading.material import Contents, Reading, certificateOf, named
from tlscomm._reading.passphrase import Secret
from tlscomm._reading.sources import Source

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

#: RFC 9579.
_PBMAC1 = "1.2.840.113549.1.5.14"

_LONGEST_NAME = 1000


class _WrongPassphrase(Exception):
    """What is encrypted does not open."""


@dataclass(frozen=True)
class _Attributes:
    """What a bag says of what is in it."""

    name: str | None = None
    localKeyID: bytes | None = None


@dataclass(repr=False)
class _Found:
    """What was in the bags so far."""

    certificates: list[tuple[x509.Certificate, _Attributes]] = field(default_factory=list)
    keys: list[tuple[PrivateKeyTypes, _Attributes]] = field(default_factory=list)
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
    with named(what):
        pfx = _PFX(_der.first(source.content), what, reading)
        for secret in reading.passphrase.candidates(source.name) if pfx.needsPassphrase else (Secret(b""),):
            for spelling in kdf.spellings(secret):
                with suppress(_WrongPassphrase), reading.attempt():
                    return _contents(pfx.opened(spelling))
    raise reading.passphrase.refusal(source.name)


class _PFX:
    """A PFX whose outer structure has been read."""

    def __init__(self, outer: Element, what: str, reading: Reading) -> None:
        version, authSafe, *rest = outer.parts(INTEGER, SEQUENCE)
        if version.integer() != _VERSION:
            raise Unsupported(f"its version is {version.integer()}; there is only {_VERSION}")
        self._what = what
        self._reading = reading
        self._content = _content(authSafe)
        self._safes = _der.first(self._content).parts()
        self._check = rest[0] if rest else None

    @property
    def needsPassphrase(self) -> bool:
        """Whether anything is encrypted or has to be checked.

        Raises:
            Unsupported: something is encrypted in a way that no pass phrase opens here.
        """
        # All are looked at, so that what cannot be opened is said before anybody is asked.
        encrypted = [self._isEncrypted(safe) for safe in self._safes]
        return self._check is not None or any(encrypted)

    def opened(self, spelling: Spelling) -> _Found:
        """Check the integrity and open everything.

        Raises:
            _WrongPassphrase: the pass phrase does not open it, in this spelling.
        """
        if self._check is not None and not self._isIntact(self._check, spelling):
            raise _WrongPassphrase
        found = _Found()
        for safe in self._safes:
            self._openBags(self._bags(safe, spelling), spelling, found)
        return found

    def _isEncrypted(self, safe: Element) -> bool:
        if _kindOf(safe) != _DATA:
            pbe.schemeOf(_encryptedContent(safe)[0])
            return True
        isEncrypted = False
        for bag in _der.first(_content(safe)).parts():
            kind, wrapped, *_ = bag.parts(OBJECT_IDENTIFIER, CONTEXT_0)
            identifier = kind.identifier()
            if identifier == _SHROUDED_KEY_BAG and self._reading.wantKeys:
                pbe.schemeOf(wrapped.wrapped().wrapped())
            # What lies deeper asks for its pass phrase by failing without one.
            isEncrypted |= identifier in (_SHROUDED_KEY_BAG, _BAG_OF_BAGS)
        return isEncrypted

    def _isIntact(self, check: Element, spelling: Spelling) -> bool:
        digestInfo, salt, *iterations = check.parts(SEQUENCE, OCTET_STRING)
        algorithm, digest, *_ = digestInfo.parts(SEQUENCE, OCTET_STRING)
        identifier, parameters = kdf.algorithmOf(algorithm)
        if identifier == _PBMAC1:
            return self._isIntactByPBMAC1(parameters, digest, spelling)
        function = kdf.hashOf(identifier)
        size = function().digest_size
        count = iterations[0].integer() if iterations else 1
        derivation = kdf.pkcs12Derivation(function, salt, count, size)
        self._reading.work.spend(derivation.rounds)
        key = Secret(derivation.derive(spelling, kdf.MAC, size))
        return hmac.compare_digest(hmac.digest(key.value, self._content, function), digest.value)

    def _isIntactByPBMAC1(self, parameters: Element | None, digest: Element, spelling: Spelling) -> bool:
        if parameters is None:
            raise Malformed("the integrity check has no parameters")
        derivation, function, *_ = parameters.parts(SEQUENCE, SEQUENCE)
        algorithm = kdf.hmacOf(function)
        derived = kdf.pbes2Derivation(derivation, algorithm.digest_size)
        self._reading.work.spend(derived.rounds)
        mac = HMAC(derived.derive(spelling, kdf.KEY, algorithm.digest_size), algorithm)
        mac.update(self._content)
        return hmac.compare_digest(mac.finalize(), digest.value)

    def _bags(self, safe: Element, spelling: Spelling) -> Element:
        if _kindOf(safe) == _DATA:
            return _der.first(_content(safe))
        algorithm, ciphertext = _encryptedContent(safe)
        plain = pbe.schemeOf(algorithm).opened(spelling, ciphertext, self._reading.work)
        if plain is None:
            raise _WrongPassphrase
        return _der.first(plain.value)

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
            certificate = certificateOf(wrapped.wrapped().octets(), self._what, self._reading)
            found.certificates.append((certificate, attributes))

    def _openKey(
        self, bag: Element, isEncrypted: bool, spelling: Spelling, attributes: _Attributes, found: _Found
    ) -> None:
        found.holdsKey = True
        if not self._reading.wantKeys:
            return
        plain = decryptedKey(bag, spelling, self._reading) if isEncrypted else Secret(bag.encoded)
        if plain is None:
            raise _WrongPassphrase
        found.keys.append((loadedKey(plain, self._what, self._reading), attributes))


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
    # Some programs name the certificate, others the key.
    names = {attributes.localKeyID: attributes.name for _, attributes in found.keys}
    called = [(held, attributes.name or names.get(attributes.localKeyID)) for held, attributes in found.certificates]
    return Contents(
        certificates=tuple(certificate for certificate, _ in found.certificates),
        keys=tuple(key for key, _ in found.keys),
        friendlyNames={certificate: name for certificate, name in called if name},
        holdsKey=found.holdsKey,
    )
