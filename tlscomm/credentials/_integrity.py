"""The integrity check of PKCS#12: its MAC (RFC 7292, section 4), or PBMAC1 (RFC 9579).

It tells a wrong pass phrase from a damaged file, for which `cryptography` has one text. The key derivation of PKCS#12
is not in `cryptography`, apart from the loader that pays what a file asks for.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from cryptography.hazmat.primitives.hmac import HMAC

from tlscomm.credentials._cost import Unsupported, Work, bounded, saltOf
from tlscomm.credentials._passphrase import Spelling
from tlscomm.credentials._pbes2 import derivationOf, hmacOf
from tlscomm.x509._der import OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, Element, Malformed, encode

__all__ = ["isIntact", "sealed"]

_DIGESTS = {
    "1.2.840.113549.2.5": "md5",
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.5": "sha512_224",
    "2.16.840.1.101.3.4.2.6": "sha512_256",
    "2.16.840.1.101.3.4.2.7": "sha3_224",
    "2.16.840.1.101.3.4.2.8": "sha3_256",
    "2.16.840.1.101.3.4.2.9": "sha3_384",
    "2.16.840.1.101.3.4.2.10": "sha3_512",
    "1.2.156.10197.1.401": "sm3",
}
_PBMAC1 = "1.2.840.113549.1.5.14"

#: RFC 7292, appendix B.3: what a derived value is for.
_FOR_MAC = b"\3"

Hash: TypeAlias = Callable[..., Any]


def isIntact(check: Element, content: bytes, spelling: Spelling, work: Work) -> bool:
    """Whether a pass phrase and a MacData fit the content of a PFX.

    Raises:
        Malformed: it is no MacData.
        Unsupported: it is of a kind that is not supported, or costs too much.
    """
    digestInfo, salt, *iterations = check.parts(SEQUENCE, OCTET_STRING)
    algorithm, digest, *_ = digestInfo.parts(SEQUENCE, OCTET_STRING)
    identifier, parameters = algorithm.algorithm()
    if identifier == _PBMAC1:
        return _isIntactByPBMAC1(parameters, digest.value, content, spelling, work)
    function, salted = _hashOf(identifier), saltOf(salt)
    count = bounded("PKCS#12's key derivation", iterations[0].integer() if iterations else 1, 1)
    work.spend(count)
    return hmac.compare_digest(_mac(function, salted, count, content, spelling), digest.value)


def sealed(content: bytes, spelling: Spelling) -> bytes:
    """Return a MacData that a pass phrase in one spelling fits: SHA-1, without a salt and with one round."""
    algorithm = encode(SEQUENCE, encode(OBJECT_IDENTIFIER, bytes.fromhex("2b0e03021a")))
    digest = _mac(_hashOf("1.3.14.3.2.26"), b"", 1, content, spelling)
    return encode(SEQUENCE, encode(SEQUENCE, algorithm, encode(OCTET_STRING, digest)), encode(OCTET_STRING))


def _isIntactByPBMAC1(
    parameters: Element | None, digest: bytes, content: bytes, spelling: Spelling, work: Work
) -> bool:
    if parameters is None:
        raise Malformed("the integrity check has no parameters")
    function, scheme, *_ = parameters.parts(SEQUENCE, SEQUENCE)
    algorithm = hmacOf(scheme)
    derivation = derivationOf(function, algorithm.digest_size)
    work.spend(derivation.rounds)
    mac = HMAC(derivation.derive(spelling, algorithm.digest_size), algorithm)
    mac.update(content)
    return hmac.compare_digest(mac.finalize(), digest)


def _hashOf(identifier: str) -> Hash:
    name = _DIGESTS.get(identifier, "")
    if name not in hashlib.algorithms_available:
        raise Unsupported(f"its hash function {identifier} is not supported")
    # Where a policy forbids an old function, it does so for new signatures.
    return partial(getattr(hashlib, name, partial(hashlib.new, name)), usedforsecurity=False)


def _mac(function: Hash, salt: bytes, count: int, content: bytes, spelling: Spelling) -> bytes:
    # RFC 7292, appendix B.2. The key of a MAC is as long as one digest, so the steps that make more are left out.
    block = function().block_size
    derived = _FOR_MAC * block + _repeated(salt, block) + _repeated(spelling.wide, block)
    for _ in range(count):
        derived = function(derived).digest()
    return hmac.digest(derived, content, function)


def _repeated(value: bytes, block: int) -> bytes:
    # Up to the next whole block; nothing stays nothing.
    size = -(-len(value) // block) * block
    return (value * (size // len(value) + 1))[:size] if value else b""
