"""The certificates that the operating system keeps for all its programs.

On Windows they are in its own stores, which Python's `ssl.enum_certificates` reads: the certificates alone, for it does
not give private keys. Elsewhere they are files where OpenSSL looks for them, and the trusted authorities alone.
"""

from __future__ import annotations

import ssl
import sys
import warnings
from collections.abc import Iterable
from contextlib import suppress

from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning

from tlscomm.credentials import loadCertificates
from tlscomm.failures import FileNotFound

__all__ = ["systemCertificates", "systemRoots"]


def systemRoots() -> tuple[x509.Certificate, ...]:
    """Load the authorities that the operating system trusts: on Windows its own, elsewhere where OpenSSL looks.

    The environment variables ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` move the latter, as they do for OpenSSL.

    Raises:
        FileNotFound: there are none.
        TLSFailure: they cannot be read.
    """
    with warnings.catch_warnings():
        # An authority of old may have a serial number that is not allowed today. The user cannot mend it.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        found = tuple(systemCertificates("Root"))
    if not found:
        raise FileNotFound("this system has no trusted authorities where OpenSSL looks for them")
    return found


if sys.platform == "win32":

    def systemCertificates(name: str) -> Iterable[x509.Certificate]:
        """Give the certificates of the operating system's store of this name.

        Raises:
            TLSFailure: they cannot be read.
        """
        for content, encoding, _ in ssl.enum_certificates(name):
            if encoding == "x509_asn":
                # What Windows keeps and cryptography does not parse cannot be used here.
                with suppress(ValueError):
                    yield x509.load_der_x509_certificate(content)

else:

    def systemCertificates(name: str) -> Iterable[x509.Certificate]:
        """Give the certificates of the operating system's store of this name; elsewhere there is ``Root`` alone.

        Raises:
            TLSFailure: they cannot be read.
        """
        paths = ssl.get_default_verify_paths()
        bundle = paths.cafile or paths.capath
        return () if name != "Root" or bundle is None else loadCertificates(bundle)
