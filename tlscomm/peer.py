"""Who is on the other side: what an application may ask of a peer that was accepted.

Everything is worked out when it is asked for. A server that only echoes pays for none of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache

from cryptography import x509
from cryptography.x509.oid import NameOID

from tlscomm.credentials import certificateFacts
from tlscomm.failures import CertificateFacts

__all__ = ["Peer"]

#: To describe a certificate costs a tenth of a handshake, and the same peers come again.
_factsOf = lru_cache(maxsize=1024)(certificateFacts)


class Peer:
    """A peer that presented a certificate and was accepted.

    Attributes:
        certificate: its own certificate.
        chain: the verified chain, its own certificate first and the trusted authority last. Of a resumed session only
            its own certificate is known.
    """

    def __init__(self, chain: tuple[x509.Certificate, ...]) -> None:
        self.certificate = chain[0]
        self.chain = chain

    @cached_property
    def facts(self) -> CertificateFacts:
        """The certificate in printable form, for a log line."""
        return _factsOf(self.certificate)

    @property
    def fingerprint(self) -> str:
        """``sha256:`` and the SHA-256 digest of the certificate in hexadecimal: a key for a table of peers."""
        return self.facts.fingerprint

    @property
    def commonName(self) -> str | None:
        """The first common name of the subject: a label for people. Authorise by an alternative name or fingerprint."""
        return next((str(a.value) for a in self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)), None)

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
        return {**self.facts.toJSON(), "chain": [_factsOf(c).toJSON() for c in self.chain[1:]]}

    def __repr__(self) -> str:
        return f"<Peer {self.facts.subject} {self.fingerprint}>"

    def _names(self, kind: type[x509.GeneralName]) -> Iterator[str]:
        try:
            names = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (x509.ExtensionNotFound, ValueError):
            return
        for name in names:
            if isinstance(name, kind):
                yield str(name.value)
