"""What a stranger's certificate would cost, found out before it is read or verified.

Anyone can write a certificate of a hundred thousand bytes, and to read it costs in proportion to its parts: some ten
microseconds for each name and each extension, and as much again for each time that it is shown. To verify one signature
costs fifty microseconds or fifty milliseconds, as the key wills. Both are known from the bytes, without reading them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from tlscomm.x509 import _der

__all__ = ["LARGEST", "MOST_PARTS", "partsOf", "priceOfKey", "priceOfSignatures"]

#: Parts of a certificate that is read whatever its author is up to. Those of public authorities for ten names have some
#: 150, and for a hundred names 250.
MOST_PARTS = 256
#: Bytes of it: more than a certificate with keys and signatures of ML-DSA has.
LARGEST = 10_000

_CONSTRUCTED = 0x20
#: What the number of a tag is that stands in the bytes after it (X.690, section 8.1.2.4).
_NUMBER_FOLLOWS = 0x1F
_OCTET_STRING = 4
_SEQUENCE = 0x30

#: Microseconds to verify one signature, measured on the machine of docs/security.rst. OpenSSL has fast code for P-256.
_CURVES = {"1.2.840.10045.3.1.7": 100, "1.3.132.0.33": 120, "1.3.132.0.34": 600, "1.3.132.0.35": 700}
_OTHERS = {
    "1.3.101.112": 140,  # Ed25519
    "1.3.101.113": 240,  # Ed448
    "2.16.840.1.101.3.4.3.17": 170,  # ML-DSA-44
    "2.16.840.1.101.3.4.3.18": 260,  # ML-DSA-65
    "2.16.840.1.101.3.4.3.19": 410,  # ML-DSA-87
}
_RSA = frozenset({"1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10"})
_DSA = "1.2.840.10040.4.1"
_EC = "1.2.840.10045.2.1"

#: Of the kinds of keys that are in no table.
_UNKNOWN = 3000


def partsOf(encoded: bytes, most: int) -> int:
    """Return how many elements some DER has, those within octet strings included; `most` where it has more.

    Nothing is read of them but tags and lengths, and nothing of those that are not needed for the answer. What seems to
    be longer than what encloses it is no element: a parser either refuses that, or does not look into what encloses it.
    No element of a certificate has a tag of more than one byte, so with one of these it has more as well.
    """
    offset, count, last = 0, 0, len(encoded)
    around: list[int] = []
    while count < most:
        while offset + 1 >= last:
            if not around:
                return count
            offset, last = last, around.pop()
        count += 1
        tag, length = encoded[offset], encoded[offset + 1]
        if tag & _NUMBER_FOLLOWS == _NUMBER_FOLLOWS:
            return most
        offset += 2
        if length > 0x80:
            size = length & 0x7F
            length = int.from_bytes(encoded[offset : offset + min(size, 8)], "big")
            offset += size
        end = offset + length
        if end > last:
            offset = last
        # What encloses others is stepped into, and so is the value of an extension.
        elif tag & _CONSTRUCTED or (tag == _OCTET_STRING and encoded[offset : offset + 1] == b"\x30"):
            around.append(last)
            last = end
        else:
            offset = end
    return count


def priceOfKey(encoded: bytes) -> int:
    """Return what it costs to verify one signature with the key of a certificate (DER), in microseconds, roughly.

    A key that cannot be taken apart costs nothing, because no signature is verified with it.
    """
    return _price(_keyInfo(encoded))


def priceOfSignatures(path: Sequence[bytes], most: int) -> int:
    """Return what it costs to verify the signatures on a path, in microseconds; or something above `most`.

    Args:
        path: DER, the end entity's certificate first.
        most: after that no more keys are looked at.
    """
    price = 0
    for encoded in path[1:]:
        price += priceOfKey(encoded)
        if price > most:
            break
    return price


def _keyInfo(encoded: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo of a certificate (RFC 5280, section 4.1), or what is in its place."""
    offset = _content(encoded, _content(encoded, 0)[0])[0]
    # The version has a tag of its own, and is left out in certificates of the first.
    for _ in range(6 if encoded[offset : offset + 1] == b"\xa0" else 5):
        offset = _content(encoded, offset)[1]
    return encoded[offset : _content(encoded, offset)[1]]


def _content(encoded: bytes, offset: int) -> tuple[int, int]:
    """Return where the content of an element begins and ends."""
    length, start = encoded[offset + 1] if offset + 1 < len(encoded) else 0, offset + 2
    if length > 0x80:
        start += length & 0x7F
        length = int.from_bytes(encoded[offset + 2 : min(start, offset + 10)], "big")
    return start, start + length


@lru_cache(maxsize=256)
def _price(encoded: bytes) -> int:
    try:
        return _priceOf(_der.first(encoded))
    except (_der.Malformed, IndexError):
        # No signature is verified with a key that cannot be taken apart.
        return 0


def _priceOf(info: _der.Element) -> int:
    algorithm, key = info.parts(_der.SEQUENCE, _der.BIT_STRING)[:2]
    kind, parameters = algorithm.algorithm()
    if kind in _RSA:
        modulus, exponent = (len(each.value.lstrip(b"\0")) * 8 for each in _der.first(key.value, 1).parts()[:2])
        return int(34 * (modulus / 2048) ** 2 * max(1.0, exponent / 17))
    if kind == _EC:
        return _priceOfCurve(parameters, len(key.value))
    if kind == _DSA and parameters is not None:
        return int(400 * (len(parameters.parts()[0].value) / 256) ** 3)
    return _OTHERS.get(kind, _UNKNOWN)


def _priceOfCurve(parameters: _der.Element | None, size: int) -> int:
    if parameters is not None and parameters.tag == _der.OBJECT_IDENTIFIER:
        named = _CURVES.get(parameters.identifier())
        if named is not None:
            return named
    # The key is a point: two coordinates, or one. Without a table of its own a curve costs by the cube of its length.
    bits = 8 * (size - 2) / (2 if size > 100 or size % 2 == 0 else 1)
    return int(480 * max(1.0, bits / 256) ** 2.1)
