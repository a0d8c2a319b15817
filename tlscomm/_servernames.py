"""Whether a server's certificate is for the name that a client asked for (RFC 9525).

Names are only ever those of the subject alternative name extension (RFC 9525, section 2): a common name is a label, and
an authority does not check it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address

from cryptography import x509
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, DNSPattern, IPAddress_ID, IPAddressPattern, verify_service_identity

from tlscomm._examined import subjectOf
from tlscomm._wording import unreadableText
from tlscomm.failures import Problem, printable

__all__ = ["isAddress", "nameProblem"]


@lru_cache(maxsize=256)
def isAddress(name: str) -> bool:
    """Return whether a server name is an IP address, which is matched and sent differently (RFC 6066, section 3)."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def nameProblem(certificate: x509.Certificate, serverName: str) -> Problem | None:
    """Return why a certificate is not for a server name, or None where it is (RFC 9525, section 6).

    Each name counts by itself: one that cannot be used, as an address that is written as a DNS name, does not spoil the
    others. Whatever else goes wrong in the check is a problem: a certificate that cannot be read is for no name.
    """
    try:
        names = list(_alternativeNames(certificate))
        wanted = IPAddress_ID(serverName) if isAddress(serverName) else DNS_ID(serverName)
        patterns = [pattern for name in names if (pattern := _pattern(name)) is not None]
        if patterns and _matches(patterns, wanted):
            return None
    except Exception as broken:
        detail = f"its subject alternative names cannot be used: {unreadableText(broken)}"
        return _nameProblem(certificate, "invalid-certificate", detail)
    if not names:
        detail = f"asked for {serverName}, it has no subject alternative name, and a common name does not count"
        return _nameProblem(certificate, "name-mismatch", detail)
    texts = printable(", ".join(str(getattr(name, "value", name)) for name in names))
    if not patterns and any(isinstance(name, x509.DNSName) and not _isPlainAddress(name) for name in names):
        detail = f"its subject alternative names cannot be used: {texts}"
        return _nameProblem(certificate, "invalid-certificate", detail)
    return _nameProblem(certificate, "name-mismatch", f"asked for {serverName}, it is for {texts}")


def _pattern(name: x509.GeneralName) -> DNSPattern | IPAddressPattern | None:
    """Return what a name stands for in the comparison, or None where it stands for no server."""
    if isinstance(name, x509.IPAddress):
        return IPAddressPattern(ip_address(str(name.value)))
    if isinstance(name, x509.DNSName):
        with suppress(CertificateError):
            return DNSPattern.from_bytes(name.value.encode("utf-8"))
    return None


def _matches(patterns: Sequence[DNSPattern | IPAddressPattern], wanted: DNS_ID | IPAddress_ID) -> bool:
    try:
        verify_service_identity(patterns, obligatory_ids=[wanted], optional_ids=[])
    except VerificationError:
        return False
    return True


def _isPlainAddress(name: x509.DNSName) -> bool:
    return isAddress(name.value)


def _nameProblem(certificate: x509.Certificate, code: str, detail: str) -> Problem:
    return Problem(code, depth=0, subject=subjectOf(certificate), detail=detail)


def _alternativeNames(certificate: x509.Certificate) -> Iterator[x509.GeneralName]:
    try:
        yield from certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
