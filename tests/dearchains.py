"""The dearest chains that a stranger can send in the 100 KB that OpenSSL takes, each put together byte by byte."""

from __future__ import annotations

import hashlib
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import SSL, crypto

__all__ = ["KEY", "answer", "contextShowing", "dearChains"]

#: What OpenSSL takes of a peer's certificates (SSL_CTX_set_max_cert_list(3)), with a length of three bytes before each.
ROOM = 100_000

KEY = ec.derive_private_key(0x1234567, ec.SECP256R1())

_CRITICAL = b"\x01\x01\xff"
_ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2"
_BASIC, _NAMES, _CONSTRAINTS, _POLICIES, _MAPPINGS = "2.5.29.19", "2.5.29.17", "2.5.29.30", "2.5.29.32", "2.5.29.33"
_AKI, _PURPOSES, _POINTS = "2.5.29.35", "2.5.29.37", "2.5.29.31"


def dearChains(authority: x509.Certificate) -> Iterator[tuple[str, list[bytes]]]:
    """Give each chain with what is dear in it, its leaf first; the key of every leaf is `KEY`.

    Args:
        authority: the one that the server trusts, whose name a stranger can write as well.
    """
    ours = authority.subject.public_bytes()
    for title, chain in _chains(ours):
        yield title, _fitting(chain)


def contextShowing(chain: Sequence[bytes], key: Any = KEY) -> SSL.Context:
    """Return a context whose connections show some certificates (DER), however bad they are."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    leaf, *others = (crypto.load_certificate(crypto.FILETYPE_ASN1, each) for each in chain)
    with warnings.catch_warnings():
        # Not all of them can be loaded by `cryptography`, which pyOpenSSL would rather be given.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.use_certificate(leaf)
        for other in others:
            context.add_extra_chain_cert(other)
    context.use_privatekey(key)
    return context


def answer(connection: SSL.Connection, flight: bytes) -> bytes:
    """Have a connection of OpenSSL take a flight, and return what it says to it."""
    if flight:
        connection.bio_write(flight)
    with suppress(SSL.Error):
        connection.do_handshake()
    with suppress(SSL.Error):
        return connection.bio_read(1 << 20)
    return b""


def _chains(ours: bytes) -> Iterator[tuple[str, Iterator[bytes]]]:
    yield "nothing, an unknown issuer", iter([_certificate(name("leaf"), name("unknown"))])
    for whose, issuer in (("unknown", name("unknown")), ("our authority", ours)):
        for title, extensions in _extensions():
            yield f"{title}, issuer {whose}", iter([_certificate(name("leaf"), issuer, extensions)])
        for title, subject in _subjects():
            yield f"{title}, issuer {whose}", iter([_certificate(subject, issuer)])
    yield "a serial number of 95 KB", iter([_certificate(name("leaf"), ours, serial=b"\x7f" * 95_000)])
    yield "constraints above as many names", _constrained(ours)
    yield "policies and mappings in ten certificates", _mapped(ours)
    for title, top in (("unknown", name("top")), ("our authority", ours)):
        yield f"tiny certificates of one name, up to {title}", _same(name("one"), top)
        yield f"each issued by the next, up to {title}", _line(top)
        yield f"a mesh of all names with all, up to {title}", _mesh(top)
        for key, sign, algorithm in _dearKeys():
            yield f"{key}, up to {title}", _levels(top, sign, algorithm)
            yield f"{key}, a mesh up to {title}", _levels(top, sign, algorithm, 3)
    yield "tiny certificates of our authority's name", _same(ours, ours)


def _fitting(chain: Iterator[bytes]) -> list[bytes]:
    fitting, room = [], ROOM
    for each in chain:
        room -= len(each) + 5
        if room < 0:
            break
        fitting.append(each)
    return fitting


# Parts of certificates.


def tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def seq(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def integer(number: int) -> bytes:
    return tlv(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def oid(text: str) -> bytes:
    first, second, *others = map(int, text.split("."))
    content = bytearray()
    for arc in (40 * first + second, *others):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(0x80 | (arc & 0x7F))
        content += bytes(reversed(digits))
    return tlv(6, bytes(content))


def commonName(text: str) -> bytes:
    return tlv(0x31, seq(oid("2.5.4.3"), tlv(0x0C, text.encode())))


def name(*texts: str) -> bytes:
    return seq(*map(commonName, texts))


def extension(kind: str, value: bytes, *, critical: bool = False) -> bytes:
    return seq(oid(kind), _CRITICAL if critical else b"", tlv(4, value))


_AUTHORITY = extension(_BASIC, seq(_CRITICAL), critical=True)

_NOW = datetime.now(timezone.utc)
_VALIDITY = seq(*(tlv(0x17, f"{_NOW + timedelta(days=days):%y%m%d%H%M%SZ}".encode()) for days in (-1, 300)))

Sign = Callable[[bytes], bytes]


def _signed(content: bytes) -> bytes:
    return KEY.sign(content, ec.ECDSA(hashes.SHA256()))


def _keyInfo(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


_OURS = _keyInfo(KEY.public_key())
_ALGORITHM = seq(oid(_ECDSA_WITH_SHA256))


def _certificate(
    subject: bytes,
    issuer: bytes,
    extensions: bytes = b"",
    *,
    serial: bytes = b"\x05",
    key: bytes = _OURS,
    sign: Sign = _signed,
    algorithm: bytes = _ALGORITHM,
) -> bytes:
    version = tlv(0xA0, integer(2)) if extensions else b""
    more = tlv(0xA3, seq(extensions)) if extensions else b""
    content = seq(version, tlv(2, serial), algorithm, issuer, _VALIDITY, subject, key, more)
    return seq(content, algorithm, tlv(3, b"\0", sign(content)))


# What one certificate can hold.


def _extensions() -> Iterator[tuple[str, bytes]]:
    def dns(count: int) -> bytes:
        return b"".join(tlv(0x82, f"a{number}.example.org".encode()) for number in range(count))

    yield "4,000 alternative names", extension(_NAMES, seq(dns(4000)))
    yield "30,000 names of a letter", extension(_NAMES, seq(tlv(0x82, b"a") * 30_000))
    directory = tlv(0xA4, name("n"))
    yield "5,000 directory names", extension(_NAMES, seq(directory * 5000))
    yield "12,000 addresses", extension(_NAMES, seq(tlv(0x87, b"\x7f\0\0\1") * 12_000))
    yield "a name of 95 KB", extension(_NAMES, seq(tlv(0x82, b"a." * 47_500)))
    unknown = b"".join(extension(f"1.3.6.1.4.1.9.{number}", b"\5\0", critical=True) for number in range(4000))
    yield "4,000 unknown critical extensions", unknown
    policies = b"".join(seq(oid(f"1.3.6.1.4.1.9.{number}")) for number in range(7000))
    yield "7,000 policies", extension(_POLICIES, seq(policies))
    purposes = b"".join(oid(f"1.3.6.1.4.1.9.{number}") for number in range(9000))
    yield "9,000 purposes", extension(_PURPOSES, seq(purposes))
    yield "5,000 names of the issuer's issuer", extension(_AKI, seq(tlv(0xA1, directory * 5000), tlv(0x82, b"\5")))
    address = tlv(0xA0, tlv(0xA0, tlv(0x86, b"http://a/")))
    yield "4,500 distribution points", extension(_POINTS, seq(seq(address) * 4500))
    nested = b""
    for _ in range(20_000):
        nested = tlv(0x30, nested) if len(nested) < 95_000 else nested
    yield "structures within structures", extension("1.3.6.1.4.1.9.1", nested, critical=True)
    yield "an identifier of 95 KB", seq(tlv(6, b"\x2a" + b"\x81" * 94_000 + b"\1"), tlv(4, b"\5\0"))


def _subjects() -> Iterator[tuple[str, bytes]]:
    yield "5,000 common names", name(*(f"n{number}" for number in range(5000)))
    yield "a common name of 95 KB", name("x" * 95_000)
    yield "a common name of 31,000 line breaks", name("\u2028" * 31_000)
    together = b"".join(seq(oid("2.5.4.3"), tlv(0x0C, str(number).encode())) for number in range(6000))
    yield "6,000 common names in one part", seq(tlv(0x31, together))


# Graphs.


def _same(one: bytes, top: bytes) -> Iterator[bytes]:
    """As many as there is room for, with a key and a signature as short as can be."""
    key = _keyInfo(ed25519.Ed25519PrivateKey.from_private_bytes(b"k" * 32).public_key())
    algorithm = seq(oid("1.3.101.112"))
    yield _certificate(name("leaf"), one)
    for number in range(2000):
        serial = number.to_bytes(2, "big")
        yield _certificate(
            one, top, _AUTHORITY, serial=b"\1" + serial, key=key, sign=partial(_nonsense, 1), algorithm=algorithm
        )


def _line(top: bytes) -> Iterator[bytes]:
    yield _certificate(name("leaf"), name("0"))
    for number in range(1000):
        yield _certificate(name(f"{number}"), name(f"{number + 1}"), _AUTHORITY)
        # The beginning of the path has to be there whatever is cut.
        if number < 8:
            yield _certificate(name(f"{number}"), top, _AUTHORITY)


def _mesh(top: bytes, size: int = 18) -> Iterator[bytes]:
    names = [name(f"m{number}") for number in range(size)]
    yield _certificate(name("leaf"), names[0])
    for subject in names:
        for issuer in (top, *names):
            if issuer != subject:
                yield _certificate(subject, issuer, _AUTHORITY)


def _levels(top: bytes, sign: tuple[bytes, Sign], algorithm: bytes, wide: int = 1) -> Iterator[bytes]:
    """Levels of authorities, each with one key whose signatures are dear, several certificates for each."""
    key, signature = sign
    names = [name(f"l{number}") for number in range(8)]
    yield _certificate(name("leaf"), names[0], sign=signature, algorithm=algorithm)
    for number in range(40):
        for subject, issuer in zip(names, (*names[1:], top), strict=True):
            if number < wide:
                serial = bytes([1, number])
                yield _certificate(
                    subject, issuer, _AUTHORITY, serial=serial, key=key, sign=signature, algorithm=algorithm
                )


def _constrained(ours: bytes) -> Iterator[bytes]:
    domains = [f"a{number}.b".encode() for number in range(3000)]
    yield _certificate(name("leaf"), name("c0"), extension(_NAMES, seq(*(tlv(0x82, each) for each in domains))))
    for number in range(8):
        subtrees = seq(*(seq(tlv(0x82, b"x" + each)) for each in domains[:400]))
        constraints = extension(_CONSTRAINTS, seq(tlv(0xA0, subtrees[4:])), critical=True)
        above = ours if number == 7 else name(f"c{number + 1}")
        yield _certificate(name(f"c{number}"), above, _AUTHORITY + constraints)


def _mapped(ours: bytes) -> Iterator[bytes]:
    policies = [oid(f"1.3.6.1.4.1.9.{number}") for number in range(280)]
    named = extension(_POLICIES, seq(*map(seq, policies)))
    mapped = extension(_MAPPINGS, seq(*(seq(one, other) for one in policies[:15] for other in policies[:15])))
    yield _certificate(name("leaf"), name("p0"), named)
    for number in range(9):
        above = ours if number == 8 else name(f"p{number + 1}")
        yield _certificate(name(f"p{number}"), above, _AUTHORITY + named + mapped)


# Keys.


def _dearKeys() -> Iterator[tuple[str, tuple[bytes, Sign], bytes]]:
    for bits, exponent in ((2048, 2048), (3072, 3072), (8192, 64), (16384, 64), (16384, 16384)):
        yield f"RSA of {bits} bits, exponent of {exponent}", _rsa(bits, exponent), _RSA_WITH_SHA256
    for curve in (ec.SECP384R1(), ec.SECP521R1(), ec.BrainpoolP512R1()):
        private = ec.generate_private_key(curve)
        sign = partial(_withCurve, private)
        yield curve.name, (_keyInfo(private.public_key()), sign), _ALGORITHM
    generated = mldsa.MLDSA87PrivateKey.generate()
    public = generated.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    yield "ML-DSA-87", (public, generated.sign), seq(oid("2.16.840.1.101.3.4.3.19"))
    for title, arc, size, length in (("128s", 20, 32, 7856), ("128f", 21, 32, 17088), ("256f", 25, 64, 49856)):
        algorithm = seq(oid(f"2.16.840.1.101.3.4.3.{arc}"))
        key = seq(algorithm, tlv(3, b"\0", b"\x5a" * size))
        yield f"SLH-DSA-SHA2-{title}", (key, partial(_nonsense, length)), algorithm
    yield "DSA of 3,072 bits", _dsa(3072), seq(oid("2.16.840.1.101.3.4.3.2"))
    yield "DSA of 10,000 bits", _dsa(10_000), seq(oid("2.16.840.1.101.3.4.3.2"))


_RSA_WITH_SHA256 = seq(oid("1.2.840.113549.1.1.11"), b"\5\0")


def _withCurve(private: ec.EllipticCurvePrivateKey, content: bytes) -> bytes:
    return private.sign(content, ec.ECDSA(hashes.SHA256()))


def _nonsense(length: int, _content: bytes) -> bytes:
    return b"\x5a" * length


def _rsa(bits: int, exponentBits: int) -> tuple[bytes, Sign]:
    """Return a key that is a product of small primes, so that it is made, and signs, at once."""
    primes = [_PRIMES[index % len(_PRIMES)] for index in range(bits // 512)] if bits <= 3072 else []
    if not primes:
        modulus = random.getrandbits(bits) | 1 << bits - 1 | 1
        exponent = random.getrandbits(exponentBits) | 1 << exponentBits - 1 | 1
        signature = b"\0" + b"\x5a" * (bits // 8 - 1)
        return _rsaInfo(modulus, exponent), lambda _: signature
    modulus, totient = 1, 1
    for prime in primes:
        modulus, totient = modulus * prime, totient * (prime - 1)
    while True:
        exponent = random.getrandbits(exponentBits - 1) | 1 << exponentBits - 2 | 1
        try:
            inverse = pow(exponent, -1, totient)
        except ValueError:
            continue
        break

    def sign(content: bytes) -> bytes:
        prefix = bytes.fromhex("3031300d060960864801650304020105000420")
        digest = prefix + hashlib.sha256(content).digest()
        size = bits // 8
        padded = int.from_bytes(b"\0\1" + b"\xff" * (size - 3 - len(digest)) + b"\0" + digest, "big")
        signature = 0
        for prime in primes:
            rest = modulus // prime
            signature += pow(padded % prime, inverse % (prime - 1), prime) * rest * pow(rest, -1, prime)
        return (signature % modulus).to_bytes(size, "big")

    return _rsaInfo(modulus, exponent), sign


_PRIMES = [rsa.generate_private_key(65537, 1024).private_numbers().p for _ in range(6)]


def _rsaInfo(modulus: int, exponent: int) -> bytes:
    return seq(seq(oid("1.2.840.113549.1.1.1"), b"\5\0"), tlv(3, b"\0", seq(integer(modulus), integer(exponent))))


def _dsa(bits: int) -> tuple[bytes, Sign]:
    p, q = (random.getrandbits(size) | 1 << size - 1 | 1 for size in (bits, 256))
    g, y = (random.getrandbits(bits - 1) for _ in range(2))
    key = seq(seq(oid("1.2.840.10040.4.1"), seq(integer(p), integer(q), integer(g))), tlv(3, b"\0", integer(y)))
    signature = seq(integer(q - 7), integer(q - 5))
    return key, lambda _: signature
