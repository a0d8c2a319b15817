"""The only place that uses a private name of Twisted's: that by which a trust root fills a context.

An ``IOpenSSLTrustRoot`` has one method, ``_addCACertsToContext``, and no other way to say whom it trusts. That is
enough for Twisted, which leaves verification to OpenSSL. Our own search for paths and the list of authorities that a
server sends need the certificates. So a trust root is handed a context that notes what it is told.

``tests/test_trustroots.py`` fails when Twisted calls the method otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeAlias

from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import X509, X509Store

from tlscomm.credentials import loadCertificates
from tlscomm.failures import TLSFailure

__all__ = ["certificatesOf"]

_Path: TypeAlias = "str | bytes | os.PathLike[str] | os.PathLike[bytes]"


def certificatesOf(trustRoot: Any) -> tuple[x509.Certificate, ...]:
    """Return the authorities of a provider of Twisted's ``IOpenSSLTrustRoot``, each once.

    None are found where it fills a context by other ways than the three of pyOpenSSL: its store, the default places and
    files.
    """
    context = _NotingContext()
    trustRoot._addCACertsToContext(context)
    return tuple(dict.fromkeys(context.noted))


class _NotingContext(SSL.Context):
    """Notes the authorities that it is told. It is a real context, so what else a trust root does with one works."""

    def __init__(self) -> None:
        super().__init__(SSL.TLS_METHOD)
        self.noted: list[x509.Certificate] = []

    def get_cert_store(self) -> X509Store:
        return _NotingStore(self.noted)

    def set_default_verify_paths(self) -> None:
        from tlscomm.store import systemRoots

        self._note(systemRoots)

    def load_verify_locations(self, cafile: _Path | None, capath: _Path | None = None) -> None:
        for place in (cafile, capath):
            if place is not None:
                self._note(partial(loadCertificates, os.fsdecode(place)))

    def _note(self, load: Callable[[], Iterable[x509.Certificate]]) -> None:
        try:
            self.noted += load()
        except TLSFailure:
            # OpenSSL has read it, or has found nothing in it either. No peer is trusted because of this list.
            return


class _NotingStore(X509Store):
    def __init__(self, noted: list[x509.Certificate]) -> None:
        super().__init__()
        self._noted = noted

    def add_cert(self, cert: X509 | x509.Certificate) -> None:
        self._noted.append(cert if isinstance(cert, x509.Certificate) else cert.to_cryptography())
