"""Other verifiers look at the same chains: nobody is accepted here whom they refuse, but for reasons that have a name.

Each chain is a good one with one or two parts changed. The others are `cryptography`'s verifier, which knows the Web
PKI's rules, and OpenSSL with its strict checks.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import combinations

from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import verification
from OpenSSL.crypto import X509, X509Store, X509StoreContext, X509StoreContextError, X509StoreFlags
from twisted.trial.unittest import SynchronousTestCase

from tests.pfxfiles import der, oid, seq
from tests.rawchains import (
    AKI,
    AT,
    BASIC,
    CONSTRAINTS,
    NAME,
    NAMES,
    POLICIES,
    PURPOSES,
    SKI,
    USAGE,
    Chain,
    Edit,
    Raw,
    extension,
    integer,
    name,
    utcTime,
)
from tlscomm.verification import PROFILES, Profile, Trust, Verifier

#: As many of the pairs of edits as take two seconds; always the same ones.
_PAIRS = 150

_TRUE = der(1, b"\xff")
_AUTHORITIES = ("issuer", "root")
_EVERYWHERE = ("leaf", *_AUTHORITIES)
_EXTENSIONS = {AKI: "AKI", BASIC: "basic constraints", PURPOSES: "purposes", SKI: "SKI", USAGE: "usage"}
_PURPOSES = {
    "server": ["1.3.6.1.5.5.7.3.1"],
    "client": ["1.3.6.1.5.5.7.3.2"],
    "both": ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"],
    "any": ["2.5.29.37.0"],
    "unknown": ["2.999.1"],
}


def _dns(*names: str) -> list[bytes]:
    return [der(0x82, each.encode("latin-1")) for each in names]


def _ip(*octets: int) -> bytes:
    return der(0x87, bytes(octets))


#: Alternative names of the leaf, whose own name is among them or not.
_NAMES = {
    "others": _dns("other.example"),
    "capitals": _dns(NAME.upper()),
    "wildcard": _dns("*.server.example"),
    "wildcard for a top-level domain": _dns("*.example"),
    "wildcard in the middle": _dns("www.*.example"),
    "wildcard within a label": _dns("w*.server.example"),
    "wildcard below": _dns("*." + NAME),
    "space": _dns(NAME + " "),
    "dot": _dns(NAME + "."),
    "octet zero": _dns(NAME + "\0.elsewhere.example"),
    "address besides": [*_dns(NAME), _ip(192, 0, 2, 1)],
    "half an address besides": [*_dns(NAME), _ip(192, 0)],
    "mail besides": [*_dns(NAME), der(0x81, b"a@b.example")],
    "half a mail address besides": [*_dns(NAME), der(0x81, b"a@b@c.example")],
    "URI besides": [*_dns(NAME), der(0x86, b"https://b.example/")],
    "underscore besides": _dns(NAME, "a_b.example"),
    "none": [],
}

#: Permitted and excluded subtrees.
_CONSTRAINTS: dict[str, tuple[list[bytes], list[bytes]]] = {
    "permitted": (_dns("server.example"), []),
    "permitted itself": (_dns(NAME), []),
    "permitted, in capitals": (_dns("SERVER.example"), []),
    "permitted, other": (_dns("other.example"), []),
    "permitted, half a label": (_dns("rver.example"), []),
    "permitted, below": (_dns("a." + NAME), []),
    "excluded": ([], _dns("server.example")),
    "excluded, other": ([], _dns("other.example")),
    "excluded, all": ([], _dns("")),
    "excluded and permitted": (_dns("example"), _dns(NAME)),
    "permitted address": ([_ip(192, 0, 2, 0, 255, 255, 255, 0)], []),
    "excluded address": ([], [_ip(192, 0, 2, 0, 255, 255, 255, 0)]),
    "permitted mail": ([der(0x81, b"b.example")], []),
    "permitted mail, other": ([der(0x81, b"c.example")], []),
    "excluded mail": ([], [der(0x81, b"b.example")]),
    "excluded mail, empty": ([], [der(0x81, b"")]),
    "excluded URI": ([], [der(0x86, b"b.example")]),
    "excluded URI, empty": ([], [der(0x86, b"")]),
    "permitted directory": ([der(0xA4, name("compared"))], []),
    "permitted directory, other": ([der(0xA4, name("other"))], []),
    "excluded directory": ([], [der(0xA4, name("compared"))]),
}

_VALIDITY = {
    "expired": (utcTime(-9), utcTime(-1)),
    "expired a second ago": (utcTime(-9), utcTime(-1 / 86400)),
    "expiring now": (utcTime(-9), utcTime(0)),
    "beginning now": (utcTime(0), utcTime(9)),
    "beginning in a second": (utcTime(1 / 86400), utcTime(9)),
    "backwards": (utcTime(9), utcTime(-9)),
    "GeneralizedTime": (utcTime(-9), der(0x18, b"20270101000000Z")),
    "without an end": (utcTime(-9), der(0x18, b"99991231235959Z")),
}


def _edits() -> Iterator[tuple[str, Edit]]:
    for where in _EVERYWHERE:
        yield from ((f"{where}: {what}", edit) for what, edit in _editsOf(where))
    for what, names in _NAMES.items():
        yield f"names: {what}", lambda c, n=names: c.leaf.extensions.update({NAMES: extension(NAMES, seq(*n))})
    for where in _AUTHORITIES:
        for what, subtrees in _CONSTRAINTS.items():
            yield f"{where}: {what}", lambda c, w=where, s=subtrees: _constrain(getattr(c, w), *s)
    yield "names: critical", lambda c: c.leaf.extensions.update({NAMES: extension(NAMES, seq(*_dns(NAME)), True)})
    yield "issuer's name in another type of string", lambda c: _set(c.leaf, issuer=name("compared", "issuer", tag=0x13))
    yield "issuer's name in capitals", lambda c: _set(c.leaf, issuer=name("Compared", "ISSUER"))
    yield "issuer's name with more spaces", lambda c: _set(c.leaf, issuer=name(" compared", "issuer  "))
    yield "issuer's name is another", lambda c: _set(c.leaf, issuer=name("compared", "other"))
    yield "self-issued issuer", lambda c: _set(c.issuer, subject=c.root.subject)
    yield "self-issued leaf", lambda c: _set(c.leaf, subject=c.issuer.subject)


def _editsOf(where: str) -> Iterator[tuple[str, Edit]]:
    def of(edit: object) -> Edit:
        return lambda chain: edit(getattr(chain, where))  # type: ignore[operator]

    for kind, what in {
        AKI: "AKI",
        BASIC: "basic constraints",
        PURPOSES: "purposes",
        SKI: "SKI",
        USAGE: "usage",
    }.items():
        yield f"no {what}", of(lambda raw, k=kind: raw.extensions.pop(k, None))
    for what, value in {
        "an authority": seq(_TRUE),
        "no authority": seq(),
        "path length 0": seq(_TRUE, integer(0)),
        "path length 1": seq(_TRUE, integer(1)),
        "path length without an authority": seq(integer(0)),
        "basic constraints with something after": seq(_TRUE) + b"\5\0",
    }.items():
        yield what, of(lambda raw, v=value: raw.extensions.update({BASIC: extension(BASIC, v, True)}))
    for bit, what in enumerate(("signatures", "commitment", "encipherment", "", "agreement", "certificates", "lists")):
        usage = der(3, bytes((7 - bit, 0x80 >> bit)))
        yield f"usage for {what}", of(lambda raw, u=usage: raw.extensions.update({USAGE: extension(USAGE, u, True)}))
    for what, purposes in _PURPOSES.items():
        value = seq(*map(oid, purposes))
        yield f"purpose {what}", of(lambda raw, v=value: raw.extensions.update({PURPOSES: extension(PURPOSES, v)}))
    for what, validity in _VALIDITY.items():
        yield what, of(lambda raw, v=validity: _set(raw, notBefore=v[0], notAfter=v[1]))
    for what, serial in {"0": b"\0", "-1": b"\xff", "of 21 octets": b"\1" * 21, "of 20 octets": b"\1" * 20}.items():
        yield f"serial number {what}", of(lambda raw, s=serial: _set(raw, serial=der(2, s)))
    yield "version 1", of(lambda raw: _set(raw, version=b"", extensions={}))
    yield "version 1 with extensions", of(lambda raw: _set(raw, version=b""))
    yield "no extensions", of(lambda raw: _set(raw, extensions={}))
    yield "no subject", of(lambda raw: _set(raw, subject=seq()))
    yield "signed by somebody else", of(lambda raw: _set(raw, signer="somebody"))
    yield "another algorithm outside", of(lambda raw: _set(raw, outside=seq(oid("1.2.840.10045.4.3.3"))))
    yield "another algorithm inside", of(lambda raw: _set(raw, inside=seq(oid("1.2.840.10045.4.3.3"))))
    yield "unique identifier", of(lambda raw: _set(raw, beforeExtensions=der(0x82, b"\0\1")))
    yield "unknown extension", of(lambda raw: raw.extensions.update(x=extension("2.999.2", b"\5\0")))
    yield "unknown critical extension", of(lambda raw: raw.extensions.update(x=extension("2.999.2", b"\5\0", True)))
    yield "an extension twice", of(lambda raw: raw.extensions.update(x=raw.extensions[SKI]))
    yield "a policy", of(lambda raw: raw.extensions.update({POLICIES: _policies("2.999.3")}))
    yield "another issuer's key identifier", of(lambda raw: raw.extensions.update({AKI: _identifier(b"another")}))


def _set(raw: Raw, **parts: object) -> None:
    for part, value in parts.items():
        setattr(raw, part, value)


def _constrain(raw: Raw, permitted: list[bytes], excluded: list[bytes]) -> None:
    subtrees = ((tag, names) for tag, names in ((0xA0, permitted), (0xA1, excluded)) if names)
    value = seq(*(der(tag, b"".join(map(seq, names))) for tag, names in subtrees))
    raw.extensions[CONSTRAINTS] = extension(CONSTRAINTS, value, True)


def _policies(*policies: str) -> bytes:
    return extension(POLICIES, seq(*(seq(oid(policy)) for policy in policies)))


def _identifier(key: bytes) -> bytes:
    return extension(AKI, seq(der(0x80, key)))


EDITS = dict(_edits())

Certificates = tuple[x509.Certificate, x509.Certificate, x509.Certificate]


@cache
def _made(*edits: str) -> Certificates | None:
    """Return a chain with some edits, or None where `cryptography` takes a part of it for no certificate."""
    chain = Chain()
    for edit in edits:
        EDITS[edit](chain)
    try:
        with _quiet():
            return chain.certificates()
    except ValueError:
        return None


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # What cryptography warns of when it reads a certificate is what is compared here.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        yield


def _isAccepted(chain: Certificates, profile: Profile) -> bool:
    leaf, issuer, root = chain
    verifier = Verifier(peerRole="server", serverName=NAME, trust=Trust((root,)), profile=profile)
    return not verifier.verify([leaf, issuer], at=AT).problems


def _isAcceptedByCryptography(chain: Certificates) -> bool:
    leaf, issuer, root = chain
    try:
        builder = verification.PolicyBuilder().store(verification.Store([root])).time(AT)
        builder.build_server_verifier(x509.DNSName(NAME)).verify(leaf, [issuer])
    except (verification.VerificationError, ValueError):
        return False
    return True


def _isAcceptedByOpenSSL(chain: Certificates) -> bool:
    leaf, issuer, root = (X509.from_cryptography(certificate) for certificate in chain)
    store = X509Store()
    store.set_flags(X509StoreFlags.X509_STRICT)
    store.set_time(AT)
    store.add_cert(root)
    try:
        X509StoreContext(store, leaf, [issuer]).verify_certificate()
    except X509StoreContextError:
        return False
    return True


#: What ``compatible`` accepts though both others refuse it, and why it does.
LET_PASS = {
    "issuer: no usage": "RFC 5280 demands it of who makes certificates (4.2.1.3); many private authorities have none",
    "leaf: no AKI": "it only helps to find the issuer (RFC 5280, 4.2.1.1)",
    "leaf: path length 0": "an authority may have a server, where it is private",
    "leaf: path length 1": "as above",
    "root: another algorithm inside": "nobody looks at the signature of what is trusted",
    "root: another algorithm outside": "as above",
}

#: What ``strict`` accepts though one of the others refuses it, and why it does.
STRICTLY_LET_PASS = {
    "issuer: permitted directory": "cryptography does not process directory names; CA/Browser Forum BR 7.1.2.5.2",
    "root: permitted directory": "as above",
    "root: GeneralizedTime": "of what is trusted its name, its key and what it allows count (RFC 5280, 6.1.1, d)",
    "root: no SKI": "as above",
    "root: no usage": "as above",
    "root: serial number -1": "as above",
}

#: What ``compatible`` refuses though both others accept it, and why it does.
KEPT_OUT = {
    "issuer: purpose any": "it is not the purpose that is asked for (RFC 5280, 4.2.1.12), which they do not ask here",
    "leaf: usage for ": "a key for other ends makes no signature in a handshake (RFC 8446, 4.4.2.2)",
    "leaf: usage for agreement": "as above",
    "leaf: usage for commitment": "as above",
    "leaf: usage for encipherment": "as above",
    "leaf: usage for lists": "as above",
    "root: purpose any": "as with an issuer",
}


class Compared(SynchronousTestCase):
    def single(self, edit: str) -> tuple[bool, bool, bool, bool]:
        """Return whether compatible, strict, cryptography and OpenSSL accept a chain with one edit."""
        chain = _made(edit)
        assert chain is not None, edit
        return _verdicts(chain)

    def test_theChainThatNothingIsWrongWith(self) -> None:
        chain = _made()
        assert chain is not None
        self.assertEqual(_verdicts(chain), (True, True, True, True))

    def test_whatOthersRefuseIsRefused(self) -> None:
        passed = {edit for edit in EDITS if _made(edit) and self.single(edit) == (True, False, False, False)}
        self.assertEqual(passed, set(LET_PASS))

    def test_whatOneOfTheOthersRefusesIsRefusedUnderStrict(self) -> None:
        passed = {edit for edit in EDITS if _made(edit) and self.single(edit)[1] and not all(self.single(edit))}
        self.assertEqual(passed, set(STRICTLY_LET_PASS))

    def test_whatTheOthersAcceptIsAccepted(self) -> None:
        keptOut = {edit for edit in EDITS if _made(edit) and self.single(edit) == (False, False, True, True)}
        self.assertEqual(keptOut, set(KEPT_OUT))

    def test_strictIsStricter(self) -> None:
        looser = {edit for edit in EDITS if _made(edit) and self.single(edit)[:2] == (False, True)}
        self.assertEqual(looser, set())

    def test_twoThingsAtOnce(self) -> None:
        """Who is accepted with two edits is refused by others only for one of them."""
        known = [edit for edit in EDITS if _made(edit) is not None]
        pairs = random.Random(5280).sample(list(combinations(known, 2)), _PAIRS)
        for pair in pairs:
            if (chain := _made(*pair)) is None:
                continue
            accepted = _verdicts(chain)
            alone = [self.single(edit) for edit in pair]
            for other in (2, 3):
                if accepted[0] and not accepted[other]:
                    self.assertFalse(all(verdicts[other] for verdicts in alone), pair)
                if accepted[1] and not accepted[other]:
                    self.assertTrue(STRICTLY_LET_PASS.keys() & set(pair), pair)
            if not accepted[0] and accepted[2] and accepted[3]:
                self.assertTrue(KEPT_OUT.keys() & set(pair), pair)


@cache
def _verdicts(chain: Certificates) -> tuple[bool, bool, bool, bool]:
    with _quiet():
        compatible, strict = (_isAccepted(chain, profile) for profile in PROFILES)
        return compatible, strict, _isAcceptedByCryptography(chain), _isAcceptedByOpenSSL(chain)
