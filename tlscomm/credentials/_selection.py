"""Which of several credentials is shown to whom.

A server with several names has a certificate for each, and during a migration one with an ECDSA key and one with an RSA
key for the same name. A client that talks to the servers of two organisations has a certificate from each. What the
peer says in the handshake decides: the name it asks for, the signatures it can verify, the authorities it accepts.

The choice is made here from these capabilities alone, so it can be asked for without a connection, and it comes with
its reason: a peer that refuses the wrong one of two certificates is hard to understand otherwise.

    wanted of a server                        wanted of a client
    ----------------------------------------  ----------------------------------------------------------------
    1. valid now                              1. valid now
    2. its name, exact or by a wildcard       2. a key whose signature the server can verify
    3. a key whose signature it can verify    3. issued below an authority that the server accepts
    4. the exact name rather than a wildcard

Each step keeps those that fit, or all where none does; of what is left the first in the owner's order is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Literal, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from tlscomm._dataclasses import dataclass
from tlscomm._wire.requests import readCertificateRequest, readClientHello
from tlscomm.credentials._credential import Credential
from tlscomm.failures import printable
from tlscomm.x509 import _der
from tlscomm.x509._extensions import readExtension
from tlscomm.x509._facts import certificateFacts
from tlscomm.x509._fields import signedFields
from tlscomm.x509._keystrengths import MLDSA_KEYS, TLS_CURVES, isForPSSAlone
from tlscomm.x509._roles import Role
from tlscomm.x509._unreadable import REJECTIONS
from tlscomm.x509._validity import isValidAt

__all__ = ["ChooseCredential", "CredentialChoice", "CredentialSelector", "PeerCapabilities"]

#: The schemes of RFC 8446, section 4.2.3, and RFC 8734, that each kind of key signs with. What needs SHA-1 is left out:
#: OpenSSL does not sign so any more.
_RSA_PSS = frozenset({0x0804, 0x0805, 0x0806})
_RSA_PKCS1 = frozenset({0x0401, 0x0501, 0x0601})
_RSA_PSS_KEYS = frozenset({0x0809, 0x080A, 0x080B})
_ECDSA = frozenset({0x0403, 0x0503, 0x0603})
_ED25519 = frozenset({0x0807})
_ED448 = frozenset({0x0808})

#: Of so many certificates is remembered what they say, which takes longer to read than a choice may take.
_REMEMBERED = 1024

KeyKind = Literal["RSA", "ECDSA"]

#: The TLS 1.2 suites whose key exchange is signed with each kind of key: with AES-GCM, ChaCha20 and AES-CBC (RFC 5289,
#: RFC 7905, RFC 8422, RFC 5288 and RFC 5246).
_ECDSA_SUITES = frozenset({0xC02B, 0xC02C, 0xCCA9, 0xC023, 0xC024, 0xC009, 0xC00A})
_RSA_SUITES = frozenset(
    {0xC02F, 0xC030, 0xCCA8, 0xC027, 0xC028, 0xC013, 0xC014, 0x009E, 0x009F, 0xCCAA, 0x0067, 0x006B, 0x0033, 0x0039}
)

#: rsa_sign and ecdsa_sign (RFC 5246, section 7.4.4, and RFC 8422, section 5.5).
_CERTIFICATE_TYPES: dict[int, KeyKind] = {1: "RSA", 64: "ECDSA"}


@dataclass(frozen=True, kw_only=True)
class PeerCapabilities:
    """What a peer says in the handshake that bears on the choice. What it does not say restricts nothing.

    Attributes:
        serverName: the DNS name that a client asks for (RFC 6066, section 3), in ASCII.
        version: the version of TLS that is being negotiated, where it is known.
        signatureAlgorithms: the numbers of the signatures that the peer can verify (RFC 8446, section 4.2.3).
        keyKinds: the kinds of key that a TLS 1.2 client's cipher suites, or server's certificate types, allow. An
            Ed25519 or Ed448 key counts as ECDSA (RFC 8422, section 5.4).
        groups: the numbers of the groups that a TLS 1.2 client has, which restrict the curves of ECDSA keys.
        issuers: the distinguished names, in DER, of the authorities that a server accepts.
    """

    serverName: str | None = None
    version: Literal["1.2", "1.3"] | None = None
    signatureAlgorithms: Sequence[int] | None = None
    keyKinds: frozenset[KeyKind] | None = None
    groups: frozenset[int] | None = None
    issuers: frozenset[bytes] = frozenset()

    @classmethod
    def ofClient(cls, message: bytes, *, isTLS13: bool) -> PeerCapabilities:
        """Return what a client says.

        Args:
            message: its ClientHello, a handshake message from its type on.
            isTLS13: whether TLS 1.3 is being negotiated, and not 1.2.
        """
        hello = readClientHello(message)
        kinds: dict[KeyKind, frozenset[int]] = {"RSA": _RSA_SUITES, "ECDSA": _ECDSA_SUITES}
        offered = frozenset(hello.cipherSuites)
        return cls(
            serverName=hello.serverName,
            version="1.3" if isTLS13 else "1.2",
            signatureAlgorithms=hello.signatureAlgorithms,
            keyKinds=frozenset(kind for kind, suites in kinds.items() if suites & offered),
            groups=hello.groups,
        )

    @classmethod
    def ofServer(cls, message: bytes, *, isTLS13: bool) -> PeerCapabilities:
        """Return what a server says.

        Args:
            message: its CertificateRequest, a handshake message from its type on.
            isTLS13: whether TLS 1.3 is being negotiated, and not 1.2.
        """
        request = readCertificateRequest(message, isTLS13=isTLS13)
        types = request.certificateTypes
        kinds = None if types is None else frozenset(_CERTIFICATE_TYPES[t] for t in types if t in _CERTIFICATE_TYPES)
        return cls(
            version="1.3" if isTLS13 else "1.2",
            signatureAlgorithms=request.signatureAlgorithms,
            keyKinds=kinds,
            issuers=request.authorities,
        )

    def canVerify(self, certificate: x509.Certificate) -> bool:
        """Return whether the peer can verify a signature that is made with the key of a certificate."""
        key = _publicKey(certificate)
        if isinstance(key, ec.EllipticCurvePublicKey):
            return self._allows("ECDSA", self._curveSchemes(key.curve.name)) and self._hasGroup(key.curve.name)
        if isinstance(key, rsa.RSAPublicKey):
            return self._allows("RSA", _RSA_PSS_KEYS if isForPSSAlone(certificate) else self._rsaSchemes())
        if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            return self._allows("ECDSA", _ED25519 if isinstance(key, ed25519.Ed25519PublicKey) else _ED448)
        scheme = next((number for kind, number in MLDSA_KEYS.items() if isinstance(key, kind)), None)
        return scheme is not None and self.version != "1.2" and self._allows(None, frozenset({scheme}))

    def accepts(self, credential: Credential) -> bool:
        """Return whether a credential was issued below an authority that the peer accepts."""
        chain = (credential.certificate, *credential.chain)
        return not self.issuers or any(_issuer(certificate) in self.issuers for certificate in chain)

    def _allows(self, kind: KeyKind | None, schemes: frozenset[int]) -> bool:
        if kind is not None and self.version != "1.3" and self.keyKinds is not None and kind not in self.keyKinds:
            return False
        return self.signatureAlgorithms is None or not schemes.isdisjoint(self.signatureAlgorithms)

    def _rsaSchemes(self) -> frozenset[int]:
        return _RSA_PSS if self.version == "1.3" else _RSA_PSS | _RSA_PKCS1

    def _curveSchemes(self, curve: str) -> frozenset[int]:
        own = frozenset({TLS_CURVES[curve].scheme}) if curve in TLS_CURVES else frozenset[int]()
        return own if self.version == "1.3" else own | _ECDSA

    def _hasGroup(self, curve: str) -> bool:
        if self.version == "1.3" or self.groups is None:
            return True
        return curve in TLS_CURVES and TLS_CURVES[curve].group in self.groups


@dataclass(frozen=True)
class CredentialChoice:
    """What was chosen.

    Attributes:
        credential: what is shown to the peer; None where a client shows nothing.
        reason: why, as a phrase.
    """

    credential: Credential | None
    reason: str

    def toJSON(self) -> dict[str, object]:
        """Return the choice for a log line or a program."""
        facts = None if self.credential is None else certificateFacts(self.credential.certificate).toJSON()
        return {"certificate": facts, "reason": self.reason}


ChooseCredential: TypeAlias = "Callable[[PeerCapabilities, Credential], Credential | None]"
"""Decides in the place of the rules: called with the peer's capabilities and what the rules would show, returns that or
another of the selector's. With None a client shows no certificate, and a server refuses the connection."""


@dataclass(frozen=True)
class CredentialSelector:
    """The credentials of one side.

    Attributes:
        credentials: at least one, the preferred one first. A server shows the first one where a client asks for no
            name, or for one that none of them has.
        choose: has the last word. What it raises is not caught here.

    Raises:
        ValueError: there is no credential.
    """

    credentials: tuple[Credential, ...]
    choose: ChooseCredential | None = None

    def __post_init__(self) -> None:
        if not self.credentials:
            raise ValueError("a credential selector has at least one credential")

    def chosen(self, role: Role, capabilities: PeerCapabilities, now: datetime) -> CredentialChoice:
        """Return what is shown to a peer.

        Args:
            role: the side that the credentials are for.
            capabilities: the peer's.
            now: the time, with a time zone.

        Raises:
            ValueError: the owner's function returned something that is not one of the selector's.
        """
        steps = _forServer(capabilities, now) if role == "server" else _forClient(capabilities, now)
        credential, reason = _narrowed(self.credentials, steps)
        decided = credential if self.choose is None else self.choose(capabilities, credential)
        if decided is credential:
            return CredentialChoice(credential, reason)
        if decided is not None and decided not in self.credentials:
            raise ValueError("the function that chooses returned a credential that is not one of the selector's")
        return CredentialChoice(
            decided, "the application chose it" if decided else "the application chose to show none"
        )

    @property
    def looksAtKeys(self) -> bool:
        """Whether the signatures that a peer can verify make a difference: the keys differ, or a function looks."""
        return self.choose is not None or len({_keyKind(each.certificate) for each in self.credentials}) > 1

    def names(self) -> frozenset[str]:
        """Return the DNS names, wildcards among them, that the credentials are for."""
        return frozenset(name for credential in self.credentials for name in _dnsNames(credential))


@dataclass(frozen=True)
class _Step:
    """One step of the choice: what fits, and what is said where some fit, and where none does."""

    fits: Callable[[Credential], bool]
    some: str
    none: str = ""


def _forServer(capabilities: PeerCapabilities, now: datetime) -> Iterator[_Step]:
    yield _Step(lambda credential: _isValid(credential, now), "is valid now", "none is valid now")
    if capabilities.serverName is None:
        yield _verifiable(capabilities)
        return
    asked, shown = capabilities.serverName.lower().rstrip("."), printable(capabilities.serverName)
    names = {asked, _wildcard(asked)}
    yield _Step(lambda each: not names.isdisjoint(_dnsNames(each)), f"is for {shown}", f"none is for {shown}")
    yield _verifiable(capabilities)
    yield _Step(lambda each: asked in _dnsNames(each), "has that very name")


def _forClient(capabilities: PeerCapabilities, now: datetime) -> Iterator[_Step]:
    yield _Step(lambda credential: _isValid(credential, now), "is valid now", "none is valid now")
    yield _verifiable(capabilities)
    if capabilities.issuers:
        yield _Step(
            capabilities.accepts,
            "was issued by an authority that the server accepts",
            "none was issued by an authority that the server accepts",
        )


def _verifiable(capabilities: PeerCapabilities) -> _Step:
    return _Step(
        lambda credential: capabilities.canVerify(credential.certificate),
        "has a key that the peer can verify",
        "none has a key that the peer can verify",
    )


def _narrowed(credentials: tuple[Credential, ...], steps: Iterable[_Step]) -> tuple[Credential, str]:
    """Return what is left first after all steps, and what led to it."""
    if len(credentials) == 1:
        return credentials[0], "it is the only one"
    left, reasons = credentials, []
    for step in steps:
        fitting = tuple(credential for credential in left if step.fits(credential))
        if not fitting and step.none:
            reasons.append(step.none)
        elif 0 < len(fitting) < len(left):
            reasons.append(f"it {step.some}")
            left = fitting
    if len(left) > 1:
        reasons.append("it is the first" if len(left) == len(credentials) else "it is the first of these")
    return left[0], ", ".join(reasons)


@lru_cache(maxsize=_REMEMBERED)
def _publicKey(certificate: x509.Certificate) -> CertificatePublicKeyTypes | None:
    try:
        return certificate.public_key()
    except REJECTIONS:
        return None


def _keyKind(certificate: x509.Certificate) -> tuple[object, ...]:
    """Return what decides which signatures a key makes."""
    key = _publicKey(certificate)
    curve = key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else None
    return certificate.public_key_algorithm_oid, curve


def _isValid(credential: Credential, now: datetime) -> bool:
    return isValidAt(credential.certificate, now)


def _dnsNames(credential: Credential) -> frozenset[str]:
    return _namesIn(credential.certificate)


@lru_cache(maxsize=_REMEMBERED)
def _namesIn(certificate: x509.Certificate) -> frozenset[str]:
    names = readExtension(certificate, x509.SubjectAlternativeName)
    if names is None:
        return frozenset()
    return frozenset(name.lower().rstrip(".") for name in names.get_values_for_type(x509.DNSName))


def _wildcard(name: str) -> str:
    # RFC 9525, section 6.3: the asterisk stands for the whole first label.
    _, dot, rest = name.partition(".")
    return f"*.{rest}" if dot and rest else ""


@lru_cache(maxsize=_REMEMBERED)
def _issuer(certificate: x509.Certificate) -> bytes | None:
    """Return the issuer's name as it stands in the certificate, also where it cannot be read."""
    try:
        return signedFields(certificate.tbs_certificate_bytes).issuer.encoded
    except _der.Malformed:
        return None
