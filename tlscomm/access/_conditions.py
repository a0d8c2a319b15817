"""The kinds of access rules: what each takes for a pattern, and when it fits."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tlscomm.access._globs import Glob
from tlscomm.access._nameforms import (
    DNS,
    EMAIL,
    FINGERPRINT,
    LABEL,
    TRUST_DOMAIN,
    URI,
    AddressPattern,
    NameForm,
    isSPIFFE,
)
from tlscomm.access._presented import RDN
from tlscomm.access._svid import trustDomainOf
from tlscomm.failures import printable
from tlscomm.x509._distinguishednames import parsedName

__all__ = ["KINDS", "Test", "compiled"]

#: Says of what is known of a peer in the respect of its kind whether the pattern is there.
Test = Callable[[Any], bool]


def compiled(kind: str, pattern: str) -> tuple[str, Test]:
    """Return a pattern in the form in which it is kept, and its test.

    Raises:
        ValueError: there is no such kind, or the pattern is none of it.
    """
    if kind not in KINDS or not pattern:
        kinds = ", ".join(f"{name}=…" for name in KINDS)
        raise ValueError(f"'{printable(f'{kind}={pattern}')}' is no access rule: a rule is one of {kinds}")
    try:
        return KINDS[kind](pattern)
    except ValueError as why:
        raise ValueError(f"'{printable(f'{kind}={pattern}')}' is no access rule: {why}") from None


def _text(form: NameForm) -> Callable[[str], tuple[str, Test]]:
    def compile(pattern: str) -> tuple[str, Test]:
        if "**" in pattern:
            raise ValueError("* stands for any part of one label, and no sign stands for several labels")
        return pattern, Glob(form.pattern(pattern), form.split).fitsAny

    return compile


def _spiffe(pattern: str) -> tuple[str, Test]:
    kept, fits = _text(URI)(pattern)
    if not isSPIFFE(pattern):
        raise ValueError(
            "it takes a SPIFFE id such as spiffe://example.org/billing, or a trust domain, spiffe://example.org"
        )
    if "/" in pattern[len("spiffe://") :]:
        return kept, fits
    domain = Glob(TRUST_DOMAIN.pattern(pattern[len("spiffe://") :]), TRUST_DOMAIN.split)
    return kept, lambda known: any(domain.fits(trustDomainOf(identity)) for identity in known.whole)


def _digest(pattern: str) -> tuple[str, Test]:
    digits = pattern.replace(":", "").lower()
    if not re.fullmatch("sha256[0-9a-f]{64}", digits):
        raise ValueError("it takes sha256: and 64 hexadecimal digits")
    digest = f"sha256:{digits[6:]}"
    return digest, lambda known: digest in known


def _address(text: str) -> tuple[str, Test]:
    pattern = AddressPattern.parse(text)
    return pattern.text, lambda known: any(pattern.fits(version, value) for version, value in known)


def _issuer(pattern: str) -> tuple[str, Test]:
    if "=" in pattern:
        return pattern, _distinguishedName(pattern)
    commonName = Glob(LABEL.pattern(pattern), LABEL.split)
    return pattern, lambda known: commonName.fitsAny(known.commonNames)


def _distinguishedName(pattern: str) -> Test:
    try:
        name = parsedName(pattern)
    except ValueError:
        raise ValueError(
            "with a = in it, it is a distinguished name (RFC 4514) such as CN=Example CA,O=Example"
        ) from None
    expected = [sorted((a.oid.dotted_string, LABEL.pattern(str(a.value))) for a in rdn) for rdn in name.rdns]
    globs = [[(oid, Glob(value, LABEL.split)) for oid, value in rdn] for rdn in expected]
    # OpenSSL writes a name the other way round. A rule that then fitted no peer would deny none either.
    return lambda known: _fitsName(globs, known.name) or _fitsName(globs[::-1], known.name)


def _fitsName(globs: list[list[tuple[str, Glob]]], name: tuple[RDN, ...]) -> bool:
    return len(globs) == len(name) and all(map(_fitsRDN, globs, name))


def _fitsRDN(globs: list[tuple[str, Glob]], rdn: RDN) -> bool:
    return len(globs) == len(rdn) and all(
        oid == itsOid and glob.fits(value) for (oid, glob), (itsOid, value) in zip(globs, rdn, strict=True)
    )


#: By its name, what makes a test of a pattern.
KINDS: dict[str, Callable[[str], tuple[str, Test]]] = {
    "cn": _text(LABEL),
    "ou": _text(LABEL),
    "o": _text(LABEL),
    "dns": _text(DNS),
    "ip": _address,
    "uri": _text(URI),
    "spiffe": _spiffe,
    "trust-domain": _text(TRUST_DOMAIN),
    "email": _text(EMAIL),
    "issuer": _issuer,
    "authority": _digest,
    "authority-spki": _digest,
    "spki": _digest,
    "fingerprint": _digest,
    "ja4": _text(FINGERPRINT),
}
