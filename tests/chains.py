"""Chains with anything in them, as no authority should make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from tests.pfxfiles import der, seq
from tlscomm.issuing import Authority
from tlscomm.verification import Profile, Trust, VerificationResult, Verifier
from tlscomm.x509 import _der
from tlscomm.x509._roles import Role

__all__ = [
    "NAME",
    "NOW",
    "Parts",
    "crossSigned",
    "extensionsEdited",
    "intermediate",
    "judged",
    "leaf",
    "remade",
    "root",
    "rsaKey",
    "rsaRoot",
    "weaklySigned",
]

NOW = datetime.now(timezone.utc).replace(microsecond=0)
NAME = "server.example"

#: The parts of what is signed in a certificate (RFC 5280, section 4.1), encoded: version, serial number, algorithm,
#: issuer, validity, subject, public key, extensions.
Parts = list[bytes]

_ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_SHA256_WITH_RSA = bytes.fromhex("06092a864886f70d01010b")


@cache
def root() -> Authority:
    return Authority.create("root", organization="chains", now=NOW)


@cache
def rsaKey(bits: int, exponent: int = 65537) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(exponent, bits)


@cache
def rsaRoot() -> Authority:
    return Authority.create("RSA root", organization="chains", now=NOW, privateKey=rsaKey(2048))


def intermediate(issuer: Authority | None = None, name: str = "intermediate", **changes: Any) -> Authority:
    return (issuer or root()).intermediate(name, **{"organization": "chains", "now": NOW, **changes})


def leaf(
    issuer: Authority | None = None, names: Sequence[str] = (NAME,), *, role: Role | None = "server", **changes: Any
) -> x509.Certificate:
    """Make a certificate with which all is well but for the changes, which are arguments of `Authority.issue`."""
    arguments = {"organization": "chains", "now": NOW, "dnsNames": names, **changes}
    return (issuer or root()).issue(NAME, role=role, **arguments).certificate


def crossSigned(of: Authority, by: Authority, **changes: Any) -> x509.Certificate:
    """Have an authority say that another one's name has its key."""
    (name,) = of.certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    arguments = {"organization": "chains", "now": NOW, "pathLength": None, "privateKey": of.privateKey, **changes}
    return by.intermediate(str(name.value), **arguments).certificate


def judged(
    presented: Sequence[x509.Certificate | Authority],
    anchors: Sequence[Authority] | None = None,
    *,
    profile: Profile = "compatible",
    role: Role = "server",
    at: datetime = NOW,
    **changes: Any,
) -> VerificationResult:
    """Judge what a peer sent, off line."""
    trust = changes.pop("trust", None) or Trust(tuple(each.certificate for each in anchors or (root(),)))
    verifier = Verifier(peerRole=role, trust=trust, profile=profile, **changes)
    return verifier.verify([each.certificate if isinstance(each, Authority) else each for each in presented], at=at)


def remade(certificate: x509.Certificate, issuer: Authority, edit: Callable[[Parts], Parts]) -> x509.Certificate:
    """Sign a certificate again with its parts changed; the issuer's key is one for ECDSA."""
    parts = [part.encoded for part in _der.first(certificate.tbs_certificate_bytes).parts()]
    content = seq(*edit(parts))
    assert isinstance(issuer.privateKey, ec.EllipticCurvePrivateKey)
    signature = issuer.privateKey.sign(content, ec.ECDSA(hashes.SHA256()))
    return x509.load_der_x509_certificate(seq(content, _ECDSA_WITH_SHA256, der(_der.BIT_STRING, b"\0" + signature)))


def extensionsEdited(edit: Callable[[Parts], Parts]) -> Callable[[Parts], Parts]:
    """Return an edit of parts that edits the encoded extensions alone."""

    def edited(parts: Parts) -> Parts:
        extensions = [part.encoded for part in _der.first(parts[-1]).wrapped().parts()]
        return [*parts[:-1], der(0xA3, seq(*edit(extensions)))]

    return edited


def weaklySigned(certificate: x509.Certificate, issuer: Authority, digest: Any, oid: bytes) -> x509.Certificate:
    """Sign a certificate with a digest that no library signs with any more; the issuer's key is an RSA key.

    Args:
        certificate: signed with SHA-256.
        issuer: who signs it.
        digest: the digest.
        oid: the algorithm's identifier, DER, of the length of that of SHA-256 with RSA.
    """
    from cryptography.hazmat.primitives.asymmetric import padding

    assert isinstance(issuer.privateKey, rsa.RSAPrivateKey)
    content = certificate.tbs_certificate_bytes.replace(_SHA256_WITH_RSA, oid)
    signature = issuer.privateKey.sign(content, padding.PKCS1v15(), digest)
    encoded = certificate.public_bytes(Encoding.DER).replace(_SHA256_WITH_RSA, oid)
    return x509.load_der_x509_certificate(encoded[: -len(signature)] + signature)
