"""Whom to trust: the authorities, what else is known of them, and the keys that a user insists on.

An authority is a trust anchor because the user says so, its own issuer or not. An intermediate that is known locally is
none: it only helps where a peer forgot to send it. A pin narrows down what the anchors allow, so that one authority out
of hundreds, or one key, is left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL.crypto import X509

from tlscomm._dataclasses import dataclass
from tlscomm._openssl import decodingFault
from tlscomm.failures import Damaged
from tlscomm.verification._trustroots import certificatesOf
from tlscomm.x509._certificate import parsedCertificate
from tlscomm.x509._facts import certificateFacts

__all__ = ["Pin", "Roots", "Trust", "parsePin"]

#: Authorities as certificates, or a provider of Twisted's ``IOpenSSLTrustRoot``.
Roots = Sequence[x509.Certificate] | Any


@dataclass(frozen=True)
class Pin:
    """A certificate or a key that has to be in a chain. `parsePin` makes it of its text.

    Attributes:
        kind: what the digest is of: the whole certificate, or its public key (SubjectPublicKeyInfo).
        digest: the SHA-256 digest in hexadecimal, in lower case.
    """

    kind: Literal["fingerprint", "spki"]
    digest: str

    def fits(self, certificate: x509.Certificate) -> bool:
        """Return whether a certificate is the one, or has the key."""
        if self.kind == "spki":
            return parsedCertificate(certificate).publicKeyDigest.hex() == self.digest
        return sha256(certificate.public_bytes(Encoding.DER)).hexdigest() == self.digest

    def __str__(self) -> str:
        return f"{self.kind}=sha256:{self.digest}"


def parsePin(text: str) -> Pin:
    """Return the pin of a text: ``fingerprint=sha256:…`` or ``spki=sha256:…``, as in access rules.

    Raises:
        ValueError: it is none.
    """
    kind, _, value = text.lower().partition("=")
    digest = value.replace(":", "").removeprefix("sha256")
    if kind not in ("fingerprint", "spki") or not re.fullmatch("[0-9a-f]{64}", digest):
        raise ValueError(f"{text!r} is no pin: a pin is fingerprint= or spki= with sha256: and 64 hexadecimal digits")
    return Pin(kind, digest)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Trust:
    """Whom to trust.

    Attributes:
        roots: the authorities that are trusted: certificates, or a provider of Twisted's ``IOpenSSLTrustRoot``, such as
            ``platformTrust()``. Each certificate is a trust anchor, whether it is its own issuer or not.
        intermediates: authorities that are known and not trusted by themselves, for peers that forget to send them.
        pins: where there are any, a chain is accepted only if one of them fits one of its certificates.
    """

    roots: Roots = ()
    intermediates: tuple[x509.Certificate, ...] = ()
    pins: tuple[Pin, ...] = ()

    @classmethod
    def system(cls, intermediates: Iterable[x509.Certificate] = (), pins: Iterable[Pin] = ()) -> Trust:
        """Trust the authorities that the operating system trusts."""
        # Twisted's TCP comes with it, for which only a program that builds contexts has a use.
        from twisted.internet.ssl import platformTrust

        return cls(platformTrust(), tuple(intermediates), tuple(pins))

    @cached_property
    def anchors(self) -> tuple[x509.Certificate, ...]:
        """The authorities as certificates, as far as they are known as such.

        Those of a trust root are what it puts into a context. Where it does so in ways that do not show them, there are
        none; then what OpenSSL says in the handshake is all that there is.
        """
        return tuple(self.roots) if isinstance(self.roots, Sequence) else certificatesOf(self.roots)

    @property
    def named(self) -> tuple[x509.Certificate, ...]:
        """The authorities that the user named one by one; none of a system's hundreds."""
        return self.anchors if isinstance(self.roots, Sequence) else ()

    @property
    def isNone(self) -> bool:
        """Whether no authority is trusted, because none was given."""
        return isinstance(self.roots, Sequence) and not self.roots

    @property
    def trustRoot(self) -> Any:
        """The authorities as an ``IOpenSSLTrustRoot``, for Twisted's options.

        Raises:
            Damaged: OpenSSL cannot read one of them. `tlscomm.credentials.loadCertificates` gives none of these.
        """
        if isinstance(self.roots, Sequence):
            # As above.
            from twisted.internet.ssl import Certificate, trustRootFromCertificates

            for root in self.roots:
                if fault := decodingFault(root):
                    facts = certificateFacts(root)
                    raise Damaged(
                        f"the authority {facts.subject} cannot be read by OpenSSL: {fault}", certificate=facts
                    )
            return trustRootFromCertificates([Certificate(X509.from_cryptography(root)) for root in self.roots])
        return self.roots

    def isPinned(self, path: Iterable[x509.Certificate]) -> bool:
        """Return whether one of the pins fits one of the certificates, or there are no pins."""
        return not self.pins or any(pin.fits(certificate) for certificate in path for pin in self.pins)
