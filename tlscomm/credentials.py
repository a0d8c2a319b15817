"""Certificates with their chain and private key, from files in whatever form they come.

What is wrong with a credential shows late otherwise: a server without its private key starts, listens, and refuses
every client with "no shared cipher" or "unsupported protocol", and its operator looks at the network. So a credential
is loaded whole, put in order, and judged before a port is opened, and whatever is wrong has its own name.

Loading and judging are apart. A certificate without a key, or with another's, is loaded: programs show it, and it may
be all that is needed. `checkUsable` says whether it can stand on one side of a connection.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from tlscomm._formats import readContents
from tlscomm._material import (
    REJECTIONS,
    Contents,
    Passphrase,
    PassphraseSource,
    Source,
    SourceLike,
    nameOf,
    readSource,
)
from tlscomm._ordering import chainOf, fits, leafAndKey
from tlscomm.failures import (
    CertificateFacts,
    Damaged,
    Expired,
    InvalidCertificate,
    KeyMismatch,
    KeyTooWeak,
    NoCertificate,
    NoPrivateKey,
    NotYetValid,
    PassphraseRequired,
    UnknownFormat,
    Unreadable,
    UnsafePermissions,
    WrongPurpose,
    printable,
)

__all__ = [
    "Credential",
    "PassphraseSource",
    "Role",
    "SourceLike",
    "certificateFacts",
    "checkUsable",
    "loadCertificates",
    "loadCredential",
]

Role = Literal["client", "server"]

#: A bundle of every authority in the world has a few hundred.
_MOST_CERTIFICATES = 1000

_SMALLEST_RSA = 2048

#: RFC 5280, section 4.2.1.12.
_PURPOSES = {
    "server": (ExtendedKeyUsageOID.SERVER_AUTH, "Server Authentication"),
    "client": (ExtendedKeyUsageOID.CLIENT_AUTH, "Client Authentication"),
}

#: The curves of RFC 8446, section 4.2.3, and of RFC 8734. With P-224, secp256k1 and all smaller ones OpenSSL 4 finds no
#: signature algorithm and fails with "no shared cipher" or "unsupported protocol".
_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"})

#: What the names of a certificate are called, as the access rules call them.
_KINDS: dict[type[x509.GeneralName], str] = {
    x509.DNSName: "dns",
    x509.IPAddress: "ip",
    x509.UniformResourceIdentifier: "uri",
    x509.RFC822Name: "email",
    x509.DirectoryName: "directory",
    x509.RegisteredID: "oid",
}

_UNREADABLE = "unreadable"

T = TypeVar("T")


@dataclass(frozen=True, repr=False)
class Credential:
    """A certificate, the chain that leads to its root, and its private key.

    One that exists has been read and put in order. It has not been judged: `checkUsable` does that.

    Attributes:
        certificate: the leaf, the owner's own certificate.
        chain: the intermediate certificates, from the leaf's issuer towards the root; the root is left out.
        privateKey: the key, or None where there is none.
        friendlyName: what a PFX calls it.
        source: where it came from, printable, for messages.
    """

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()
    privateKey: PrivateKeyTypes | None = None
    friendlyName: str | None = None
    source: str = "memory"

    def requireKey(self) -> Credential:
        """Return this credential if it has the private key of its certificate.

        Raises:
            NoPrivateKey: there is none.
            KeyMismatch: the key is another certificate's.
        """
        facts = certificateFacts(self.certificate)
        if self.privateKey is None:
            raise NoPrivateKey(f"{self.source} holds the certificate of {facts.subject} alone", certificate=facts)
        if not fits(self.certificate, self.privateKey):
            raise KeyMismatch(f"{self.source} has the certificate of {facts.subject}", certificate=facts)
        return self

    def __repr__(self) -> str:
        facts = certificateFacts(self.certificate)
        key = "with" if self.privateKey is not None else "without"
        return f"<Credential {facts.subject}, issued by {facts.issuer}, until {facts.notAfter}, {key} private key>"


def loadCredential(
    source: SourceLike,
    *,
    key: SourceLike | None = None,
    passphrase: PassphraseSource = None,
    checkPermissions: bool = True,
    insecureAllowReadableKey: bool = False,
) -> Credential:
    """Load a certificate with what belongs to it, in whatever form it is.

    The form is found out by content: PEM with certificates and keys in any order, PKCS#12 (PFX), or one DER
    certificate. The leaf is the certificate that the key fits; without a key, the first that issued none of the others.

    Args:
        source: a path, or the content as bytes.
        key: where the private key is, if it is to be taken from elsewhere. A key in ``source`` is then not looked at.
        passphrase: what opens encrypted content: bytes, or a callable that is asked with the source's name only when
            content is encrypted, and returns None where nobody can answer. One that is not needed does no harm.
        checkPermissions: whether a private key that others can read is refused. Off for programs that only show what a
            file holds. Without effect on Windows and on bytes.
        insecureAllowReadableKey: accept such a key all the same. Every user of the machine who can read the file can
            then pretend to be its owner.

    Returns:
        The credential. It may lack a key, or have one that does not fit: see `checkUsable`.

    Raises:
        FileNotFound, Unreadable: a file cannot be read.
        UnknownFormat, Damaged: its content cannot.
        PassphraseRequired, PassphraseWrong: it is encrypted.
        NoCertificate: there is no certificate in ``source``.
        NoPrivateKey: there is no private key in ``key``.
        UnsafePermissions: a file with a private key can be read by others.
        TypeError: the pass phrase is neither bytes nor callable.
    """
    unlocking = Passphrase(passphrase)
    # A traceback that shows local variables must not show it.
    del passphrase
    guards = checkPermissions and not insecureAllowReadableKey
    identity, held = _read(source, unlocking, guards=guards, wantKeys=key is None)
    if not held.certificates:
        raise NoCertificate(f"{identity.name} holds no certificate", stage="credential")
    keys = held.keys if key is None else _readKeys(key, unlocking, guards=guards)
    certificates = tuple(dict.fromkeys(held.certificates))
    if len(certificates) > _MOST_CERTIFICATES:
        raise Damaged(f"{identity.name} holds {len(certificates)} certificates, more than {_MOST_CERTIFICATES}")
    leaf, leafKey = leafAndKey(certificates, keys)
    return Credential(leaf, chainOf(leaf, certificates), leafKey, held.friendlyName, identity.name)


def loadCertificates(source: SourceLike) -> tuple[x509.Certificate, ...]:
    """Load certificates alone, as roots to be trusted for one.

    Args:
        source: a file with any number of PEM certificates or one DER certificate, a folder of such files, or content as
            bytes. In a folder, hidden files, folders, and files that are something else are passed over; broken
            certificates are not, because a root that is missing shows much later and elsewhere.

    Returns:
        The certificates in the order of the file, or of the files' names, each once.

    Raises:
        FileNotFound, Unreadable: a file or the folder cannot be read.
        UnknownFormat, Damaged: its content cannot.
        PassphraseRequired: it is an encrypted PFX.
        NoCertificate: there is none in it.
    """
    certificates = dict.fromkeys(_certificatesOf(source))
    if not certificates:
        raise NoCertificate(f"{nameOf(source)} holds no certificate", stage="credential")
    return tuple(certificates)


def checkUsable(credential: Credential, role: Role, now: datetime) -> None:
    """Refuse a credential that cannot stand on one side of a connection.

    What a peer is going to refuse is better heard before the port is opened. The first problem is raised, in the order
    of this list.

    Args:
        credential: what was loaded.
        role: the side that it is for.
        now: when it is to be used, with a time zone.

    Raises:
        NoPrivateKey: it has no key.
        KeyMismatch: its key is another certificate's.
        InvalidCertificate: its extensions cannot be read, so that no peer will accept it.
        WrongPurpose: it has an extended key usage, and that of the role is not in it (RFC 5280, section 4.2.1.12).
        Expired, NotYetValid: it is not valid now.
        KeyTooWeak: TLS peers do not accept its kind or size of key: RSA of less than 2048 bits, DSA, elliptic curves
            that are not in TLS, and keys that cannot sign.
    """
    credential.requireKey()
    certificate = credential.certificate
    facts = certificateFacts(certificate)
    if purpose := _missingPurpose(certificate, role):
        raise WrongPurpose(f"{facts.subject}: {purpose}", stage="credential", certificate=facts, depth=0)
    if now > certificate.not_valid_after_utc:
        raise Expired(
            f"{facts.subject} was valid until {facts.notAfter}", stage="credential", certificate=facts, depth=0
        )
    if now < certificate.not_valid_before_utc:
        raise NotYetValid(
            f"{facts.subject} is valid from {facts.notBefore}", stage="credential", certificate=facts, depth=0
        )
    if weakness := _weakness(certificate.public_key()):
        raise KeyTooWeak(f"{facts.subject} has {weakness}", stage="credential", certificate=facts, depth=0)


def certificateFacts(certificate: x509.Certificate) -> CertificateFacts:
    """Describe a certificate for messages and logs. Never raises.

    A peer chooses what stands in its certificate, and parts of it are parsed only when they are asked for. A part that
    does not parse is described as ``unreadable``.
    """
    der = _either(lambda: certificate.public_bytes(Encoding.DER), b"")
    return CertificateFacts(
        subject=_either(lambda: printable(certificate.subject.rfc4514_string()), _UNREADABLE),
        issuer=_either(lambda: printable(certificate.issuer.rfc4514_string()), _UNREADABLE),
        serial=_either(lambda: f"{certificate.serial_number:x}", _UNREADABLE),
        notBefore=_either(lambda: certificate.not_valid_before_utc.isoformat(timespec="seconds"), _UNREADABLE),
        notAfter=_either(lambda: certificate.not_valid_after_utc.isoformat(timespec="seconds"), _UNREADABLE),
        fingerprint=f"sha256:{sha256(der).hexdigest()}",
        names=_either(lambda: tuple(_alternativeNames(certificate)), (_UNREADABLE,)),
        der=der,
    )


def _read(source: SourceLike, passphrase: Passphrase, *, guards: bool, wantKeys: bool) -> tuple[Source, Contents]:
    opened = readSource(source)
    contents = readContents(opened, passphrase, wantKeys=wantKeys)
    if guards and contents.holdsKey and opened.isReadableByOthers:
        raise UnsafePermissions(f"{opened.name}; to mend it: chmod 600 {shlex.quote(opened.name)}")
    return opened, contents


def _readKeys(source: SourceLike, passphrase: Passphrase, *, guards: bool) -> tuple[PrivateKeyTypes, ...]:
    opened, contents = _read(source, passphrase, guards=guards, wantKeys=True)
    if not contents.keys:
        raise NoPrivateKey(f"{opened.name} holds no private key")
    return contents.keys


def _certificatesOf(source: SourceLike) -> Iterator[x509.Certificate]:
    if isinstance(source, bytes) or not _isFolder(source):
        yield from readContents(readSource(source), Passphrase(None), wantKeys=False).certificates
        return
    for path in _filesIn(source):
        # A text about the roots, or the credential of somebody.
        with suppress(UnknownFormat, PassphraseRequired):
            yield from readContents(readSource(path), Passphrase(None), wantKeys=False).certificates


def _isFolder(path: str | os.PathLike[str]) -> bool:
    # ValueError: no name of a file, as readSource will say.
    try:
        return os.path.isdir(path)
    except ValueError:
        return False


def _filesIn(folder: str | os.PathLike[str]) -> list[str]:
    try:
        with os.scandir(os.fsdecode(folder)) as entries:
            return sorted(entry.path for entry in entries if entry.is_file() and not entry.name.startswith("."))
    except OSError as error:
        raise Unreadable(f"{nameOf(folder)}: {error.strerror}") from None


def _missingPurpose(certificate: x509.Certificate, role: Role) -> str:
    usage, name = _PURPOSES[role]
    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return ""
    except REJECTIONS as error:
        raise _unreadableExtensions(certificate, error) from None
    # The usage for any purpose does not stand in for it: OpenSSL refuses a server or client that has no other.
    if usage in found:
        return ""
    purposes = printable(", ".join(other.dotted_string for other in found))
    return f"its extended key usage lacks {name} ({usage.dotted_string}) and has {purposes}"


def _weakness(key: CertificatePublicKeyTypes) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        isWeak = key.key_size < _SMALLEST_RSA
        return f"an RSA key of {key.key_size} bits, and {_SMALLEST_RSA} are needed" if isWeak else ""
    if isinstance(key, ec.EllipticCurvePublicKey):
        isWeak = key.curve.name not in _CURVES
        return f"a key on the curve {key.curve.name}, which TLS peers do not accept" if isWeak else ""
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return ""
    kind = type(key).__name__.removesuffix("PublicKey")
    return f"a key of the kind {kind}, which TLS peers do not accept"


def _unreadableExtensions(certificate: x509.Certificate, error: Exception) -> InvalidCertificate:
    facts = certificateFacts(certificate)
    return InvalidCertificate(
        f"the extensions of {facts.subject} cannot be read",
        stage="credential",
        certificate=facts,
        depth=0,
        evidence=(printable(str(error)),),
    )


def _alternativeNames(certificate: x509.Certificate) -> Iterator[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    for name in names:
        yield printable(f"{_KINDS.get(type(name), 'other')}:{_text(name)}")


def _text(name: x509.GeneralName) -> str:
    value = name.value
    return value.rfc4514_string() if isinstance(value, x509.Name) else str(value)


def _either(read: Callable[[], T], otherwise: T) -> T:
    # Whatever a parser raises for what a stranger wrote: a description of a failure must not become another one.
    try:
        return read()
    except Exception:
        return otherwise
