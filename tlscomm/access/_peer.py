"""Who is on the other side: what an application may ask of a peer that was accepted.

Everything is worked out when it is asked for. A server that only echoes pays for none of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Protocol

from cryptography import x509
from cryptography.x509.oid import NameOID

from tlscomm.access._svid import svidOf
from tlscomm.failures import CertificateFacts
from tlscomm.failures._lazyproblems import LazyProblems, Problems
from tlscomm.x509._digests import digestText, fingerprintOf, publicKeyDigest
from tlscomm.x509._extensions import extensionsOf
from tlscomm.x509._facts import certificateFacts
from tlscomm.x509._remembering import remembering

__all__ = ["Peer"]

#: To describe a certificate costs a tenth of a handshake, and the same peers come again.
_factsOf = remembering(1024)(certificateFacts)


class FittingRule(Protocol):
    """An access rule, as far as a peer knows it. Its text (``str``) is the one that a user writes."""

    def fits(self, peer: Peer) -> bool:
        """Return whether the peer is one that the rule means."""


class Peer:
    """A peer that presented a certificate and was accepted.

    Two peers are equal where their certificates are, whatever connection they belong to, so a peer can be the key of a
    dictionary. A renewed certificate is another one: what outlives it are the names, and where the key is kept, `spki`.

    Attributes:
        certificate: its own certificate.
        chain: the verified chain, its own certificate first and the trusted authority last, of a resumed session too.
            Of a peer that a hook has accepted in spite of its problems, what could be built of one: it may end before
            any authority that is trusted.
        rule: the access rule that let it in; None where no rule had to.
        warnings: what was wrong with its certificate or chain when it was accepted, and no reason to refuse it.
        ja4: the fingerprint of a client's first message, where a server works that out; None where it does not.
    """

    warnings = LazyProblems()

    def __init__(
        self,
        chain: tuple[x509.Certificate, ...],
        rule: FittingRule | None = None,
        warnings: Problems = (),
        ja4: str | None = None,
    ) -> None:
        """
        Args:
            chain: as in the attributes.
            rule: as in the attributes.
            warnings: the warnings, or what returns them, which is called when they are read.
            ja4: as in the attributes.
        """
        self.ja4 = ja4
        self.certificate = chain[0]
        self.chain = chain
        self.rule = rule
        self.warnings = warnings

    @cached_property
    def facts(self) -> CertificateFacts:
        """The certificate in printable form, for a log line."""
        return _factsOf(self.certificate)

    @property
    def fingerprint(self) -> str:
        """``sha256:`` and the SHA-256 digest of the certificate in hexadecimal: a key for a table of peers."""
        return fingerprintOf(self.certificate)

    @cached_property
    def spki(self) -> str:
        """``sha256:`` and the SHA-256 digest of the public key (SubjectPublicKeyInfo) in hexadecimal.

        Raises:
            ValueError: the certificate does not have the structure of one.
        """
        return digestText(publicKeyDigest(self.certificate))

    @property
    def spiffeID(self) -> str | None:
        """The SPIFFE id, with scheme and trust domain in lower case, or None where it has none.

        Only an X.509-SVID has one, by all rules of that standard: no other URI beside it, a path, no authority's
        certificate, digitalSignature in the key usage, and no authority of another trust domain above it.
        """
        return svidOf(self.chain).identity

    @property
    def commonName(self) -> str | None:
        """The first common name of the subject: a label for people. Authorise by an alternative name or fingerprint."""
        return next((str(a.value) for a in self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)), None)

    @cached_property
    def alternativeNames(self) -> tuple[x509.GeneralName, ...] | None:
        """All the subject alternative names, or None where they cannot be read.

        One that cannot be read by itself, as an address of five bytes, is of a kind of its own, and its value a text.
        """
        try:
            return tuple(extensionsOf(self.certificate).get_extension_for_class(x509.SubjectAlternativeName).value)
        except x509.ExtensionNotFound:
            return ()
        except Exception:
            # Whatever a parser raises for what a stranger wrote.
            return None

    @cached_property
    def dnsNames(self) -> tuple[str, ...]:
        """The DNS names among the subject alternative names."""
        return tuple(self._names(x509.DNSName))

    @cached_property
    def uris(self) -> tuple[str, ...]:
        """The URIs among the subject alternative names, SPIFFE ids for one."""
        return tuple(self._names(x509.UniformResourceIdentifier))

    @cached_property
    def emails(self) -> tuple[str, ...]:
        """The mail addresses among the subject alternative names."""
        return tuple(self._names(x509.RFC822Name))

    @cached_property
    def addresses(self) -> tuple[str, ...]:
        """The IP addresses among the subject alternative names."""
        return tuple(self._names(x509.IPAddress))

    def toJSON(self) -> dict[str, object]:
        """Return who the peer is, for a log line or a program."""
        return {
            **self.facts.toJSON(),
            "chain": [_factsOf(c).toJSON() for c in self.chain[1:]],
            "rule": None if self.rule is None else str(self.rule),
            "warnings": [warning.toJSON() for warning in self.warnings],
        }

    def __repr__(self) -> str:
        return f"<Peer {self.facts.subject} {self.fingerprint}>"

    def __eq__(self, other: object) -> bool:
        return self.certificate == other.certificate if isinstance(other, Peer) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.certificate)

    def _names(self, kind: type[x509.GeneralName]) -> Iterator[str]:
        return (str(name.value) for name in self.alternativeNames or () if isinstance(name, kind))
