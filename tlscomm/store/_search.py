"""What a person or a program says of a certificate that is in a store, and whether one fits.

The fields are those that .NET searches by. Every value is parsed when the search is made, so a wrong one is refused
where it was typed, and an empty result means that nothing fits.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from datetime import datetime, timezone
from typing import Any, Protocol, TypeVar

import idna
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tlscomm._dataclasses import dataclass
from tlscomm.failures import printable
from tlscomm.x509._distinguishednames import parsedName
from tlscomm.x509._extensions import extensionsOf
from tlscomm.x509._purposes import PURPOSES, KeyPurpose, purposeFor
from tlscomm.x509._roles import ROLES
from tlscomm.x509._unreadable import REJECTIONS
from tlscomm.x509._validity import isValidAt, validityOf

__all__ = ["FIELDS", "KEY_USAGES", "Search", "Searched", "isKeyUsage", "newestFirst"]

#: By their names, and by those of the roles, in lower case.
_PURPOSES_BY_NAME: dict[str, KeyPurpose] = {
    **{purpose.name.lower(): purpose for purpose in PURPOSES},
    **{role: purposeFor(role) for role in ROLES},
}

#: RFC 5280, section 4.2.1.3, and what `cryptography` calls them.
KEY_USAGES = {
    "digitalSignature": "digital_signature",
    "nonRepudiation": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "cRLSign": "crl_sign",
    "encipherOnly": "encipher_only",
    "decipherOnly": "decipher_only",
}

_YES, _NO = frozenset({"yes", "true", "1"}), frozenset({"no", "false", "0"})

#: What separates the digits of a number that was copied. The invisible ones are what the certificate dialog of Windows
#: puts before a thumbprint.
_SEPARATORS = re.compile("[\\s:\u200e\u200f\ufeff-]")

#: A colon separates where a word and an equals sign follow it. So a thumbprint, an IPv6 address and a URI need no
#: backslash.
_BETWEEN_COLONS = re.compile(r"(?:\\.|\\$|[^\\:]|:(?![A-Za-z]+=))+", re.DOTALL)

_LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)

T = TypeVar("T", bound=x509.ExtensionType)
S = TypeVar("S", bound="Searched")
Condition = Callable[["Searched"], bool]


class Searched(Protocol):
    """What is searched."""

    @property
    def certificate(self) -> x509.Certificate: ...

    @property
    def hasPrivateKey(self) -> bool: ...

    @property
    def friendlyName(self) -> str | None: ...


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a certificate has to be, all of it together; a field that is None does not matter.

    Capitals never matter.

    Attributes:
        thumbprint: the SHA-1 or SHA-256 digest of the certificate in hexadecimal, with or without colons, spaces and
            the prefixes ``sha1:`` and ``sha256:``.
        subject: a part of a value in the subject's name; written as ``CN=gateway,O=Example``, attributes that the name
            has.
        subjectDN: the subject's whole distinguished name (RFC 4514), from either end.
        issuer: the same as ``subject``, of the issuer.
        issuerDN: the same as ``subjectDN``, of the issuer.
        serial: the serial number in hexadecimal.
        dns: a host name that the certificate is for, by itself or by a wildcard.
        ip: an address among the subject alternative names.
        uri: a URI among them.
        email: a mail address among them.
        extendedKeyUsage: what it must be allowed to be used for: ``serverAuth``, ``clientAuth``, the name of another
            purpose (`tlscomm.x509._purposes`), ``server``, ``client``, or an object identifier. A certificate that says
            nothing may be used for everything (RFC 5280, section 4.2.1.12).
        keyUsage: what its key must be allowed to be used for, a name in `KEY_USAGES`; as above.
        validAt: a time at which it is valid: ISO 8601, in UTC where it does not say, or ``now``.
        hasPrivateKey: whether the private key is there: ``yes`` or ``no``.
        friendlyName: what its owner calls it.

    Raises:
        ValueError: a value is not one of its field, or is empty; the message names both.
    """

    thumbprint: str | None = None
    subject: str | None = None
    subjectDN: str | None = None
    issuer: str | None = None
    issuerDN: str | None = None
    serial: str | None = None
    dns: str | None = None
    ip: str | None = None
    uri: str | None = None
    email: str | None = None
    extendedKeyUsage: str | None = None
    keyUsage: str | None = None
    validAt: datetime | str | None = None
    hasPrivateKey: bool | str | None = None
    friendlyName: str | None = None

    def __post_init__(self) -> None:
        # Parsed once, and kept beside the fields: the texts are what messages show.
        object.__setattr__(self, "_conditions", tuple(self._parsed()))

    @classmethod
    def parse(cls, text: str) -> Search:
        """Read ``FIELD=VALUE``, or several joined by colons, as in ``dns=a.example:validAt=now``.

        A colon in a value needs a backslash only before a word and an equals sign. A backslash is written twice.

        Raises:
            ValueError: there is no such field, it is there twice, or it cannot have such a value.
        """
        values: dict[str, str] = {}
        for condition in _BETWEEN_COLONS.findall(text):
            field, equals, value = condition.partition("=")
            if field not in FIELDS or not equals:
                raise ValueError(f"a store is searched by {', '.join(FIELDS)}, not by {printable(field)!r}")
            if field in values:
                raise ValueError(f"{field} is there twice in {printable(text)!r}")
            values[field] = re.sub(r"\\(.)", r"\1", value)
        return cls(**values)

    def texts(self) -> dict[str, Any]:
        """Return the fields that matter, as they were given."""
        return {field: value for field in FIELDS if (value := getattr(self, field)) is not None}

    def fits(self, searched: Searched) -> bool:
        """Whether something is what is searched. What cannot be read in a certificate does not fit."""
        conditions: tuple[Condition, ...] = self._conditions  # type: ignore[attr-defined]
        try:
            return all(condition(searched) for condition in conditions)
        except REJECTIONS:
            return False

    def __str__(self) -> str:
        return ", ".join(f"{field}={printable(str(value))}" for field, value in self.texts().items())

    def _parsed(self) -> Iterator[Condition]:
        for field, value in self.texts().items():
            try:
                # It is a part of every name: a variable of a script that is not set would search for everything.
                if isinstance(value, str) and not value.strip():
                    raise ValueError("it is empty")
                yield _CONDITIONS[field](value)
            except ValueError as wrong:
                raise ValueError(f"{field}={printable(str(value))}: {wrong}") from None


FIELDS: tuple[str, ...] = tuple(field.name for field in fields(Search))


def newestFirst(found: Iterable[S], now: datetime) -> tuple[S, ...]:
    """Put what is valid before what is not, and of each the one whose validity began last before the others."""
    return tuple(sorted(found, key=lambda searched: _rank(searched.certificate, now), reverse=True))


def _rank(certificate: x509.Certificate, now: datetime) -> tuple[bool, datetime, datetime]:
    # What cannot be read comes last.
    begins, ends = validityOf(certificate) or (_LONG_AGO, _LONG_AGO)
    return begins <= now <= ends, begins, ends


def _thumbprint(text: str) -> Condition:
    digits = _hexadecimal(re.sub(r"^\s*sha-?(?:1|256):", "", text, flags=re.IGNORECASE))
    if len(digits) not in (40, 64):
        raise ValueError(f"a thumbprint has 40 (SHA-1) or 64 (SHA-256) hexadecimal digits, not {len(digits)}")
    wanted = bytes.fromhex(digits)
    # A name for a file, not a proof: SHA-1 is what .NET goes by.
    algorithm = hashes.SHA1() if len(digits) == 40 else hashes.SHA256()
    return lambda searched: searched.certificate.fingerprint(algorithm) == wanted


def _subject(text: str) -> Condition:
    names = _names(text)
    return lambda searched: names(searched.certificate.subject)


def _issuer(text: str) -> Condition:
    names = _names(text)
    return lambda searched: names(searched.certificate.issuer)


def _subjectDN(text: str) -> Condition:
    wanted = _attributes(_distinguishedName(text))
    return lambda searched: _attributes(searched.certificate.subject) in (wanted, wanted[::-1])


def _issuerDN(text: str) -> Condition:
    wanted = _attributes(_distinguishedName(text))
    return lambda searched: _attributes(searched.certificate.issuer) in (wanted, wanted[::-1])


def _serial(text: str) -> Condition:
    wanted = int(_hexadecimal(text.lower().removeprefix("0x")), 16)
    return lambda searched: searched.certificate.serial_number == wanted


def _dns(text: str) -> Condition:
    wanted = _ascii(text)
    _, _, domain = wanted.partition(".")

    def fits(searched: Searched) -> bool:
        names = {name.lower() for name in _alternativeNames(searched, x509.DNSName)}
        return wanted in names or f"*.{domain}" in names

    return fits


def _ip(text: str) -> Condition:
    wanted = ipaddress.ip_address(text.strip("[]"))
    return lambda searched: wanted in _alternativeNames(searched, x509.IPAddress)


def _uri(text: str) -> Condition:
    return lambda searched: (
        text.lower() in {uri.lower() for uri in _alternativeNames(searched, x509.UniformResourceIdentifier)}
    )


def _email(text: str) -> Condition:
    return lambda searched: text.lower() in {name.lower() for name in _alternativeNames(searched, x509.RFC822Name)}


def _extendedKeyUsage(text: str) -> Condition:
    usage = _usageNamed(text)

    def fits(searched: Searched) -> bool:
        found = _extension(searched, x509.ExtendedKeyUsage)
        return found is None or usage in found

    return fits


def _keyUsage(text: str) -> Condition:
    known = {name.lower(): attribute for name, attribute in KEY_USAGES.items()}
    attribute = known.get(text.lower())
    if attribute is None:
        raise ValueError(f"a key usage is one of {', '.join(KEY_USAGES)}")

    def fits(searched: Searched) -> bool:
        found = _extension(searched, x509.KeyUsage)
        return found is None or isKeyUsage(found, attribute)

    return fits


def _validAt(value: datetime | str) -> Condition:
    when = _time(value) if isinstance(value, str) else value
    when = when.replace(tzinfo=timezone.utc) if when.tzinfo is None else when
    return lambda searched: isValidAt(searched.certificate, when)


def _hasPrivateKey(value: bool | str) -> Condition:
    text = str(value).lower()
    if text not in _YES | _NO:
        raise ValueError("it is yes or no")
    return lambda searched: searched.hasPrivateKey == (text in _YES)


def _friendlyName(text: str) -> Condition:
    return lambda searched: (searched.friendlyName or "").casefold() == text.casefold()


_CONDITIONS: dict[str, Callable[[Any], Condition]] = {
    "thumbprint": _thumbprint,
    "subject": _subject,
    "subjectDN": _subjectDN,
    "issuer": _issuer,
    "issuerDN": _issuerDN,
    "serial": _serial,
    "dns": _dns,
    "ip": _ip,
    "uri": _uri,
    "email": _email,
    "extendedKeyUsage": _extendedKeyUsage,
    "keyUsage": _keyUsage,
    "validAt": _validAt,
    "hasPrivateKey": _hasPrivateKey,
    "friendlyName": _friendlyName,
}


def _hexadecimal(text: str) -> str:
    digits = _SEPARATORS.sub("", text)
    if not re.fullmatch("[0-9A-Fa-f]+", digits):
        raise ValueError("it has to be hexadecimal")
    return digits


def _names(text: str) -> Callable[[x509.Name], bool]:
    """Return what decides whether a name has these attributes, or this text in one of its values."""
    if "=" in text:
        wanted = _attributes(_distinguishedName(text))
        return lambda name: set(wanted) <= set(_attributes(name))
    part = text.casefold()
    return lambda name: any(part in value for _, value in _attributes(name))


def _distinguishedName(text: str) -> x509.Name:
    try:
        return parsedName(text)
    except ValueError:
        raise ValueError("it is no distinguished name such as CN=gateway,O=Example") from None


def _attributes(name: x509.Name) -> list[tuple[str, str]]:
    return [(attribute.oid.dotted_string, str(attribute.value).casefold()) for attribute in name]


def _ascii(host: str) -> str:
    if host.isascii():
        return host.lower().removesuffix(".")
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError as wrong:
        raise ValueError(str(wrong)) from None


def _usageNamed(text: str) -> x509.ObjectIdentifier:
    if found := _PURPOSES_BY_NAME.get(text.lower()):
        return found.oid
    try:
        return x509.ObjectIdentifier(text)
    except ValueError:
        names = ", ".join((*ROLES, *(purpose.name for purpose in PURPOSES)))
        raise ValueError(f"an extended key usage is one of {names}, or an object identifier") from None


def isKeyUsage(found: x509.KeyUsage, attribute: str) -> bool:
    """Whether a key usage, by the name of its attribute, is among those found."""
    # They mean something together with key agreement alone, and cryptography raises otherwise.
    if attribute in ("encipher_only", "decipher_only") and not found.key_agreement:
        return False
    return bool(getattr(found, attribute))


def _time(text: str) -> datetime:
    if text.lower() == "now":
        return datetime.now(timezone.utc)
    try:
        # Python 3.10 does not know the letter.
        return datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
    except ValueError:
        raise ValueError("a time is 'now' or ISO 8601, such as 2027-01-31 or 2027-01-31T12:00:00+01:00") from None


def _alternativeNames(searched: Searched, kind: type[x509.GeneralName]) -> list[Any]:
    names = _extension(searched, x509.SubjectAlternativeName)
    return [] if names is None else [name.value for name in names if isinstance(name, kind)]


def _extension(searched: Searched, kind: type[T]) -> T | None:
    try:
        return extensionsOf(searched.certificate).get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
