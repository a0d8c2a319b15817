"""Certificates, names and OCSP responses with pseudonyms in the place of all that tells whose they are.

A copy begins as zeros. What is known to say nothing of a person, a machine or an organisation is copied: the structure,
algorithms, dates, purposes. Names, numbers and keys are replaced, by what can be read as such. All else stays zero, so
what a new extension holds is never passed through. The copy has the same length, and so do all parts of it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tlscomm.tracing._pseudonyms import Pseudonyms
from tlscomm.x509._der import BIT_STRING, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, Element, first

__all__ = ["redactCertificate", "redactElement", "redactName"]

_BOOLEAN, _NULL, _ENUMERATED, _UTC_TIME, _GENERALIZED_TIME = 0x01, 0x05, 0x0A, 0x17, 0x18

#: Strings, and how they are encoded.
_STRINGS = {
    0x0C: "utf-8",
    0x12: "latin-1",
    0x13: "latin-1",
    0x14: "latin-1",
    0x16: "latin-1",
    0x1A: "latin-1",
    0x1B: "latin-1",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}

#: Object identifiers that belong to no single organisation, by their first bytes: X.500, ISO's and ANSI's algorithms,
#: PKCS, PKIX, NIST, Certicom, Ed25519, COSINE, Microsoft, Certificate Transparency, the CA/Browser Forum.
_COMMON = (
    *(
        bytes.fromhex(each)
        for each in ("5504", "551d", "2a8648ce3d", "2a864886f70d", "2b060105", "2b0e0302", "2b240303")
    ),
    *(bytes.fromhex(each) for each in ("6086480165", "2b8104", "2b65", "0992268993f22c64", "2b06010401823714")),
    *(bytes.fromhex(each) for each in ("2b06010401823715", "2b06010401d6790204", "6781")),
)

_COUNTRY = bytes.fromhex("550406")

_EXTENSION = "551d"
_KEY_IDENTIFIER, _KEY_USAGE, _BASIC, _SERIAL_OF_AUTHORITY = 0x0E, 0x0F, 0x13, 0x23
_PURPOSES = 0x25
#: Of 2.5.29: alternative names, name constraints, distribution points, policies.
_WITH_NAMES = {0x11, 0x12, 0x1E, 0x1F, 0x20, 0x2E}
_WITH_NUMBERS = {0x24, 0x36}
_ACCESS = {bytes.fromhex("2b06010505070101"), bytes.fromhex("2b0601050507010b")}
_FEATURE = bytes.fromhex("2b06010505070118")
_TIMESTAMPS = bytes.fromhex("2b06010401d679020402")

_RSA = bytes.fromhex("2a864886f70d0101")
_EC = bytes.fromhex("2a8648ce3d0201")
_CURVES: dict[bytes, ec.EllipticCurve] = {
    bytes.fromhex("2a8648ce3d030107"): ec.SECP256R1(),
    bytes.fromhex("2b81040022"): ec.SECP384R1(),
    bytes.fromhex("2b81040023"): ec.SECP521R1(),
}


def redactCertificate(encoded: bytes, pseudonyms: Pseudonyms) -> bytes:
    """Return a certificate with pseudonyms, as far as it can be read; zeros from where it cannot."""
    return _copied(encoded, pseudonyms, _Copy.certificate)


def redactName(encoded: bytes, pseudonyms: Pseudonyms) -> bytes:
    """Return a distinguished name in the same way."""
    return _copied(encoded, pseudonyms, _Copy.name)


def redactElement(encoded: bytes, pseudonyms: Pseudonyms) -> bytes:
    """Return anything else that is encoded so, an OCSP response for one: its structure, with names replaced."""
    return _copied(encoded, pseudonyms, _Copy.structure)


def _copied(encoded: bytes, pseudonyms: Pseudonyms, form: Callable[[_Copy, Element], None]) -> bytes:
    copy = _Copy(encoded, pseudonyms)
    # Whatever a parser raises for what a stranger wrote: what was copied by then is known.
    with suppress(Exception):
        form(copy, first(encoded))
    return bytes(copy.made)


class _Copy:
    """A copy in the making.

    Attributes:
        made: what there is of it.
    """

    def __init__(self, data: bytes, pseudonyms: Pseudonyms) -> None:
        self.made = bytearray(len(data))
        self._data = data
        self._pseudonyms = pseudonyms

    def certificate(self, element: Element) -> None:
        body, algorithm, signature = self._parts(element)
        parts = list(self._parts(body))
        if parts[0].tag == 0xA0:
            self._keep(parts.pop(0))
        serial, inner, issuer, validity, subject, key, *others = parts
        self._put(serial, self._pseudonyms.serial(serial.value))
        for each in (inner, algorithm):
            self._algorithm(each)
        self.name(issuer)
        self.name(subject)
        for each in self._parts(validity):
            self._time(each)
        self._key(key)
        for each in others:
            if each.tag == 0xA3:
                self._extensions(each)
            else:
                self._put(each, self._pseudonyms.octets(each.value, "identifier"))
        # Zeros, which no signature is: so it is seen that it was taken out, and not that it is wrong.
        self._put(signature, bytes(len(signature.value)))

    def name(self, element: Element) -> None:
        for group in self._parts(element):
            for pair in self._parts(group):
                kind, value = self._parts(pair)
                self._identifier(kind)
                if kind.value == _COUNTRY:
                    self._put(value, b"X" * len(value.value))
                else:
                    self._string(value)

    def structure(self, element: Element, *, areNumbersKept: bool = False) -> None:
        """Copy what is known of anything: its structure, and its names as pseudonyms."""
        tag = element.tag
        if tag == SEQUENCE and _isName(element):
            self.name(element)
        elif tag & 0x20:
            for part in self._parts(element):
                self.structure(part, areNumbersKept=areNumbersKept)
        elif tag == OBJECT_IDENTIFIER:
            self._identifier(element)
        elif tag in (_UTC_TIME, _GENERALIZED_TIME):
            self._time(element)
        elif (
            tag in (_BOOLEAN, _NULL)
            or (tag in (INTEGER, _ENUMERATED) and areNumbersKept and len(element.value) < 3)
            or (tag == _ENUMERATED and len(element.value) == 1)
        ):
            self._keep(element)
        elif tag == BIT_STRING and element.value:
            self._put(element, element.value[:1] + bytes(len(element.value) - 1))
        elif tag in _STRINGS:
            self._string(element)
        else:
            self._put(element, bytes(len(element.value)))

    def _parts(self, element: Element) -> tuple[Element, ...]:
        self._head(element)
        return element.parts()

    def _head(self, element: Element) -> None:
        self.made[element.offset : element.start] = self._data[element.offset : element.start]

    def _keep(self, element: Element) -> None:
        self.made[element.offset : element.end] = self._data[element.offset : element.end]

    def _put(self, element: Element, value: bytes) -> None:
        if len(value) == element.end - element.start:
            self._head(element)
            self.made[element.start : element.end] = value

    def _identifier(self, element: Element) -> None:
        value = element.value
        if element.tag == OBJECT_IDENTIFIER and value.startswith(_COMMON) and len(value) <= 20:
            self._keep(element)
        elif element.tag == OBJECT_IDENTIFIER and value:
            made = bytes(each & 0x7F or 1 for each in self._pseudonyms.octets(value, "identifier"))
            # 2.999 is for examples.
            self._put(element, (b"\x88\x37" + made[2:]) if len(value) > 2 else made)

    def _time(self, element: Element) -> None:
        if (
            element.tag in (_UTC_TIME, _GENERALIZED_TIME)
            and element.value[:-1].isdigit()
            and element.value[-1:] == b"Z"
        ):
            self._keep(element)

    def _string(self, element: Element) -> None:
        encoding = _STRINGS.get(element.tag)
        if encoding is None:
            self._put(element, bytes(len(element.value)))
            return
        text = element.value.decode(encoding, "replace")
        made = self._pseudonyms.name(text).encode(encoding, "replace")
        size = len(element.value)
        # A character may have been several bytes.
        self._put(element, made[:size] + b"x" * (size - len(made)))

    def _algorithm(self, element: Element) -> None:
        self.structure(element, areNumbersKept=True)

    def _key(self, element: Element) -> None:
        algorithm, key = self._parts(element)
        self._algorithm(algorithm)
        kind, *parameters = algorithm.parts()
        curve = _CURVES.get(parameters[0].value) if parameters else None
        if kind.value.startswith(_RSA):
            self._rsa(key)
        elif kind.value == _EC and curve is not None and key.value[1:2] == b"\x04":
            self._put(key, key.value[:1] + self._point(key.value, curve))
        else:
            self._put(key, key.value[:1] + self._pseudonyms.octets(key.value[1:], "key"))

    def _rsa(self, key: Element) -> None:
        """A number as long, and odd as they are, so that programs go on to read it."""
        self._head(key)
        self.made[key.start] = 0
        for number in self._parts(first(self._data, key.start + 1)):
            value = number.value
            if len(value) > 4:
                made = bytearray(self._pseudonyms.octets(value, "key"))
                made[:2] = value[:1] + bytes((made[1] | 0x80,))
                made[-1] |= 1
                value = bytes(made)
            self._put(number, value)

    def _point(self, key: bytes, curve: ec.EllipticCurve) -> bytes:
        """A point of the curve: another key of the same kind."""
        number = int.from_bytes(self._pseudonyms.octets(key[:33], "key")[:30], "big") + 1
        return (
            ec.derive_private_key(number, curve)
            .public_key()
            .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        )

    def _extensions(self, element: Element) -> None:
        for group in self._parts(element):
            for extension in self._parts(group):
                kind, *others = self._parts(extension)
                self._identifier(kind)
                for other in others:
                    if other.tag == OCTET_STRING:
                        self._head(other)
                        self._extension(kind.value, first(self._data, other.start), other)
                    elif other.tag == _BOOLEAN:
                        self._keep(other)

    def _extension(self, kind: bytes, value: Element, whole: Element) -> None:
        number = kind[2] if kind.hex().startswith(_EXTENSION) and len(kind) == 3 else 0
        if number in _WITH_NAMES or kind in _ACCESS:
            self._generalNames(value)
        elif number == _KEY_USAGE and value.tag == BIT_STRING and len(value.value) < 4:
            self._keep(value)
        elif number == _KEY_IDENTIFIER:
            self._put(value, self._pseudonyms.octets(value.value, "key identifier"))
        elif number == _SERIAL_OF_AUTHORITY:
            self._authority(value)
        elif number in (_BASIC, _PURPOSES) or number in _WITH_NUMBERS or kind == _FEATURE:
            self.structure(value, areNumbersKept=True)
        elif kind == _TIMESTAMPS:
            self._put(value, self._pseudonyms.octets(value.value, "timestamps"))
        else:
            self.made[whole.start : whole.end] = bytes(whole.end - whole.start)

    def _authority(self, element: Element) -> None:
        for part in self._parts(element):
            if part.tag == 0x80:
                self._put(part, self._pseudonyms.octets(part.value, "key identifier"))
            elif part.tag == 0x82:
                self._put(part, self._pseudonyms.serial(part.value))
            else:
                self._generalNames(part)

    def _generalNames(self, element: Element) -> None:
        """Copy names of any kind, and what they are in (RFC 5280, section 4.2.1.6)."""
        tag, value = element.tag, element.value
        if tag in (0x81, 0x82, 0x86):
            text = value.decode("latin-1")
            made = self._pseudonyms.host(text) if tag == 0x82 else self._pseudonyms.name(text)
            self._put(element, made.encode("latin-1", "replace"))
        elif tag == 0x87:
            self._put(element, self._address(value))
        elif tag & 0xE0 == 0xA0 or tag in (SEQUENCE, SET):
            if tag == SEQUENCE and _isName(element):
                self.name(element)
            else:
                for part in self._parts(element):
                    self._generalNames(part)
        elif tag == 0x88:
            self._put(element, self._pseudonyms.octets(value, "identifier"))
        else:
            self.structure(element)

    def _address(self, value: bytes) -> bytes:
        if len(value) in (8, 32):
            half = len(value) // 2
            mask = value[half:]
            made = self._pseudonyms.packed(value[:half])
            return bytes(each & bits for each, bits in zip(made, mask, strict=True)) + mask
        if len(value) in (4, 16):
            return self._pseudonyms.packed(value)
        return bytes(len(value))


def _isName(element: Element) -> bool:
    """Return whether it looks like a distinguished name: sets of pairs of an identifier and something."""
    parts = element.parts()
    if not parts or any(part.tag != SET for part in parts):
        return False
    pairs = [pair for part in parts for pair in part.parts()]
    return all(
        pair.tag == SEQUENCE and [each.tag for each in pair.parts()][:1] == [OBJECT_IDENTIFIER] for pair in pairs
    )
