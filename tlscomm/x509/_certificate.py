"""A certificate read once, as the rules look at it.

The rules ask the same of every certificate: its names in a form that can be compared, its key, its extensions by kind.
A chain is judged in every handshake, and its authorities are always the same, so what was read is kept. Nothing in here
decides anything, and nothing in here raises: a part that cannot be read says so in `ParsedCertificate.malformation`,
and the verifier refuses it.
"""

from __future__ import annotations

import warnings
from functools import cached_property
from hashlib import sha256
from math import inf
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID, ObjectIdentifier

from tlscomm.x509 import _der
from tlscomm.x509._bounds import priceOfKey
from tlscomm.x509._canonicalname import CanonicalName, canonicalName
from tlscomm.x509._digests import publicKeyDigest
from tlscomm.x509._extensions import extensionsOf
from tlscomm.x509._facts import subjectText
from tlscomm.x509._fields import signedFields
from tlscomm.x509._nameconstraints import Subtrees
from tlscomm.x509._remembering import remembering
from tlscomm.x509._unreadable import unreadableText

__all__ = ["ParsedCertificate", "parsedCertificate"]

T = TypeVar("T", bound=x509.ExtensionType)

_MOST_KEPT = 1024


class ParsedCertificate:
    """What the rules ask of a certificate.

    Attributes:
        certificate: itself.
        malformation: why it cannot be read, or nothing where it is well.
        remembered: what rules that look at nothing else have found, kept for the next time.
    """

    def __init__(self, certificate: x509.Certificate) -> None:
        self.certificate = certificate
        self.remembered: dict[Any, Any] = {}
        self._extensions: dict[ObjectIdentifier, x509.Extension[Any]] = {}
        self.subject: CanonicalName = ()
        self.issuer: CanonicalName = ()
        self.serialNumber = 0
        with warnings.catch_warnings():
            # What cryptography warns of there are rules for here.
            warnings.simplefilter("ignore")
            self.malformation = self._read()

    def _read(self) -> str:
        """Read what is parsed only when it is asked for; return why it cannot be read."""
        # Strangers write certificates, and what they make cryptography raise is not always a ValueError.
        try:
            self.subject = canonicalName(self.certificate.subject)
            self.issuer = canonicalName(self.certificate.issuer)
            self.serialNumber = self.certificate.serial_number
            _ = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        except Exception as unreadable:
            return f"it cannot be read: {unreadableText(unreadable)}"
        try:
            self._extensions = {extension.oid: extension for extension in extensionsOf(self.certificate)}
            _ = self.subtrees
        except Exception as unreadable:
            return f"its extensions cannot be read: {unreadableText(unreadable)}"
        return ""

    @property
    def extensions(self) -> tuple[x509.Extension[Any], ...]:
        return tuple(self._extensions.values())

    def extension(self, oid: ObjectIdentifier) -> x509.Extension[Any] | None:
        """Return an extension with its critical flag, or None where the certificate has none of this kind."""
        return self._extensions.get(oid)

    def value(self, kind: type[T]) -> T | None:
        """Return the value of an extension, or None where the certificate has none of this kind."""
        found = self._extensions.get(kind.oid)
        return None if found is None else found.value

    @cached_property
    def isSelfIssued(self) -> bool:
        """Whether subject and issuer have the same name (RFC 5280, section 3.2)."""
        return self.subject == self.issuer

    @cached_property
    def isAuthority(self) -> bool:
        """Whether the basic constraints say that it may issue certificates."""
        constraints = self.value(x509.BasicConstraints)
        return constraints is not None and constraints.ca

    @cached_property
    def purposes(self) -> frozenset[ObjectIdentifier] | None:
        """The extended key usages, or None where there is no such extension."""
        usage = self.value(x509.ExtendedKeyUsage)
        return None if usage is None else frozenset(usage)

    @cached_property
    def names(self) -> tuple[x509.GeneralName, ...]:
        """The subject alternative names."""
        found = self.value(x509.SubjectAlternativeName)
        return () if found is None else tuple(found)

    @cached_property
    def constrainedNames(self) -> tuple[x509.GeneralName, ...]:
        """The names that name constraints are about (RFC 5280, section 4.2.1.10), but for `subjectMailboxes`."""
        return (*self.names, x509.DirectoryName(self.certificate.subject)) if self.subject else self.names

    @cached_property
    def subjectMailboxes(self) -> tuple[str, ...]:
        """The mail addresses in the subject, which are constrained where there are no alternative names."""
        if self.extension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME) is not None:
            return ()
        found = self.certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS)
        return tuple(str(attribute.value) for attribute in found)

    @cached_property
    def weightOfNames(self) -> int:
        """What it costs to compare its names with name constraints; an ordinary name is 1."""
        return sum(map(_weight, self.constrainedNames)) + len(self.subjectMailboxes)

    @cached_property
    def subtrees(self) -> Subtrees | None:
        """The name constraints, or None where there are none."""
        constraints = self.value(x509.NameConstraints)
        return None if constraints is None else Subtrees(constraints)

    @cached_property
    def subjectKeyIdentifier(self) -> bytes | None:
        found = self.value(x509.SubjectKeyIdentifier)
        return None if found is None else found.digest

    @cached_property
    def authorityKeyIdentifier(self) -> bytes | None:
        found = self.value(x509.AuthorityKeyIdentifier)
        return None if found is None else found.key_identifier

    @cached_property
    def notBefore(self) -> float:
        """When its validity begins, in seconds since 1970; long ago where that cannot be read."""
        return -inf if self.malformation else self.certificate.not_valid_before_utc.timestamp()

    @cached_property
    def key(self) -> Any:
        """The public key, or None where it is of a kind that is not known here, or cannot be read."""
        try:
            return self.certificate.public_key()
        except Exception:
            return None

    @cached_property
    def price(self) -> int:
        """What it costs to verify one signature with its key, in microseconds, roughly."""
        return priceOfKey(self.certificate.public_bytes(Encoding.DER))

    @cached_property
    def subjectText(self) -> str:
        """Whose it is, printable."""
        return subjectText(self.certificate)

    @cached_property
    def entity(self) -> tuple[CanonicalName, bytes]:
        """Name and key: who it is, whichever authority says so."""
        return self.subject, self.publicKeyDigest

    @cached_property
    def publicKeyDigest(self) -> bytes:
        """The SHA-256 digest of the public key with its kind (SubjectPublicKeyInfo), as they stand there."""
        try:
            return publicKeyDigest(self.certificate)
        except _der.Malformed:
            # Of what cannot be taken apart the whole is as good: no other certificate has it.
            return sha256(self.certificate.tbs_certificate_bytes).digest()

    @cached_property
    def agreesOnAlgorithm(self) -> bool:
        """Whether the algorithm that was signed is the one that the signature names (RFC 5280, section 4.1.1.2)."""
        try:
            content, algorithm = _der.first(self.certificate.public_bytes(Encoding.DER)).parts()[:2]
            return signedFields(content.encoded).signature.encoded == algorithm.encoded
        except ValueError:
            return False

    def __repr__(self) -> str:
        return f"<ParsedCertificate {self.subjectText}>"


def parsedCertificate(certificate: x509.Certificate) -> ParsedCertificate:
    """Return what the rules ask of a certificate; that of the latest ones is kept."""
    return _kept(certificate)


def _weight(name: x509.GeneralName) -> int:
    # Each beginning of a directory name is looked up, and each end of a DNS name.
    if isinstance(name, x509.DirectoryName):
        return 1 + len(name.value.rdns) ** 2 // 64
    return 1 + len(str(name.value)) // 32


_kept = remembering(_MOST_KEPT)(ParsedCertificate)
