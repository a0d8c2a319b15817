"""Certificate authorities of one's own, for development, demonstrations and tests.

Mutual TLS needs three certificates before the first byte can be exchanged, and making them by hand is where most people
give up, or switch verification off. Here an authority is one call, a credential another, and both are right without a
further argument. A test that needs a certificate that is wrong says so: every extension can be replaced or left out,
every time, key and serial number given, so that each way to be refused can be made on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes, CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding

from tlscomm.credentials import Credential
from tlscomm.issuing._certificates import (
    Extension,
    Purpose,
    Validity,
    alternativeNames,
    authorityExtensions,
    chosen,
    distinguishedName,
    leafExtensions,
    newKey,
    revokedCertificate,
    signatureHash,
    signCertificate,
)

__all__ = ["Authority", "Extension", "Purpose", "withBadSignature"]

_AUTHORITY_DAYS = 5 * 365 + 1
#: Browsers refuse what is valid for more than 398 days; clocks differ.
_LEAF_DAYS = 397
_LIST_DAYS = 30


class Authority:
    """One that issues certificates.

    Args:
        certificate: its own certificate.
        privateKey: the key of that certificate.
        chain: the intermediate certificates that its credentials carry, its own first; empty for a root.
    """

    def __init__(
        self,
        certificate: x509.Certificate,
        privateKey: CertificateIssuerPrivateKeyTypes,
        chain: tuple[x509.Certificate, ...] = (),
    ) -> None:
        self.certificate = certificate
        self.privateKey = privateKey
        self.chain = chain

    @classmethod
    def create(
        cls,
        commonName: str = "tlscomm development authority",
        *,
        organization: str | None = None,
        pathLength: int | None = None,
        now: datetime | None = None,
        days: float = _AUTHORITY_DAYS,
        notBefore: datetime | None = None,
        notAfter: datetime | None = None,
        privateKey: CertificateIssuerPrivateKeyTypes | None = None,
        extensions: Iterable[Extension] = (),
        omit: Iterable[x509.ObjectIdentifier] = (),
    ) -> Authority:
        """Make a root: an authority that is its own issuer.

        Args:
            commonName: its name, at most 64 characters.
            organization: whose it is.
            pathLength: how many intermediate authorities may follow it; any number where None is given.
            now: the time to count from; the present where None is given.
            days: how long it is valid.
            notBefore: when its validity starts; an hour before ``now`` where None is given.
            notAfter: when its validity ends, instead of ``days``.
            privateKey: its key; a new ECDSA P-256 key where None is given.
            extensions: replace those of the same kind, or are added.
            omit: which extensions to leave out.
        """
        key = privateKey or newKey()
        subject = distinguishedName(commonName, organization)
        certificate = signCertificate(
            subject,
            key.public_key(),
            Validity.of(now, days, notBefore, notAfter),
            chosen(authorityExtensions(key.public_key(), pathLength), extensions, omit),
            issuer=subject,
            issuerKey=key,
        )
        return cls(certificate, key)

    def intermediate(
        self,
        commonName: str = "tlscomm intermediate authority",
        *,
        organization: str | None = None,
        pathLength: int | None = 0,
        now: datetime | None = None,
        days: float = _AUTHORITY_DAYS,
        notBefore: datetime | None = None,
        notAfter: datetime | None = None,
        privateKey: CertificateIssuerPrivateKeyTypes | None = None,
        extensions: Iterable[Extension] = (),
        omit: Iterable[x509.ObjectIdentifier] = (),
    ) -> Authority:
        """Issue the certificate of another authority.

        The credentials that it issues carry its certificate in their chain. The arguments are those of `create`.
        Whether the path length of this authority allows another one is not looked at.
        """
        key = privateKey or newKey()
        certificate = self._issue(
            distinguishedName(commonName, organization),
            key.public_key(),
            Validity.of(now, days, notBefore, notAfter),
            chosen((*authorityExtensions(key.public_key(), pathLength), self._keyIdentifier()), extensions, omit),
        )
        return Authority(certificate, key, (certificate, *self.chain))

    def issue(
        self,
        commonName: str,
        *,
        role: Purpose | None,
        dnsNames: Iterable[str] = (),
        addresses: Iterable[str] = (),
        uris: Iterable[str] = (),
        emails: Iterable[str] = (),
        organization: str | None = None,
        subject: x509.Name | None = None,
        now: datetime | None = None,
        days: float = _LEAF_DAYS,
        notBefore: datetime | None = None,
        notAfter: datetime | None = None,
        privateKey: CertificateIssuerPrivateKeyTypes | None = None,
        publicKey: CertificatePublicKeyTypes | None = None,
        serialNumber: int | None = None,
        extensions: Iterable[Extension] = (),
        omit: Iterable[x509.ObjectIdentifier] = (),
    ) -> Credential:
        """Issue a credential.

        Args:
            commonName: the name of its owner. A label only: peers look at the alternative names that follow.
            role: the extended key usage; none at all where None is given, which fits every purpose.
            dnsNames: host names, in ASCII; ``*`` may stand for the first label.
            addresses: IP addresses, version 4 and 6.
            uris: names in the form of a URI, as SPIFFE has them.
            emails: e-mail addresses.
            organization: whose it is.
            subject: the whole name, instead of ``commonName`` and ``organization``.
            now: the time to count from; the present where None is given.
            days: how long it is valid.
            notBefore: when its validity starts; an hour before ``now`` where None is given.
            notAfter: when its validity ends, instead of ``days``.
            privateKey: its key; a new ECDSA P-256 key where neither this nor ``publicKey`` is given.
            publicKey: the key to certify, for an owner who keeps the private key; with ``privateKey`` as well, the two
                need not belong together.
            serialNumber: its number; 20 random bytes where None is given.
            extensions: replace those of the same kind, or are added.
            omit: which extensions to leave out.

        Returns:
            The credential, with the intermediates in its chain; without a private key where only a public one was
            given.
        """
        if publicKey is None:
            privateKey = privateKey or newKey()
            publicKey = privateKey.public_key()
        names = alternativeNames(dnsNames, addresses, uris, emails)
        certificate = self._issue(
            distinguishedName(commonName, organization) if subject is None else subject,
            publicKey,
            Validity.of(now, days, notBefore, notAfter),
            chosen((*leafExtensions(publicKey, role, names), self._keyIdentifier()), extensions, omit),
            serialNumber,
        )
        return Credential(certificate, self.chain, privateKey, None, commonName)

    def revocationList(
        self,
        serialNumbers: Iterable[int] = (),
        *,
        number: int = 1,
        reason: x509.ReasonFlags | None = None,
        entries: Iterable[x509.RevokedCertificate] = (),
        now: datetime | None = None,
        days: float = _LIST_DAYS,
        lastUpdate: datetime | None = None,
        nextUpdate: datetime | None = None,
    ) -> x509.CertificateRevocationList:
        """Say which certificates of this authority are not to be trusted any more (RFC 5280, section 5).

        Args:
            serialNumbers: theirs.
            number: of this list; a later one has a higher number.
            reason: why they were revoked.
            entries: more of them, each with a time and a reason of its own.
            now: the time to count from; the present where None is given.
            days: how long until the next list.
            lastUpdate: from when the list counts; an hour before ``now`` where None is given.
            nextUpdate: when it has expired, instead of ``days``.
        """
        validity = Validity.of(now, days, lastUpdate, nextUpdate)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(validity.notBefore)
            .next_update(validity.notAfter)
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(*self._keyIdentifier())
        )
        for serialNumber in serialNumbers:
            builder = builder.add_revoked_certificate(revokedCertificate(serialNumber, validity.notBefore, reason))
        for entry in entries:
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.privateKey, signatureHash(self.privateKey))

    def __repr__(self) -> str:
        return f"<Authority {self.certificate.subject.rfc4514_string()}>"

    def _issue(
        self,
        subject: x509.Name,
        publicKey: CertificatePublicKeyTypes,
        validity: Validity,
        extensions: Iterable[Extension],
        serialNumber: int | None = None,
    ) -> x509.Certificate:
        return signCertificate(
            subject,
            publicKey,
            validity,
            extensions,
            issuer=self.certificate.subject,
            issuerKey=self.privateKey,
            serialNumber=serialNumber,
        )

    def _keyIdentifier(self) -> Extension:
        try:
            own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        except x509.ExtensionNotFound:
            return x509.AuthorityKeyIdentifier.from_issuer_public_key(self.privateKey.public_key()), False
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), False


def withBadSignature(credential: Credential) -> Credential:
    """Return a credential whose certificate is the same but for one bit of its signature."""
    der = bytearray(credential.certificate.public_bytes(Encoding.DER))
    der[-1] ^= 1
    return replace(credential, certificate=x509.load_der_x509_certificate(bytes(der)))
