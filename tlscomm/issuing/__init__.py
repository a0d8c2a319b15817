"""Certificate authorities for development, demonstrations and tests, and the gallery of faulty certificates.

Mutual TLS needs three certificates before the first byte can be exchanged, and making them by hand is where most people
give up, or switch verification off. Here an `Authority` is one call, a credential another, and both are right without a
further argument. A test that needs a certificate that is wrong says so: every extension can be replaced or left out,
every time, key and serial number given. The `Gallery` has one for every failure that a certificate can cause.
"""

from tlscomm.issuing._authority import (
    DEVELOPMENT_HOSTS,
    Authority,
    DevelopmentAuthority,
    ensureDevelopmentAuthority,
    withBadSignature,
    writeDevelopmentAuthority,
)
from tlscomm.issuing._certificates import Extension, Purpose
from tlscomm.issuing._gallery import EXHIBITS, Exhibit, Gallery, Judge, writeGallery

__all__ = [
    "DEVELOPMENT_HOSTS",
    "EXHIBITS",
    "Authority",
    "DevelopmentAuthority",
    "Exhibit",
    "Extension",
    "Gallery",
    "Judge",
    "Purpose",
    "ensureDevelopmentAuthority",
    "withBadSignature",
    "writeDevelopmentAuthority",
    "writeGallery",
]
