"""Whether a certificate is an X.509-SVID, the form of certificate that has a SPIFFE id, and whose.

The rules are those of the standard X509-SVID: one URI and no other (section 2), a path for whom it identifies (3.1), no
authority's certificate (4.1), signatures and nothing of an authority's in its key usage (4.3). The authorities above it
may have SPIFFE ids as well, which should be those of the trust domain that they issue for (3.2). Here they must: so
what one domain's authority signs for another one is no identity there, although both authorities are trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryptography import x509

from tlscomm._dataclasses import dataclass
from tlscomm.access._nameforms import URI, isSPIFFE
from tlscomm.failures import printable
from tlscomm.x509._extensions import extensionsOf
from tlscomm.x509._generalnames import UnreadableName

__all__ = ["NO_SVID", "SVID", "svidOf", "trustDomainOf"]

#: X509-SVID, section 2: "An X.509 SVID MUST contain exactly one URI SAN".
_NOT_THE_ONLY_URI = "its SPIFFE id is not its only URI"


@dataclass(frozen=True)
class SVID:
    """What a certificate says of a SPIFFE id.

    Attributes:
        identity: the id, with scheme and trust domain in lower case; None where it has none that counts.
        fault: why the id that it has does not count, as a phrase; empty where it does, and where there is none.
    """

    identity: str | None = None
    fault: str = ""


NO_SVID = SVID()
"""A certificate without a SPIFFE id."""


def svidOf(chain: Sequence[x509.Certificate]) -> SVID:
    """Return the SPIFFE id of a certificate.

    Args:
        chain: the certificate, and the authorities above it as far as they are known.
    """
    try:
        identity = _identityIn(chain[0])
        if identity is None:
            return NO_SVID
        fault = _leafFault(chain[0], identity) or _foreignAuthority(chain[1:], trustDomainOf(identity))
    except ValueError as why:
        return SVID(fault=str(why))
    except Exception:
        # Whatever a parser raises for what a stranger wrote.
        return SVID(fault="its extensions cannot be read")
    return SVID(fault=fault) if fault else SVID(identity)


def trustDomainOf(identity: str) -> str:
    """Return the trust domain of a SPIFFE id in the form in which they are compared."""
    return identity.split("/")[2]


def _identityIn(certificate: x509.Certificate) -> str | None:
    """Return the SPIFFE id of a certificate, None where none of its URIs is one.

    Raises:
        ValueError: it is not spelled as it has to be, or not alone.
    """
    names = _value(certificate, x509.SubjectAlternativeName) or ()
    uris = [name.value for name in names if _isURI(name)]
    if not any(map(isSPIFFE, uris)):
        return None
    if len(uris) > 1:
        raise ValueError(_NOT_THE_ONLY_URI)
    return URI.canonical(uris[0])


def _isURI(name: x509.GeneralName) -> bool:
    if isinstance(name, UnreadableName):
        return name.kind is x509.UniformResourceIdentifier
    return isinstance(name, x509.UniformResourceIdentifier)


def _leafFault(certificate: x509.Certificate, identity: str) -> str:
    constraints, usage = _value(certificate, x509.BasicConstraints), _value(certificate, x509.KeyUsage)
    if constraints is not None and constraints.ca:
        return f"{printable(identity)} is in the certificate of an authority, which identifies no service"
    if usage is None or not usage.digital_signature:
        return "its key usage has no digitalSignature, which an X.509-SVID must have"
    if usage.key_cert_sign or usage.crl_sign:
        return "its key usage is that of an authority (keyCertSign or cRLSign), which an X.509-SVID must not have"
    if identity.count("/") == 2:
        return f"{printable(identity)} is a trust domain, and the SPIFFE id of a service has a path as well"
    return ""


def _foreignAuthority(authorities: Sequence[x509.Certificate], trustDomain: str) -> str:
    for authority in authorities:
        identity = _identityIn(authority)
        if identity is not None and trustDomainOf(identity) != trustDomain:
            return f"it was issued below the authority of {printable(identity)}, which is another trust domain"
    return ""


def _value(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> Any:
    try:
        return extensionsOf(certificate).get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
