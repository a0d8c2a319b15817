"""Asking OpenSSL about a path of certificates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import X509, X509Store, X509StoreContext, X509StoreContextError, X509StoreFlags
from OpenSSL.crypto import Error as CryptoError

from tlscomm._openssl.binding import ffi, lib
from tlscomm._openssl.errors import clearErrors

__all__ = ["builtChain", "prepareForPaths", "verifyErrorText", "verifyPath"]

#: X509_CHECK_FLAG_NEVER_CHECK_SUBJECT of x509v3.h.
_NEVER_CHECK_SUBJECT = 0x20

#: X509_V_ERR_UNSPECIFIED of x509_vfy.h.
_UNSPECIFIED = 1

#: Whatever was named as an authority is one, its own issuer or not.
_PATH_FLAGS = X509StoreFlags.PARTIAL_CHAIN


def verifyErrorText(number: int) -> str:
    """Return what OpenSSL calls an error of its certificate verification."""
    return str(ffi.string(lib.X509_verify_cert_error_string(number)).decode("ascii", "replace"))


def prepareForPaths(context: SSL.Context) -> None:
    """Make the verification of a context's handshakes that of `verifyPath`."""
    # Else an authority's DNS name constraints would be applied to a common name, which is no DNS name.
    lib.X509_VERIFY_PARAM_set_hostflags(lib.SSL_CTX_get0_param(context._context), _NEVER_CHECK_SUBJECT)
    if (store := context.get_cert_store()) is not None:
        store.set_flags(_PATH_FLAGS)


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
    store = X509Store()
    parameters = ffi.gc(lib.X509_VERIFY_PARAM_new(), lib.X509_VERIFY_PARAM_free)
    lib.X509_VERIFY_PARAM_set_time(parameters, int(at.timestamp()))
    lib.X509_VERIFY_PARAM_set_flags(parameters, int(_PATH_FLAGS))
    lib.X509_VERIFY_PARAM_set_hostflags(parameters, _NEVER_CHECK_SUBJECT)
    lib.X509_STORE_set1_param(store._store, parameters)
    lib.X509_STORE_set_purpose(store._store, purpose)
    try:
        leaf, *issuers = (X509.from_cryptography(certificate) for certificate in path)
        store.add_cert(issuers[-1] if issuers else leaf)
        verified = X509StoreContext(store, leaf, issuers[:-1]).get_verified_chain()
    except X509StoreContextError as refused:
        clearErrors()
        number, depth, *_ = refused.errors
        return (*path,), number, depth
    except CryptoError:
        # It cannot even be read.
        return (*path,), _UNSPECIFIED, 0
    return tuple(certificate.to_cryptography() for certificate in verified), 0, 0


def builtChain(context: Any) -> list[x509.Certificate]:
    """Return the chain that OpenSSL has built in a store context, the peer's own certificate first."""
    stack = lib.X509_STORE_CTX_get1_chain(context)
    if stack == ffi.NULL:
        return []
    stack = ffi.gc(stack, lib.sk_X509_free)
    chain = []
    for index in range(lib.sk_X509_num(stack)):
        # get1 has counted one more reference for each certificate, which the X509 object takes over.
        chain.append(X509._from_raw_x509_ptr(lib.sk_X509_value(stack, index)).to_cryptography())
    return chain
