"""Asking OpenSSL about a path of certificates, or having it build one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeAlias

from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import (
    X509,
    X509Store,
    X509StoreContext,
    X509StoreContextError,
    X509StoreFlags,
)
from OpenSSL.crypto import Error as CryptoError

from tlscomm._openssl.binding import ffi, lib
from tlscomm._openssl.certificates import encodedCertificate
from tlscomm._openssl.errors import clearErrors

__all__ = [
    "PathBuilder",
    "encodedChain",
    "isSignedBy",
    "prepareForPaths",
    "verifyErrorText",
    "verifyPath",
]

#: X509_CHECK_FLAG_NEVER_CHECK_SUBJECT of x509v3.h.
_NEVER_CHECK_SUBJECT = 0x20

#: X509_V_ERR_UNSPECIFIED of x509_vfy.h.
_UNSPECIFIED = 1

#: Whatever was named as an authority is one, its own issuer or not.
_PATH_FLAGS = int(X509StoreFlags.PARTIAL_CHAIN)

#: X509_V_FLAG_NO_CHECK_TIME of x509_vfy.h, and critical extensions that are not known, which a signature is none of.
_SIGNATURE_FLAGS = _PATH_FLAGS | 0x200000 | int(X509StoreFlags.IGNORE_CRITICAL)

#: X509_PURPOSE_ANY of x509v3.h.
_ANY_PURPOSE = 7

#: The chain that OpenSSL has built and accepts, or nothing; then the number of the error and its depth.
_Outcome: TypeAlias = "tuple[tuple[x509.Certificate, ...], int, int]"


def verifyErrorText(number: int) -> str:
    """Return what OpenSSL calls an error of its certificate verification."""
    return str(ffi.string(lib.X509_verify_cert_error_string(number)).decode("ascii", "replace"))


def prepareForPaths(context: SSL.Context) -> None:
    """Make the verification of a context's handshakes that of `verifyPath`."""
    # Else an authority's DNS name constraints would be applied to a common name, which is no DNS name.
    lib.X509_VERIFY_PARAM_set_hostflags(lib.SSL_CTX_get0_param(context._context), _NEVER_CHECK_SUBJECT)
    if (store := context.get_cert_store()) is not None:
        store.set_flags(X509StoreFlags.PARTIAL_CHAIN)


def verifyPath(
    path: Sequence[x509.Certificate], purpose: int, at: datetime
) -> tuple[tuple[x509.Certificate, ...], int, int]:
    """Ask OpenSSL about one path, with nothing else at hand that it could build another one of.

    Args:
        path: the peer's own certificate first, the authority that is trusted last.
        purpose: what the certificates have to be for, an ``X509_PURPOSE_…`` of x509v3.h.
        at: the time to judge for, with a time zone.

    Returns:
        The chain that OpenSSL built, 0 and 0 where it accepts one; the path, the error number and its depth where not.
    """
    store = _store(_readable(path[-1:]), purpose, at)
    chain, number, depth = _built(store, path[0], path[1:-1])
    return chain or (*path,), number, depth


def isSignedBy(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether OpenSSL finds on a certificate the signature of another one's key.

    pyOpenSSL reaches no function for a signature alone. So a path of the two is verified, with as little else as can
    be; what OpenSSL does not accept in that it accepts in no longer one.
    """
    chain, _, _ = _built(_store(_readable([issuer]), _ANY_PURPOSE, None), certificate, ())
    # A certificate that is trusted itself is accepted alone, whatever its signature.
    return len(chain) == 2


class PathBuilder:
    """Builds paths as OpenSSL does in a handshake with a context that was prepared for paths.

    Args:
        anchors: the authorities that are trusted. One that OpenSSL cannot read it does not trust.
    """

    def __init__(self, anchors: Iterable[x509.Certificate]) -> None:
        self._anchors = _readable(anchors)

    def build(self, presented: Sequence[x509.Certificate], purpose: int, at: datetime) -> tuple[x509.Certificate, ...]:
        """Return a path of what a peer has presented that OpenSSL accepts, or nothing where it builds none.

        Args:
            presented: the peer's own certificate first, the others in any order.
            purpose: what the certificates have to be for, an ``X509_PURPOSE_…`` of x509v3.h.
            at: the time to judge for, with a time zone.
        """
        chain, _, _ = _built(_store(self._anchors, purpose, at), presented[0], presented[1:])
        return chain


def _readable(certificates: Iterable[x509.Certificate]) -> list[X509]:
    found = []
    for certificate in certificates:
        with suppress(CryptoError):
            found.append(X509.from_cryptography(certificate))
    return found


def _store(anchors: Iterable[X509], purpose: int, at: datetime | None) -> X509Store:
    """Make a store of authorities; no time matters where none is given, and then hardly anything else."""
    store = X509Store()
    parameters = ffi.gc(lib.X509_VERIFY_PARAM_new(), lib.X509_VERIFY_PARAM_free)
    if at is not None:
        lib.X509_VERIFY_PARAM_set_time(parameters, int(at.timestamp()))
    lib.X509_VERIFY_PARAM_set_flags(parameters, _SIGNATURE_FLAGS if at is None else _PATH_FLAGS)
    lib.X509_VERIFY_PARAM_set_hostflags(parameters, _NEVER_CHECK_SUBJECT)
    lib.X509_STORE_set1_param(store._store, parameters)
    lib.X509_STORE_set_purpose(store._store, purpose)
    for anchor in anchors:
        store.add_cert(anchor)
    return store


def _built(store: X509Store, leaf: x509.Certificate, others: Sequence[x509.Certificate]) -> _Outcome:
    try:
        context = X509StoreContext(
            store, X509.from_cryptography(leaf), [X509.from_cryptography(other) for other in others]
        )
        verified = context.get_verified_chain()
    except X509StoreContextError as refused:
        clearErrors()
        number, depth, *_ = refused.errors
        return (), number, depth
    except CryptoError:
        # It cannot even be read.
        return (), _UNSPECIFIED, 0
    return tuple(certificate.to_cryptography() for certificate in verified), 0, 0


def encodedChain(context: Any) -> list[bytes]:
    """Return the chain that OpenSSL has built in a store context, DER, the peer's own certificate first."""
    stack = lib.X509_STORE_CTX_get1_chain(context)
    if stack == ffi.NULL:
        return []
    # get1 has counted one more reference for each certificate.
    chain = [lib.sk_X509_value(stack, index) for index in range(lib.sk_X509_num(stack))]
    try:
        return [encodedCertificate(each) for each in chain]
    finally:
        for each in chain:
            lib.X509_free(each)
        lib.sk_X509_free(stack)
