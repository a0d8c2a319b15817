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
from collections.abc import Iterator, Sequence
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from tlscomm._dataclasses import dataclass
from tlscomm.credentials._authorities import readAuthorities
from tlscomm.credentials._contents import Contents
from tlscomm.credentials._contextkey import contextKey
from tlscomm.credentials._formats import readContents
from tlscomm.credentials._ordering import chainOf, fits, isOfKnownKind, leavesAndKeys, rootOf
from tlscomm.credentials._passphrase import Passphrase, PassphraseSource, retrying
from tlscomm.credentials._sources import STANDARD_INPUT, Source, SourceLike, nameOf, readSource
from tlscomm.credentials._usability import asFailure, certificateProblems
from tlscomm.failures import (
    KeyMismatch,
    KeyTooWeak,
    NoCertificate,
    NoPrivateKey,
    NotExportable,
    Problem,
    TLSFailure,
    UnsafePermissions,
)
from tlscomm.x509._facts import certificateFacts, subjectText
from tlscomm.x509._keystrengths import handshakeKeyWeakness, unsignableKey
from tlscomm.x509._roles import Role

if TYPE_CHECKING:
    # Which imports OpenSSL, and costs a program that only looks into files a tenth of a second.
    from twisted.internet.ssl import CertificateOptions, PrivateCertificate

__all__ = [
    "Credential",
    "PassphraseSource",
    "Role",
    "SourceLike",
    "certificateFacts",
    "checkUsable",
    "loadCertificates",
    "loadCredential",
    "loadCredentials",
    "loadPrivateKeys",
    "retrying",
    "usabilityProblems",
]

#: A bundle in which nothing can be read has hundreds.
_MOST_REPORTED = 10


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
        isExportable: whether `exportCredential` may write the key; not where a certificate store has marked it. A mark
            against mistakes: whatever uses the key, `privateKey` itself among it, takes no notice.
        root: the root that the chain leads to, where the source has it. It is not presented, and two credentials that
            differ in it alone are equal.
    """

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()
    privateKey: PrivateKeyTypes | None = None
    friendlyName: str | None = None
    source: str = "memory"
    isExportable: bool = True
    root: x509.Certificate | None = field(default=None, compare=False)

    def requireExportable(self) -> Credential:
        """Return this credential if its key may be exported, or it has none.

        Raises:
            NotExportable: it may not. `tlscomm.store` says what that is good for.
        """
        if self.privateKey is not None and not self.isExportable:
            facts = certificateFacts(self.certificate)
            raise NotExportable(f"{facts.subject} in {self.source}", certificate=facts)
        return self

    def requireKey(self) -> Credential:
        """Return this credential if it has the private key of its certificate.

        Raises:
            NoPrivateKey: there is none.
            KeyMismatch: the key is another certificate's.
            KeyTooWeak: the certificate's key is of a kind that is not known, so that none can be its private key.
        """
        facts = certificateFacts(self.certificate)
        if self.privateKey is None:
            raise NoPrivateKey(f"{self.source} holds the certificate of {facts.subject} alone", certificate=facts)
        if not isOfKnownKind(self.certificate):
            weakness = unsignableKey(self.certificate)
            raise KeyTooWeak(f"{facts.subject}, it has {weakness}", stage="credential", certificate=facts, depth=0)
        if not fits(self.certificate, self.privateKey):
            raise KeyMismatch(f"{self.source} has the certificate of {facts.subject}", certificate=facts)
        return self

    def asPrivateCertificate(self) -> PrivateCertificate:
        """Return certificate and key as Twisted's own type, without the chain, for which that has no place.

        What Twisted does with it announces some types of pyOpenSSL's as deprecated; `contextArguments` does not.

        Raises:
            NoPrivateKey, KeyMismatch: as `requireKey`.
            KeyTooWeak: the key is of a kind that OpenSSL cannot sign with.
        """
        from OpenSSL.crypto import X509, PKey
        from twisted.internet.ssl import Certificate, KeyPair, PrivateCertificate

        key: Any = self.requireKey().privateKey
        if weakness := handshakeKeyWeakness(self.certificate):
            facts = certificateFacts(self.certificate)
            raise KeyTooWeak(f"{facts.subject} has {weakness}", stage="credential", certificate=facts, depth=0)
        certificate = Certificate(X509.from_cryptography(self.certificate))
        taken = contextKey(key)
        pair = KeyPair(taken if isinstance(taken, PKey) else PKey.from_cryptography_key(key))
        private: PrivateCertificate = PrivateCertificate.fromCertificateAndKeyPair(certificate, pair)
        return private

    def certificateOptions(self, **options: Any) -> CertificateOptions:
        """Return Twisted's options for a server that presents this certificate with its chain.

        Args:
            options: other arguments of ``twisted.internet.ssl.CertificateOptions``, ``trustRoot`` for one, without
                which no client is asked for a certificate.

        Raises:
            NoPrivateKey, KeyMismatch: as `requireKey`.
        """
        from twisted.internet.ssl import CertificateOptions

        return CertificateOptions(**self.contextArguments(), **options)

    def contextArguments(self) -> dict[str, Any]:
        """Return those arguments of Twisted's ``CertificateOptions`` that present certificate, chain and key.

        A client of Twisted's own takes them as well::

            optionsForClientTLS("example.org", extraCertificateOptions=credential.contextArguments())

        Raises:
            NoPrivateKey, KeyMismatch: as `requireKey`.
        """
        return {
            "privateKey": contextKey(self.requireKey().privateKey),
            "certificate": self.certificate,
            "extraCertChain": list(self.chain),
        }

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

    The form is found out by content: PEM with certificates and keys in any order, PKCS#12 (PFX), PKCS#7 (P7B),
    certificates and keys in DER, or any of these in base64 without armour. The leaf is the certificate that the key
    fits; without a key, the first that issued none of the others.

    Args:
        source: a path, ``-`` for standard input, the content as bytes, or a file object that gives bytes.
        key: where the private key is, if it is to be taken from elsewhere. A key in ``source`` is then not looked at.
        passphrase: what opens encrypted content: bytes, or a callable that is asked with the source's name only when
            content is encrypted, and returns None where no person can answer. One that is not needed does no harm.
            `retrying` makes a callable be asked again after a wrong answer.
        checkPermissions: whether a private key that others can read is refused. Off for programs that only show what a
            file holds. Without effect on Windows and on bytes.
        insecureAllowReadableKey: accept such a key all the same. Every user of the machine who can read the file can
            then pretend to be its owner.

    Returns:
        The credential. It may lack a key, or have one that does not fit: see `checkUsable`.

    Raises:
        FileNotFound, Unreadable: a file cannot be read.
        UnknownFormat, Damaged: its content cannot. Content that is of a known format and not supported, or costs more
            work than any credential, is `UnknownFormat` too.
        PassphraseRequired, PassphraseWrong: it is encrypted.
        NoCertificate: there is no certificate in ``source``.
        NoPrivateKey: there is no private key in ``key``.
        UnsafePermissions: a file with a private key can be read by others.
        TypeError: the pass phrase is neither bytes nor callable, or a file object gives text.
    """
    unlocking = Passphrase(passphrase)
    # A traceback that shows local variables must not show it.
    del passphrase
    return _load(source, key, unlocking, guards=checkPermissions and not insecureAllowReadableKey)[0]


def loadCredentials(
    source: SourceLike,
    *,
    key: SourceLike | None = None,
    passphrase: PassphraseSource = None,
    checkPermissions: bool = True,
    insecureAllowReadableKey: bool = False,
) -> tuple[Credential, ...]:
    """Load every credential that a source holds: one for each private key that fits a certificate.

    Keystores of Java's hold several, and so may any PFX or PEM file. Where no key fits a certificate there is one
    credential, as `loadCredential` returns it. The arguments and what is raised are those of `loadCredential`.

    Returns:
        At least one. Those whose certificate issued none of the others come first.
    """
    unlocking = Passphrase(passphrase)
    del passphrase
    return _load(source, key, unlocking, guards=checkPermissions and not insecureAllowReadableKey)


def loadPrivateKeys(
    source: SourceLike, *, passphrase: PassphraseSource = None, insecureAllowReadableKey: bool = False
) -> tuple[PrivateKeyTypes, ...]:
    """Load private keys alone, for certificates that are elsewhere. The arguments are those of `loadCredential`.

    Raises:
        NoPrivateKey: there is none in it.
        TLSFailure: as `loadCredential`.
    """
    unlocking = Passphrase(passphrase)
    del passphrase
    return _readKeys(source, unlocking, guards=not insecureAllowReadableKey)


def loadCertificates(
    source: SourceLike, *, passphrase: PassphraseSource = None, peerRole: Role | None = None
) -> tuple[x509.Certificate, ...]:
    """Load certificates alone, as roots to be trusted for one.

    Args:
        source: a file with any number of certificates in any form, a folder of such files, ``-`` for standard input,
            the content as bytes, or a file object. In a folder, hidden files, folders, and files that are something
            else are passed over.
        passphrase: what opens a PFX, as for `loadCredential`. For the files of a folder no person is asked.
        peerRole: the side of the peers that the certificates are to be trusted for, ``client`` or ``server``. A block
            of the kind ``TRUSTED CERTIFICATE`` may say that one is not trusted for that; where None, one that is not
            trusted for both is left out.

    Returns:
        The certificates in the order of the file, or of the files' names, each once. What cannot be read among others
        that can, or is not to be trusted, is left out, and a warning in the log names its place and the reason. What
        OpenSSL can read and our rules cannot is warned of as well, and accepted as the issuer of nothing.

    Raises:
        FileNotFound, Unreadable: a file or the folder cannot be read.
        UnknownFormat, Damaged: its content cannot, or the file is cut off.
        PassphraseRequired, PassphraseWrong: it is an encrypted PFX.
        NoCertificate: there is none in it.
        WrongPurpose: there is none in it that may be trusted for the purpose.
    """
    found = readAuthorities(source, passphrase, peerRole)
    if not found.certificates and found.unreadable:
        raise found.unreadable[0]
    if not found.certificates:
        raise NoCertificate(
            f"{nameOf(source)} holds no certificate",
            stage="credential",
            remedy="Name a file or a folder with authorities: --roots, --client-roots, --intermediates.",
        )
    if found.unreadable:
        _reportUnreadable(found.unreadable)
    return found.certificates


def _reportUnreadable(problems: Sequence[TLSFailure]) -> None:
    from twisted.logger import Logger

    log = Logger(namespace="tlscomm")
    for problem in problems[:_MOST_REPORTED]:
        log.warn("cannot be used as an authority, {code}: {problem}", code=problem.code, problem=problem.detail)
    if (more := len(problems) - _MOST_REPORTED) > 0:
        log.warn("cannot be used as authorities: {more} more that cannot be read", more=more)


def checkUsable(credential: Credential, role: Role, now: datetime) -> None:
    """Refuse a credential that cannot stand on one side of a connection.

    What every peer is going to refuse is better heard before the port is opened. The first problem is raised, in the
    order of this list. A configuration does this when it is made.

    Args:
        credential: what was loaded.
        role: the side that it is for.
        now: when it is to be used, with a time zone.

    Raises:
        NoPrivateKey: it has no key.
        KeyMismatch: its key is another certificate's.
        InvalidCertificate: it cannot be read, so that no peer will accept it.
        WrongPurpose: it has an extended key usage, and that of the role is not in it (RFC 5280, section 4.2.1.12), or
            its key usage does not allow a signature (section 4.2.1.3).
        Expired, NotYetValid: it is not valid now.
        KeyTooWeak: TLS peers do not accept its kind or size of key: RSA of less than 2048 bits, DSA, elliptic curves
            that are not in TLS, and keys that cannot sign; or it is signed with MD5 or SHA-1. The keys and signatures
            of its chain have to be strong as well, and the chain has to be readable.
    """
    for problem in usabilityProblems(credential, role, now):
        raise problem
    if (fault := undecodable(credential)) is not None:
        raise fault


def usabilityProblems(credential: Credential, role: Role, now: datetime) -> Iterator[TLSFailure]:
    """Give all that `checkUsable` refuses, for programs that show it."""
    yield from keyProblems(credential)
    chain = (credential.certificate, *credential.chain)
    for problem in certificateProblems(chain, role, now):
        yield asFailure(problem, chain)


def undecodable(credential: Credential) -> TLSFailure | None:
    """Return the failure of a credential of which OpenSSL cannot read a certificate; None where it reads all of them.

    It is asked last, because it costs a program that only looks into files to load OpenSSL.
    """
    from tlscomm._openssl import decodingFault

    chain = (credential.certificate, *credential.chain)
    for depth, certificate in enumerate(chain):
        if fault := decodingFault(certificate):
            detail = f"it cannot be read by OpenSSL: {fault}"
            return asFailure(Problem("invalid-certificate", depth, subjectText(certificate), detail), chain)
    return None


def keyProblems(credential: Credential) -> Iterator[TLSFailure]:
    """Give what `Credential.requireKey` refuses."""
    try:
        credential.requireKey()
    except (NoPrivateKey, KeyMismatch) as problem:
        yield problem
    except KeyTooWeak:
        # That is a problem of the certificate, and is said with those.
        return


def _load(
    source: SourceLike, key: SourceLike | None, passphrase: Passphrase, *, guards: bool
) -> tuple[Credential, ...]:
    if _isStandardInput(source) and _isStandardInput(key):
        # It can be read once.
        key = None
    identity, held = _read(source, passphrase, guards=guards, wantKeys=key is None)
    if not held.certificates:
        raise NoCertificate(f"{identity.name} holds no certificate", stage="credential")
    keys = held.keys if key is None else _readKeys(key, passphrase, guards=guards)
    certificates = tuple(dict.fromkeys(held.certificates))
    return tuple(
        Credential(
            leaf,
            chain := chainOf(leaf, certificates),
            leafKey,
            held.friendlyNames.get(leaf),
            identity.name,
            root=rootOf((leaf, *chain), certificates),
        )
        for leaf, leafKey in leavesAndKeys(certificates, keys)
    )


def _read(source: SourceLike, passphrase: Passphrase, *, guards: bool, wantKeys: bool) -> tuple[Source, Contents]:
    opened = readSource(source)
    contents = readContents(opened, passphrase, wantKeys=wantKeys)
    if guards and contents.holdsKey and opened.isReadableByOthers:
        target = "that file" if opened.path is None else shlex.quote(nameOf(opened.path))
        raise UnsafePermissions(f"{opened.name}; to mend it: chmod 600 {target}")
    return opened, contents


def _readKeys(source: SourceLike, passphrase: Passphrase, *, guards: bool) -> tuple[PrivateKeyTypes, ...]:
    opened, contents = _read(source, passphrase, guards=guards, wantKeys=True)
    if not contents.keys:
        raise NoPrivateKey(f"{opened.name} holds no private key")
    return contents.keys


def _isStandardInput(source: SourceLike | None) -> bool:
    return isinstance(source, str | os.PathLike) and os.fspath(source) == STANDARD_INPUT
