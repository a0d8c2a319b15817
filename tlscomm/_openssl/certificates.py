"""Certificates between OpenSSL and `cryptography`.

In every handshake OpenSSL has the peer's chain, and the rules look at it as `cryptography` reads it. The same peers
come again, and the same authorities with all of them. So what was read is kept, and is found by all of its bytes: two
certificates that differ in anything are two, and whether one is valid or trusted is decided anew each time.

`cryptography` reads names and dates when they are asked for, and OpenSSL all of them at once; with a name that is no
UTF-8, for one, it has no certificate at all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL.crypto import X509
from OpenSSL.crypto import Error as CryptoError

from tlscomm._openssl.binding import ffi, lib
from tlscomm._openssl.errors import clearErrors

__all__ = ["ReadChain", "decodingFault", "encodedCertificate", "encodings", "readCertificate"]

#: What OpenSSL adds for each structure that encloses what it could not read.
_ENCLOSING = "nested asn1 error"

#: Certificates that are kept, and the bytes of the largest of them: 8 MiB at most.
_MOST_KEPT = 1024
_LARGEST_KEPT = 1 << 13

_BUFFER_SIZE = 1 << 14


class _Scratch(threading.local):
    """Where OpenSSL writes certificates, one for each thread."""

    def __init__(self) -> None:
        self.buffer = ffi.new("char[]", _BUFFER_SIZE)
        self.view = ffi.buffer(self.buffer)
        self.empty()

    def empty(self) -> None:
        self.memory = ffi.gc(lib.BIO_new(lib.BIO_s_mem()), lib.BIO_free)


_scratch = _Scratch()


def encodedCertificate(certificate: Any) -> bytes:
    """Return a certificate in OpenSSL's form as the DER that came.

    To load a certificate and to write it again costs more than a stranger is granted.
    """
    scratch = _scratch
    if not lib.i2d_X509_bio(scratch.memory, certificate):
        clearErrors()
        scratch.empty()
        raise ValueError("OpenSSL cannot write this certificate")
    encoded: bytes = scratch.view[: lib.BIO_read(scratch.memory, scratch.buffer, _BUFFER_SIZE)]
    if len(encoded) < _BUFFER_SIZE:
        return encoded
    parts = [encoded]
    while (count := lib.BIO_read(scratch.memory, scratch.buffer, _BUFFER_SIZE)) > 0:
        parts.append(scratch.view[:count])
    return b"".join(parts)


def readCertificate(encoded: bytes) -> x509.Certificate:
    """Return a certificate (DER) that a peer has shown; the latest ones are kept, unless they are large."""
    return _kept(encoded) if len(encoded) <= _LARGEST_KEPT else x509.load_der_x509_certificate(encoded)


_kept = lru_cache(maxsize=_MOST_KEPT)(x509.load_der_x509_certificate)


class ReadChain(tuple[x509.Certificate, ...]):
    """Certificates that a peer has shown, read, and the DER that they were read from.

    Attributes:
        encoded: the DER of each, by which a judgement on them can be found without reading or writing anything.
    """

    encoded: tuple[bytes, ...]

    @classmethod
    def of(cls, encoded: Iterable[bytes], *, isStrangers: bool = False) -> ReadChain:
        """Read certificates.

        Args:
            encoded: the DER of each.
            isStrangers: whether they may be of any stranger's making, and are therefore not kept.

        Raises:
            ValueError: one cannot be read.
        """
        found = tuple(encoded)
        chain = cls(map(x509.load_der_x509_certificate if isStrangers else readCertificate, found))
        chain.encoded = found
        return chain


def encodings(certificates: Sequence[x509.Certificate]) -> tuple[bytes, ...]:
    """Return the DER of certificates."""
    if isinstance(certificates, ReadChain):
        return certificates.encoded
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)


def decodingFault(certificate: x509.Certificate) -> str:
    """Return why OpenSSL cannot read a certificate, in its words; nothing where it can."""
    try:
        X509.from_cryptography(certificate)
    except CryptoError as error:
        reasons = [str(entry[-1]) for entry in error.args[0]] if error.args else []
        return next((reason for reason in reasons if reason != _ENCLOSING), "it is not well-formed")
    return ""
