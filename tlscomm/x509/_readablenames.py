"""Alternative names of which one cannot be read (RFC 5280, section 4.2.1.6)."""

from __future__ import annotations

from ipaddress import ip_network

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from tlscomm.x509 import _der
from tlscomm.x509._fields import signedFields
from tlscomm.x509._generalnames import UnreadableName
from tlscomm.x509._remembering import remembering

__all__ = ["withReadableNames"]

_EXTENSIONS = 0xA3

#: The tags of names that are texts in ASCII.
_TEXTS: dict[int, type[x509.GeneralName]] = {
    0x81: x509.RFC822Name,
    0x82: x509.DNSName,
    0x86: x509.UniformResourceIdentifier,
}
_ADDRESS = 0x87
#: X400Address and EDIPartyName, which the library has no kinds for.
_OTHERS = frozenset({0xA3, 0xA5})

#: A readable name, for the place of one that is not.
_STAND_IN = _der.encode(0x82, b"unreadable.invalid")

_MOST_SHOWN = 64

#: Strangers pay nothing for such a certificate. A larger one would be read anew each time that it is asked for.
_LARGEST = 1 << 13
_MOST_NAMES = 100


@remembering(64)
def withReadableNames(certificate: x509.Certificate) -> x509.Extensions | None:
    """Return the extensions of a certificate with an `UnreadableName` for each alternative name that is one.

    Returns:
        The extensions, or None where that is not all that keeps them from being read, or there is too much of it.
    """
    try:
        return _read(certificate)
    except ValueError:
        return None


def _read(certificate: x509.Certificate) -> x509.Extensions | None:
    content = certificate.tbs_certificate_bytes
    if len(content) > _LARGEST:
        return None
    found = next((field for field in signedFields(content).optional if field.tag == _EXTENSIONS), None)
    if found is None:
        return None
    unreadable: dict[int, UnreadableName] = {}
    extensions = [_withStandIns(part, unreadable) for part in found.wrapped().parts()]
    if not unreadable:
        return None
    fields = [each.encoded for each in _der.first(content).parts() if each.offset != found.offset]
    signed = _der.encode(_der.SEQUENCE, *fields, _der.encode(_EXTENSIONS, _der.encode(_der.SEQUENCE, *extensions)))
    _, *outside = _der.first(certificate.public_bytes(Encoding.DER)).parts()
    copy = _der.encode(_der.SEQUENCE, signed, *(part.encoded for part in outside))
    read = x509.load_der_x509_certificate(copy).extensions
    return x509.Extensions([_withUnreadable(each, unreadable) for each in read])


def _withStandIns(extension: _der.Element, unreadable: dict[int, UnreadableName]) -> bytes:
    """Return an extension that can be read, and note what could not be, by its place among the names."""
    parts = extension.parts(_der.OBJECT_IDENTIFIER)
    if parts[0].identifier() != ExtensionOID.SUBJECT_ALTERNATIVE_NAME.dotted_string:
        return extension.encoded
    names = parts[-1].inner().parts()
    if len(names) > _MOST_NAMES:
        raise _der.TooMuch(f"it has more than {_MOST_NAMES} names")
    unreadable |= {place: found for place, name in enumerate(names) if (found := _unreadable(name)) is not None}
    readable = (_STAND_IN if place in unreadable else name.encoded for place, name in enumerate(names))
    value = _der.encode(_der.OCTET_STRING, _der.encode(_der.SEQUENCE, *readable))
    return _der.encode(_der.SEQUENCE, *(part.encoded for part in parts[:-1]), value)


def _withUnreadable(
    extension: x509.Extension[x509.ExtensionType], unreadable: dict[int, UnreadableName]
) -> x509.Extension[x509.ExtensionType]:
    if not isinstance(extension.value, x509.SubjectAlternativeName):
        return extension
    names = [unreadable.get(place, name) for place, name in enumerate(extension.value)]
    return x509.Extension(extension.oid, extension.critical, x509.SubjectAlternativeName(names))


def _unreadable(name: _der.Element) -> UnreadableName | None:
    value = name.value
    if name.tag in _TEXTS and not value.isascii():
        # Whole, so that a backslash is in it, and nothing takes it for a name.
        return UnreadableName(_TEXTS[name.tag], value.decode("ascii", "backslashreplace"))
    if name.tag == _ADDRESS and not _isAddressOrNetwork(value):
        return UnreadableName(x509.IPAddress, f"{value[:_MOST_SHOWN].hex()} ({len(value)} bytes)")
    return UnreadableName(None, value[:_MOST_SHOWN].hex()) if name.tag in _OTHERS else None


def _isAddressOrNetwork(value: bytes) -> bool:
    if len(value) in (4, 16):
        return True
    if len(value) not in (8, 32):
        return False
    mask = int.from_bytes(value[len(value) // 2 :], "big")
    bits = 4 * len(value)
    length = mask.bit_count()
    if mask != ((1 << length) - 1) << (bits - length):
        return False
    try:
        ip_network((value[: len(value) // 2], length))
    except ValueError:
        # It has bits beside its mask.
        return False
    return True
