"""A private key in the form that a context of pyOpenSSL takes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tlscomm.credentials._passphrase import Secret

__all__ = ["contextKey", "unwarned"]

#: pyOpenSSL 26.4 takes none of these of `cryptography`'s, and its OpenSSL signs with them.
_UNTAKEN = (mldsa.MLDSA44PrivateKey, mldsa.MLDSA65PrivateKey, mldsa.MLDSA87PrivateKey)


def contextKey(key: PrivateKeyTypes | None) -> Any:
    """Return a private key as an argument of pyOpenSSL's ``Context.use_privatekey``, and of Twisted's options.

    A key of ML-DSA becomes one of pyOpenSSL's own. With these it warns that it would rather be given `cryptography`'s.
    """
    if not isinstance(key, _UNTAKEN):
        return key
    from OpenSSL import crypto

    encoded = Secret(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    return crypto.load_privatekey(crypto.FILETYPE_ASN1, encoded.value)


@contextmanager
def unwarned(key: PrivateKeyTypes | None) -> Iterator[None]:
    """Keep pyOpenSSL's warning back while a context takes such a key."""
    if not isinstance(key, _UNTAKEN):
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Passing pyOpenSSL PKey objects", DeprecationWarning)
        yield
