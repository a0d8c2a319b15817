"""A gallery of certificates: good ones, and a faulty one for every failure that a certificate can cause.

The owner of a service with mutual TLS should know what it does with an expired certificate before one expires. Such
certificates are hard to come by: authorities do not issue them. Here each of them is one call, and the table says what
is wrong with it and under which name a verifier has to refuse it.

    >>> gallery = Gallery()
    >>> gallery.credential("expired", role="client")  # doctest: +ELLIPSIS
    <Credential CN=expired client,O=tlscomm gallery, issued by CN=tlscomm gallery root,...
    >>> gallery["expired"].code
    'expired'

All keys are ECDSA keys where the fault does not need another kind, so a whole gallery is made in less than a second.
Names and serial numbers are the same in every gallery; keys are new, and so are signatures.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from dataclasses import field
from datetime import datetime, timezone
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, pkcs12

from tlscomm._dataclasses import dataclass
from tlscomm.credentials import Credential
from tlscomm.issuing._exhibits import SERVER_NAME, Authorities, Bench
from tlscomm.x509 import _encoding as _export
from tlscomm.x509._files import File, makeFolder, writeFiles
from tlscomm.x509._roles import Role

__all__ = ["EXHIBITS", "Exhibit", "Gallery", "Judge", "writeGallery"]

Judge = Literal["owner", "peer"]
"""Who finds the fault: the program that loads the credential, or its peer in the handshake."""

#: As long as the certificates: a gallery that was written to files is used for a while.
_LIST_DAYS = 397

_BOTH: tuple[Role, ...] = ("client", "server")
_SERVER: tuple[Role, ...] = ("server",)


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """One kind of certificate.

    Attributes:
        name: what it is called, in kebab-case; also the stem of its files.
        code: the failure that the judge has to name, or None where nothing is wrong.
        fault: what is wrong, as a sentence.
        roles: the sides that it exists for.
        judge: who has to name it.
        depth: the place of the certificate at fault: 0 for the end entity's own, 1 for its issuer.
        serverName: what a client has to ask for.
        needsLists: whether the judge needs the gallery's revocation lists to find it.
    """

    name: str
    code: str | None
    fault: str
    roles: tuple[Role, ...] = _BOTH
    judge: Judge = "peer"
    depth: int = 0
    serverName: str = SERVER_NAME
    needsLists: bool = False
    _make: Callable[[Bench], Credential] = field(repr=False)


def _good(name: str, about: str, make: Callable[[Bench], Credential], **more: Any) -> Exhibit:
    return Exhibit(name=name, code=None, fault=about, _make=make, **more)


def _bad(name: str, code: str, fault: str, make: Callable[[Bench], Credential], **more: Any) -> Exhibit:
    return Exhibit(name=name, code=code, fault=fault, _make=make, **more)


EXHIBITS: tuple[Exhibit, ...] = (
    _good("good", "Nothing is wrong; the root has issued it.", Bench.good),
    _good("good-intermediate", "Nothing is wrong; an intermediate has issued it.", Bench.goodBelowIntermediate),
    _good("good-rsa", "Nothing is wrong; its key is an RSA key of 2048 bits.", Bench.goodWithRSA),
    _good(
        "good-rsa-intermediate",
        "Nothing is wrong; its key is an RSA key of 2048 bits, and an intermediate has issued it.",
        Bench.goodWithRSABelowIntermediate,
    ),
    _good("good-any-purpose", "Nothing is wrong; it has no extended key usage.", Bench.goodForAnyPurpose),
    _good(
        "good-wildcard",
        "Nothing is wrong; it is for *.server.example.",
        lambda bench: bench.forNames("*.server.example"),
        roles=_SERVER,
        serverName="a.server.example",
    ),
    _good(
        "good-address",
        "Nothing is wrong; it is for the address 127.0.0.1 alone.",
        lambda bench: bench.forAddress("127.0.0.1"),
        roles=_SERVER,
        serverName="127.0.0.1",
    ),
    _good(
        "good-idn",
        "Nothing is wrong; it is for the name bücher.example.",
        lambda bench: bench.forNames("xn--bcher-kva.example"),
        roles=_SERVER,
        serverName="bücher.example",
    ),
    _bad("no-private-key", "no-private-key", "It has no private key.", Bench.withoutKey, judge="owner"),
    _bad("key-mismatch", "key-mismatch", "Its private key is another one's.", Bench.withAnotherKey, judge="owner"),
    _bad("unknown-issuer", "unknown-issuer", "An authority that is not trusted has issued it.", Bench.byStranger),
    _bad(
        "unknown-issuer-sent",
        "unknown-issuer",
        "An authority that is not trusted has issued it, and is sent with it.",
        Bench.byStrangerWhoIsSent,
        depth=2,
    ),
    _bad(
        "unknown-issuer-namesake",
        "unknown-issuer",
        "Its issuer has the name of the trusted root, and another key.",
        Bench.byNamesake,
    ),
    _bad("self-signed", "self-signed", "It is its own issuer.", Bench.bySelf),
    _bad(
        "incomplete-chain",
        "incomplete-chain",
        "The intermediate that has issued it is not sent.",
        Bench.withoutIntermediate,
    ),
    _bad("expired", "expired", "It has expired.", Bench.expired),
    _bad("not-yet-valid", "not-yet-valid", "Its validity begins in a year.", Bench.notYetValid),
    _bad("expired-intermediate", "expired", "Its issuer has expired.", Bench.belowExpired, depth=1),
    _bad(
        "not-yet-valid-intermediate",
        "not-yet-valid",
        "The validity of its issuer begins in a year.",
        Bench.belowNotYetValid,
        depth=1,
    ),
    _bad("wrong-purpose", "wrong-purpose", "Its extended key usage is the other side's.", Bench.forOtherRole),
    _bad(
        "wrong-purpose-intermediate",
        "wrong-purpose",
        "Its issuer may issue certificates for the other side only.",
        Bench.belowOneForOtherRole,
        depth=1,
    ),
    _bad(
        "not-an-authority",
        "not-permitted",
        "Its issuer is no authority: the basic constraints say so.",
        Bench.belowNoAuthority,
        depth=1,
    ),
    _bad(
        "not-a-signer",
        "not-permitted",
        "Its issuer may not sign certificates: the key usage says so.",
        Bench.belowOneThatMayNotSign,
        depth=1,
    ),
    _bad(
        "path-too-long",
        "chain-too-long",
        "An authority whose path length is 0 has another one below it.",
        Bench.belowTooMany,
        depth=2,
    ),
    _bad(
        "chain-too-long",
        "chain-too-long",
        "There are twelve authorities below the root.",
        Bench.belowVeryMany,
        depth=10,
    ),
    _bad(
        "name-not-permitted",
        "not-permitted",
        "Its issuer may issue for elsewhere.example only (name constraints).",
        Bench.notPermitted,
    ),
    _bad("name-excluded", "not-permitted", "Its issuer may not issue for its name (name constraints).", Bench.excluded),
    _bad(
        "unknown-critical-extension",
        "not-permitted",
        "It has a critical extension that no verifier knows.",
        Bench.withUnknownExtension,
    ),
    _bad("bad-signature", "bad-signature", "One bit of its signature is wrong.", Bench.badlySigned),
    _bad(
        "bad-signature-intermediate",
        "bad-signature",
        "One bit of its issuer's signature is wrong.",
        Bench.belowBadlySigned,
        depth=1,
    ),
    _bad("weak-key", "key-too-weak", "Its key is an RSA key of 1024 bits.", Bench.withWeakKey),
    _bad(
        "weak-key-intermediate",
        "key-too-weak",
        "The key of its issuer is an RSA key of 1024 bits.",
        Bench.belowWeakKey,
        depth=1,
    ),
    _bad("weak-signature", "key-too-weak", "It is signed with SHA-1.", Bench.weaklySigned),
    _bad(
        "name-mismatch",
        "name-mismatch",
        "It is for elsewhere.example.",
        lambda bench: bench.forNames("elsewhere.example"),
        roles=_SERVER,
    ),
    _bad(
        "name-mismatch-wildcard",
        "name-mismatch",
        "It is for *.server.example, and a wildcard stands for one label only.",
        lambda bench: bench.forNames("*.server.example"),
        roles=_SERVER,
        serverName="a.b.server.example",
    ),
    _bad(
        "name-mismatch-address",
        "name-mismatch",
        "It is for the address 192.0.2.1.",
        lambda bench: bench.forAddress("192.0.2.1"),
        roles=_SERVER,
        serverName="127.0.0.1",
    ),
    _bad(
        "name-mismatch-idn",
        "name-mismatch",
        "It is for bucher.example, which is not bücher.example.",
        lambda bench: bench.forNames("bucher.example"),
        roles=_SERVER,
        serverName="bücher.example",
    ),
    _bad(
        "no-alternative-name",
        "name-mismatch",
        "The server's name is only its common name.",
        Bench.withoutNames,
        roles=_SERVER,
    ),
    _bad(
        "malformed-alternative-name",
        "invalid-certificate",
        "Its subject alternative name cannot be read.",
        Bench.withMalformedNames,
    ),
    _bad("hostile-name", "expired", "It has expired, and its name would write to a terminal.", Bench.withHostileName),
    _bad("revoked", "revoked", "The root has revoked it.", Bench.good, needsLists=True),
    _bad(
        "revoked-intermediate",
        "revoked",
        "The root has revoked its issuer.",
        Bench.belowRevoked,
        depth=1,
        needsLists=True,
    ),
)
"""Every exhibit there is, the good ones first."""

_BY_NAME = {exhibit.name: exhibit for exhibit in EXHIBITS}


class Gallery:
    """All exhibits, made at one time by one set of authorities.

    Iterating over it gives every `Exhibit`; ``gallery["expired"]`` gives one. A credential is made when it is first
    asked for, and stays the same.

    Attributes:
        now: the time that all validity is counted from.
    """

    def __init__(self, now: datetime | None = None) -> None:
        """
        Args:
            now: the time to count from, with a time zone; the present where None.
        """
        self.now = now or datetime.now(timezone.utc)
        self._authorities = Authorities(self.now)
        self._made: dict[tuple[str, Role], Credential] = {}

    @property
    def roots(self) -> tuple[x509.Certificate, ...]:
        """The authorities that the side which verifies has to trust, and no others."""
        return (self._authorities.root.certificate,)

    @cached_property
    def revocationLists(self) -> tuple[x509.CertificateRevocationList, ...]:
        """The current list of every authority, from the root down. It takes all exhibits to make them."""
        for exhibit in self:
            for role in exhibit.roles:
                self.credential(exhibit.name, role=role)
        revoked = [Bench(self._authorities, "revoked", role).serialNumber for role in _BOTH]
        revoked.append(self._authorities.revokedIntermediate.certificate.serial_number)
        root, *others = self._authorities.all
        return (
            root.revocationList(revoked, now=self.now, days=_LIST_DAYS),
            *(other.revocationList(now=self.now, days=_LIST_DAYS) for other in others),
        )

    def credential(self, name: str, *, role: Role) -> Credential:
        """Return the credential of an exhibit.

        Args:
            name: the exhibit's.
            role: the side that presents it.

        Raises:
            KeyError: there is no such exhibit.
            ValueError: there is none for this role.
        """
        exhibit = self[name]
        if role not in exhibit.roles:
            raise ValueError(f"{name} exists for {' and '.join(exhibit.roles)} only, not for {role}")
        if (name, role) not in self._made:
            self._made[name, role] = exhibit._make(Bench(self._authorities, name, role))
        return self._made[name, role]

    def __getitem__(self, name: str) -> Exhibit:
        return _BY_NAME[name]

    def __iter__(self) -> Iterator[Exhibit]:
        return iter(EXHIBITS)

    def __len__(self) -> int:
        return len(EXHIBITS)


def writeGallery(folder: str | PathLike[str], *, now: datetime | None = None) -> Path:
    """Write every exhibit as files, for programs that are not in Python.

    ==============================  =================================================================================
    ``client/expired.pem``          the certificate and the chain that is sent with it, PEM
    ``client/expired.key``          the private key, PEM, readable by its owner only
    ``client/expired.pfx``          all of it, PKCS#12 with an empty pass phrase
    ``server/…``                    the same for servers
    ``roots.pem``                   whom the judge has to trust
    ``revoked.crl``                 the revocation lists of all authorities, PEM
    ``index.json``, ``README.txt``  what is wrong with each, and the failure that the judge has to name
    ==============================  =================================================================================

    Args:
        folder: made where it does not exist, for its owner only. A gallery that is there is replaced.
        now: the time to count from; the present where None.

    Returns:
        The path of ``index.json``.

    Raises:
        FileExistsError: the folder holds something else.
        OSError: a file cannot be written.
    """
    place = Path(folder)
    index = place / _INDEX
    if not index.exists() and place.exists() and any(place.iterdir()):
        raise FileExistsError(errno.EEXIST, "not empty and not a gallery, so nothing is written there", str(place))
    gallery = Gallery(now)
    makeFolder(place, 0o700)
    for role in _BOTH:
        (place / role).mkdir(mode=0o700, exist_ok=True)
        exhibits = [exhibit for exhibit in gallery if role in exhibit.roles]
        writeFiles(place / role, {name: file for e in exhibits for name, file in _files(gallery, e, role).items()})
    lists = b"".join(revoked.public_bytes(Encoding.PEM) for revoked in gallery.revocationLists)
    writeFiles(
        place,
        {
            "roots.pem": File(_export.pem(gallery.roots), isSecret=False),
            "revoked.crl": File(lists, isSecret=False),
            "README.txt": File(_readme(gallery).encode(), isSecret=False),
            _INDEX: File(json.dumps(_index(gallery), indent=2, ensure_ascii=False).encode(), isSecret=False),
        },
    )
    return index


_INDEX = "index.json"


def _files(gallery: Gallery, exhibit: Exhibit, role: Role) -> dict[str, File]:
    credential = gallery.credential(exhibit.name, role=role)
    key: Any = credential.privateKey
    files = {"pem": File(_export.pem((credential.certificate, *credential.chain)), isSecret=False)}
    if key is not None:
        files["key"] = File(_export.keyPEM(key), isSecret=True)
    files["pfx"] = File(_pfx(exhibit, credential), isSecret=True)
    return {f"{exhibit.name}.{suffix}": file for suffix, file in files.items()}


def _pfx(exhibit: Exhibit, credential: Credential) -> bytes:
    key: Any = credential.privateKey
    if exhibit.judge != "owner":
        return _export.pfx(exhibit.name, key, credential.certificate, credential.chain)
    # A program that writes such a file marks no certificate as the key's own.
    everything = [credential.certificate, *credential.chain]
    return pkcs12.serialize_key_and_certificates(exhibit.name.encode(), key, None, everything, NoEncryption())


def _index(gallery: Gallery) -> dict[str, object]:
    return {
        "roots": "roots.pem",
        "revocationLists": "revoked.crl",
        "exhibits": [_entry(gallery, exhibit, role) for exhibit in gallery for role in exhibit.roles],
    }


def _entry(gallery: Gallery, exhibit: Exhibit, role: Role) -> dict[str, object]:
    hasKey = gallery.credential(exhibit.name, role=role).privateKey is not None
    return {
        "name": exhibit.name,
        "role": role,
        "fault": exhibit.fault,
        "code": exhibit.code,
        "judge": exhibit.judge,
        "depth": exhibit.depth,
        "serverName": exhibit.serverName,
        "needsRevocationLists": exhibit.needsLists,
        "files": [f"{role}/{exhibit.name}.{suffix}" for suffix in ("pem", "key", "pfx") if hasKey or suffix != "key"],
    }


def _readme(gallery: Gallery) -> str:
    rows = [
        f"{exhibit.name:<28}{exhibit.code or 'accepted':<21}{exhibit.judge:<8}{exhibit.serverName:<21}{exhibit.fault}"
        for exhibit in gallery
    ]
    return _README.format(now=gallery.now, header=_HEADER, rows="\n".join(rows))


_HEADER = f"{'file':<28}{'failure':<21}{'judge':<8}{'server name':<21}what is wrong"

_README = """\
Certificates to test with: good ones, and one for every way to be refused.

They were made on {now:%Y-%m-%d} and mean what they say for a year from then on. The judge (the other side in a
handshake, or, where it says "owner", the program that loads the file) has to trust roots.pem and nothing else, and has
to have the revocation lists in revoked.crl for what was revoked. A client asks for the server name in the table. The
PFX files have an empty pass phrase.

All the world may have these keys. Never trust roots.pem in a program that is in use.

{header}
{rows}
"""
