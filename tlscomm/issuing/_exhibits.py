"""How each exhibit of the gallery is made.

A faulty certificate is one call with one thing wrong; everything else about it is right, so that nothing but the fault
can be the reason of a refusal. What an authority would never sign (a signature with SHA-1, an extension that is no DER)
is put together here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from tlscomm._dataclasses import dataclass
from tlscomm.credentials import Credential
from tlscomm.issuing._authority import Authority, withBadSignature
from tlscomm.issuing._certificates import newKey
from tlscomm.x509._purposes import purposeFor
from tlscomm.x509._roles import Role, otherRole

__all__ = ["SERVER_NAME", "Authorities", "Bench"]

SERVER_NAME = "localhost"
"""What every server of the gallery is called, where its name is not what is wrong with it."""

_SERVER_NAMES: dict[str, Any] = {"dnsNames": ("localhost", "server.example"), "addresses": ("127.0.0.1", "::1")}
_CLIENT_NAMES: dict[str, Any] = {"dnsNames": ("client.example",)}

#: The organisation is what tells a missing intermediate from a strange authority.
_ORGANIZATION = "tlscomm gallery"
_STRANGERS = "tlscomm strangers"

_LONG_AGO = timedelta(days=60)
_A_DAY = timedelta(days=1)
#: Files of a gallery are used for a while, and a fault must not go away by itself.
_A_YEAR = timedelta(days=365)

#: OpenSSL stops at nine intermediates in Twisted's contexts, GnuTLS at sixteen.
_TOO_MANY_AUTHORITIES = 12

#: The object identifiers of RFC 8017, appendix A.2.4, in DER. They have the same length.
_SHA256_WITH_RSA = bytes.fromhex("06092a864886f70d01010b")
_SHA1_WITH_RSA = bytes.fromhex("06092a864886f70d010105")

#: A sequence that says it has a DNS name of five bytes, and ends.
_NO_DER = bytes.fromhex("30028205")

#: From the arc that is kept for examples (ITU-T X.660, {2 999}): no software knows it.
_UNKNOWN_EXTENSION = x509.ObjectIdentifier("2.999.3")


class Authorities:
    """The authorities that the exhibits share, each made when it is first needed.

    Args:
        now: the time to count from.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._below: dict[str, Authority] = {}

    @property
    def all(self) -> tuple[Authority, ...]:
        """The root, and those below it that were made so far."""
        return (self.root, *self._below.values())

    @cached_property
    def root(self) -> Authority:
        """The only one that a verifier trusts."""
        return Authority.create("tlscomm gallery root", organization=_ORGANIZATION, now=self.now)

    @property
    def intermediate(self) -> Authority:
        return self.below("tlscomm gallery intermediate")

    @property
    def intermediateWithRSA(self) -> Authority:
        return self.below("tlscomm gallery RSA intermediate", rsaKeySize=2048)

    @property
    def revokedIntermediate(self) -> Authority:
        return self.below("tlscomm gallery revoked intermediate")

    @cached_property
    def stranger(self) -> Authority:
        """A root that no verifier trusts."""
        return Authority.create("strange root", organization=_STRANGERS, now=self.now)

    def below(
        self, commonName: str, parent: Authority | None = None, *, rsaKeySize: int | None = None, **changes: Any
    ) -> Authority:
        """Return the authority of this name below the root, or below another; the rest is for when it has to be made.

        Args:
            commonName: its name.
            parent: who issues its certificate; the root where None.
            rsaKeySize: the bits of its key; an ECDSA key where None.
            changes: arguments of `Authority.intermediate`.
        """
        if commonName not in self._below:
            if rsaKeySize is not None:
                changes["privateKey"] = newRSAKey(rsaKeySize)
            arguments = {"organization": _ORGANIZATION, "now": self.now, **changes}
            self._below[commonName] = (parent or self.root).intermediate(commonName, **arguments)
        return self._below[commonName]


@dataclass(frozen=True)
class Bench:
    """Where one exhibit is made for one role.

    Attributes:
        authorities: those of the gallery.
        name: the name of the exhibit.
        role: the side that will present it.
    """

    authorities: Authorities
    name: str
    role: Role

    @property
    def serialNumber(self) -> int:
        """The certificate's number: the same in each gallery, so that a revocation list can be made without it."""
        return int.from_bytes(sha256(f"{self.name} {self.role}".encode()).digest()[:15], "big")

    def leaf(self, issuer: Authority | None = None, **changes: Any) -> Credential:
        """Make a credential with which all is well but for the changes, which are arguments of `Authority.issue`."""
        names = _SERVER_NAMES if self.role == "server" else _CLIENT_NAMES
        arguments = {
            "role": self.role,
            "organization": _ORGANIZATION,
            "now": self.authorities.now,
            "serialNumber": self.serialNumber,
            **names,
            **changes,
        }
        return (issuer or self.authorities.root).issue(f"{self.name} {self.role}", **arguments)

    # Good ones.

    def good(self) -> Credential:
        return self.leaf()

    def goodBelowIntermediate(self) -> Credential:
        return self.leaf(self.authorities.intermediate)

    def goodWithRSA(self) -> Credential:
        return self.leaf(privateKey=newRSAKey(2048))

    def goodWithRSABelowIntermediate(self) -> Credential:
        return self.leaf(self.authorities.intermediate, privateKey=newRSAKey(2048))

    def goodForAnyPurpose(self) -> Credential:
        return self.leaf(role=None)

    def forNames(self, *dnsNames: str) -> Credential:
        return self.leaf(dnsNames=dnsNames, addresses=())

    def forAddress(self, address: str) -> Credential:
        return self.leaf(dnsNames=(), addresses=(address,))

    # The private key.

    def withoutKey(self) -> Credential:
        return replace(self.leaf(), privateKey=None)

    def withAnotherKey(self) -> Credential:
        return replace(self.leaf(), privateKey=self.authorities.stranger.privateKey)

    # The issuer.

    def byStranger(self) -> Credential:
        return replace(self.leaf(self.authorities.stranger), chain=())

    def byStrangerWhoIsSent(self) -> Credential:
        stranger = self.authorities.stranger
        issuer = stranger.intermediate("strange intermediate", organization=_STRANGERS, now=self.authorities.now)
        return replace(self.leaf(issuer), chain=(issuer.certificate, stranger.certificate))

    def byNamesake(self) -> Credential:
        root = Authority.create("tlscomm gallery root", organization=_ORGANIZATION, now=self.authorities.now)
        return self.leaf(root)

    def bySelf(self) -> Credential:
        key = newKey()
        model = self.leaf(privateKey=key)
        usual = [(extension.value, extension.critical) for extension in model.certificate.extensions]
        itself = Authority.create(
            f"{self.name} {self.role}",
            now=self.authorities.now,
            privateKey=key,
            extensions=usual,
            omit=[ExtensionOID.AUTHORITY_KEY_IDENTIFIER],
        )
        return replace(model, certificate=itself.certificate)

    def withoutIntermediate(self) -> Credential:
        return replace(self.leaf(self.authorities.intermediate), chain=())

    # The time.

    def expired(self) -> Credential:
        return self.leaf(**self._past())

    def notYetValid(self) -> Credential:
        return self.leaf(notBefore=self.authorities.now + _A_YEAR)

    def belowExpired(self) -> Credential:
        return self.leaf(self.authorities.below("expired intermediate", **self._past()))

    def belowNotYetValid(self) -> Credential:
        notBefore = self.authorities.now + _A_YEAR
        return self.leaf(self.authorities.below("future intermediate", notBefore=notBefore))

    # The purpose.

    def forOtherRole(self) -> Credential:
        return self.leaf(role=otherRole(self.role))

    def belowOneForOtherRole(self) -> Credential:
        purpose = _purposeOf(otherRole(self.role))
        return self.leaf(self.authorities.below(f"intermediate for no {self.role}", extensions=[purpose]))

    # The authorities of the chain.

    def belowNoAuthority(self) -> Credential:
        isNone = (x509.BasicConstraints(ca=False, path_length=None), True)
        return self.leaf(self.authorities.below("no authority", extensions=[isNone]))

    def belowOneThatMayNotSign(self) -> Credential:
        usage = _keyUsage(self.leaf())
        return self.leaf(self.authorities.below("authority that may not sign", extensions=[(usage, True)]))

    def belowTooMany(self) -> Credential:
        only = self.authorities.below("authority of leaves only", pathLength=0)
        return self.leaf(self.authorities.below("one authority too many", only))

    def belowVeryMany(self) -> Credential:
        issuer = self.authorities.root
        for number in range(_TOO_MANY_AUTHORITIES):
            issuer = self.authorities.below(f"authority {number}", issuer, pathLength=None)
        return self.leaf(issuer)

    def notPermitted(self) -> Credential:
        return self._constrained(permitted=[x509.DNSName("elsewhere.example")])

    def excluded(self) -> Credential:
        return self._constrained(excluded=[x509.DNSName("server.example"), x509.DNSName("client.example")])

    def withUnknownExtension(self) -> Credential:
        return self.leaf(extensions=[(x509.UnrecognizedExtension(_UNKNOWN_EXTENSION, b"\x05\x00"), True)])

    # The signature and the key.

    def badlySigned(self) -> Credential:
        return withBadSignature(self.leaf())

    def belowBadlySigned(self) -> Credential:
        credential = self.leaf(self.authorities.below("intermediate with a bad signature"))
        forged = withBadSignature(Credential(credential.chain[0]))
        return replace(credential, chain=(forged.certificate,))

    def withWeakKey(self) -> Credential:
        return self.leaf(privateKey=newRSAKey(1024))

    def belowWeakKey(self) -> Credential:
        return self.leaf(self.authorities.below("weak intermediate", rsaKeySize=1024))

    def weaklySigned(self) -> Credential:
        issuer = self.authorities.intermediateWithRSA
        assert isinstance(issuer.privateKey, rsa.RSAPrivateKey)
        credential = self.leaf(issuer)
        return replace(credential, certificate=signedWithSHA1(credential.certificate, issuer.privateKey))

    # The names.

    def withoutNames(self) -> Credential:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, SERVER_NAME)])
        return self.leaf(dnsNames=(), addresses=(), subject=name)

    def withMalformedNames(self) -> Credential:
        names = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, _NO_DER)
        return self.leaf(extensions=[(names, False)])

    def withHostileName(self) -> Credential:
        name = "\x1b]0;hacked\x07\r\n2026-01-01 all is well"
        return self.leaf(subject=x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]), **self._past())

    # Revocation.

    def belowRevoked(self) -> Credential:
        return self.leaf(self.authorities.revokedIntermediate)

    def _past(self) -> dict[str, Any]:
        return {"notBefore": self.authorities.now - _LONG_AGO, "notAfter": self.authorities.now - _A_DAY}

    def _constrained(self, **subtrees: Any) -> Credential:
        constraints = x509.NameConstraints(
            permitted_subtrees=subtrees.get("permitted"), excluded_subtrees=subtrees.get("excluded")
        )
        return self.leaf(self.authorities.below(f"intermediate of {self.name}", extensions=[(constraints, True)]))


def newRSAKey(size: int) -> rsa.RSAPrivateKey:
    """Make an RSA key, which takes a hundred times as long as one for ECDSA."""
    return rsa.generate_private_key(65537, size)


def signedWithSHA1(certificate: x509.Certificate, issuerKey: rsa.RSAPrivateKey) -> x509.Certificate:
    """Return a certificate with a signature that no library makes any more."""
    content = certificate.tbs_certificate_bytes.replace(_SHA256_WITH_RSA, _SHA1_WITH_RSA)
    signature = issuerKey.sign(content, padding.PKCS1v15(), hashes.SHA1())
    der = certificate.public_bytes(Encoding.DER).replace(_SHA256_WITH_RSA, _SHA1_WITH_RSA)
    return x509.load_der_x509_certificate(der[: -len(signature)] + signature)


def _purposeOf(role: Role) -> tuple[x509.ExtensionType, bool]:
    return x509.ExtendedKeyUsage([purposeFor(role).oid]), False


def _keyUsage(credential: Credential) -> x509.KeyUsage:
    return credential.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
