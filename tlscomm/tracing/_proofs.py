"""Whether a side has proven that it has the key of its certificate.

A peer that says decrypt_error means one of two signatures: that on a certificate, or that on the handshake. The second
one can be verified by everyone who has seen the handshake (RFC 5246, sections 7.4.3 and 7.4.8, and RFC 8446, section
4.4.3), so it is.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256, sha384

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from tlscomm._wire.answers import signatureOf
from tlscomm._wire.events import Event, Kind
from tlscomm.tracing._course import Course
from tlscomm.tracing._trace import Side
from tlscomm.x509._bounds import priceOfKey
from tlscomm.x509._keystrengths import PURE_KEYS

__all__ = ["hasProof"]

#: Microseconds that a verification may cost: the keys are those of strangers.
_DEAREST = 2000

_DIGESTS: dict[int, hashes.HashAlgorithm] = {4: hashes.SHA256(), 5: hashes.SHA384(), 6: hashes.SHA512()}
_RSA, _ECDSA = 1, 3
#: RFC 8446, section 4.2.3: the three of rsa_pss_rsae, and of rsa_pss_pss.
_PSS = {
    first + at: digest
    for first in (0x0804, 0x0809)
    for at, digest in enumerate((hashes.SHA256(), hashes.SHA384(), hashes.SHA512()))
}

_CONTEXTS = {"server": b"TLS 1.3, server CertificateVerify", "client": b"TLS 1.3, client CertificateVerify"}
_SHA384_SUITE = 0x1302


def hasProof(course: Course, side: Side, leaf: x509.Certificate) -> bool | None:
    """Return whether a side's signature on the handshake is that of its certificate's key, None where it is unknown."""
    isOfClient = side == "client"
    name = "CertificateVerify" if course.isTLS13 or isOfClient else "ServerKeyExchange"
    index = course.at(isOfClient, name)
    if index is None:
        return None
    signed = _signedBy(course, side, index)
    algorithm, parameters, signature = signatureOf(course.events[index].content)
    if signed is None or algorithm is None:
        return None
    try:
        if priceOfKey(leaf.public_bytes(Encoding.DER)) > _DEAREST:
            return None
        _verifierOf(leaf, algorithm)(signature, signed + parameters)
    except InvalidSignature:
        return False
    except Exception:
        # A key or an algorithm that is not known here, or what a parser raises for what a stranger wrote.
        return None
    return True


def _signedBy(course: Course, side: Side, index: int) -> bytes | None:
    """Return what is signed, without the parameters of a ServerKeyExchange."""
    before = _messages(course, index)
    if before is None:
        return None
    if not course.isTLS13:
        return b"".join(before) if side == "client" else before[0][6:38] + before[1][6:38]
    digest = sha384 if course.answer.suite == _SHA384_SUITE else sha256
    return b" " * 64 + _CONTEXTS[side] + b"\0" + digest(b"".join(before)).digest()


def _messages(course: Course, index: int) -> list[bytes] | None:
    """Return the handshake messages before one, from the hellos on; None where one is missing, or there was a retry."""
    events = [each for each in course.events[:index] if each.kind is Kind.HANDSHAKE and each.name != "HelloRequest"]
    names = [each.name for each in events[:2]]
    # What is asked for after the handshake is signed with what came in it, and more (RFC 8446, section 4.4.1).
    isFirst = course.renegotiation is None and not any(each.isFromClient and each.name == "Finished" for each in events)
    isWhole = isFirst and not course.gaps and all(map(_isWhole, events))
    return [each.content for each in events] if names == ["ClientHello", "ServerHello"] and isWhole else None


def _isWhole(event: Event) -> bool:
    return len(event.content) >= 4 and len(event.content) == 4 + int.from_bytes(event.content[1:4], "big")


def _verifierOf(leaf: x509.Certificate, algorithm: int) -> Callable[[bytes, bytes], None]:
    key = leaf.public_key()
    digest = _PSS.get(algorithm) or _DIGESTS.get(algorithm >> 8)
    if isinstance(key, PURE_KEYS):
        return key.verify
    if isinstance(key, ec.EllipticCurvePublicKey) and digest is not None and algorithm & 0xFF == _ECDSA:
        return lambda signature, signed: key.verify(signature, signed, ec.ECDSA(digest))
    if isinstance(key, rsa.RSAPublicKey) and digest is not None:
        isPSS = algorithm in _PSS
        scheme = padding.PSS(padding.MGF1(digest), digest.digest_size) if isPSS else padding.PKCS1v15()
        return lambda signature, signed: key.verify(signature, signed, scheme, digest)
    raise ValueError(f"the signature algorithm {algorithm:#06x} is not known here")
