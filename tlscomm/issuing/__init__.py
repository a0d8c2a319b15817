"""Certificate authorities for development, demonstrations and tests, and the gallery of faulty certificates.

Mutual TLS needs three certificates before the first byte can be exchanged, and making them by hand is where most people
give up, or switch verification off. Here an `Authority` is one call, a credential another, and both are right without a
further argument. A test that needs a certificate that is wrong says so: every extension can be replaced or left out,
every time, key and serial number given. The `Gallery` has one for every failure that a certificate can cause.
"""

from tlscomm._lazy import lazyFace

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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.issuing._authority import Authority, withBadSignature
    from tlscomm.issuing._certificates import Extension, Purpose
    from tlscomm.issuing._development import (
        DEVELOPMENT_HOSTS,
        DevelopmentAuthority,
        ensureDevelopmentAuthority,
        writeDevelopmentAuthority,
    )
    from tlscomm.issuing._gallery import EXHIBITS, Exhibit, Gallery, Judge, writeGallery
else:
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "Authority": "tlscomm.issuing._authority",
            "DEVELOPMENT_HOSTS": "tlscomm.issuing._development",
            "DevelopmentAuthority": "tlscomm.issuing._development",
            "EXHIBITS": "tlscomm.issuing._gallery",
            "Exhibit": "tlscomm.issuing._gallery",
            "Extension": "tlscomm.issuing._certificates",
            "Gallery": "tlscomm.issuing._gallery",
            "Judge": "tlscomm.issuing._gallery",
            "Purpose": "tlscomm.issuing._certificates",
            "ensureDevelopmentAuthority": "tlscomm.issuing._development",
            "withBadSignature": "tlscomm.issuing._authority",
            "writeDevelopmentAuthority": "tlscomm.issuing._development",
            "writeGallery": "tlscomm.issuing._gallery",
        },
    )
