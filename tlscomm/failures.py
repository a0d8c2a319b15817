"""Every way in which a connection can fail, under one name each.

Whoever is called at night acts on the name, so a name says the cause and not the mechanism, and the list is closed: the
exception, the log line, the command line and the documentation all use it, and nothing outside it ever leaves tlscomm's
own code. The sentences are part of the table. They are written for a person who did not write the program.

A failure that the *peer* decided has the same name with ``side="remote"``. Its sentence then speaks of us, because it
is our certificate, or our configuration, that the peer did not accept.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from tlscomm.alerts import Alert

__all__ = [
    "CODES",
    "Ambiguous",
    "BadSignature",
    "CertificateFacts",
    "CertificateFailure",
    "ChainTooLong",
    "CloseTimeout",
    "ClosedInHandshake",
    "ConnectFailed",
    "ConnectionFailure",
    "CredentialFailure",
    "Damaged",
    "Expired",
    "FileNotFound",
    "HandshakeTimeout",
    "HookFailed",
    "HookTimeout",
    "IncompleteChain",
    "InvalidCertificate",
    "KeyMismatch",
    "KeyTooWeak",
    "MessageFailure",
    "MessageTooLong",
    "NameMismatch",
    "NegotiationFailure",
    "NoCertificate",
    "NoCommonCipher",
    "NoCommonGroup",
    "NoCommonProtocol",
    "NoCommonVersion",
    "NoPrivateKey",
    "NotAllowed",
    "NotExportable",
    "NotInStore",
    "NotPermitted",
    "NotTLS",
    "NotYetValid",
    "PassphraseRequired",
    "PassphraseWrong",
    "Problem",
    "ProtocolViolation",
    "ReadTimeout",
    "Refused",
    "RefusedByHook",
    "Reset",
    "RevocationUnknown",
    "Revoked",
    "SelfSigned",
    "Side",
    "Stage",
    "StoreReadOnly",
    "TLSFailure",
    "TooManyConnections",
    "Truncated",
    "Undecodable",
    "UnknownFormat",
    "UnknownIssuer",
    "UnknownServerName",
    "Unreadable",
    "UnsafePermissions",
    "WriteTimeout",
    "WrongPurpose",
    "failureForCode",
    "printable",
]

Side = Literal["local", "remote"]
Stage = Literal["credential", "connect", "handshake", "authorization", "message", "close"]


def printable(text: str, limit: int = 200) -> str:
    """Return hostile text on one line, without anything that a terminal or a log would obey.

    Args:
        text: anything, a name out of a peer's certificate for one.
        limit: the most characters of it that are kept.
    """
    # The first cut bounds the work on a name of megabytes, the second the result.
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: limit + 1])
    return escaped if len(escaped) <= limit else escaped[: limit - 1] + "…"


@dataclass(frozen=True)
class CertificateFacts:
    """What a failure keeps of a certificate: enough to find it, all of it printable, and its bytes.

    Attributes:
        subject: the distinguished name (RFC 4514), printable.
        issuer: the issuer's distinguished name, printable.
        serial: the serial number in hexadecimal.
        notBefore: the first second of its validity, ISO 8601 in UTC.
        notAfter: the last second of its validity, ISO 8601 in UTC.
        fingerprint: ``sha256:`` and the digest of the certificate in hexadecimal.
        names: its subject alternative names as ``kind:value``, printable.
        der: the certificate itself.
    """

    subject: str
    issuer: str
    serial: str
    notBefore: str
    notAfter: str
    fingerprint: str
    names: tuple[str, ...] = ()
    der: bytes = b""

    def toJSON(self) -> dict[str, object]:
        """Return everything but the bytes, for a log line."""
        facts = asdict(self)
        del facts["der"]
        return facts


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a chain. A refused chain often has several.

    Attributes:
        code: the failure code.
        depth: 0 for the peer's own certificate, 1 for its issuer, and so on.
        subject: whose certificate it is, printable.
        detail: what exactly, as a phrase; may be empty.
        opensslError: OpenSSL's verification error number, or None where tlscomm found it.
    """

    code: str
    depth: int
    subject: str = ""
    detail: str = ""
    opensslError: int | None = None

    def toJSON(self) -> dict[str, object]:
        return asdict(self)


class TLSFailure(Exception):
    """What all failures have in common.

    Two failures are equal when they have the same code: the rest is evidence.

    Args:
        detail: what exactly happened, as a phrase that completes the sentence of the code. Never holds a secret.
        side: ``local`` where we refused or broke, ``remote`` where the peer did.
        stage: where in the life of a connection; the code's usual stage where None is given.
        alert: the TLS alert that was sent or received.
        certificate: the certificate that is at fault.
        depth: its place in the chain, 0 for the end entity's own.
        peer: the peer's address, as text.
        opensslError: OpenSSL's verification error number, as evidence.
        evidence: what the libraries below said, in their own words, as evidence.
        problems: everything that was found wrong, where the refusal was ours.
        chain: the peer's chain as far as it is known, the end entity's certificate first.
        remedy: what to do in this very case; what the code says of all its cases where it is empty.
    """

    code: ClassVar[str]
    #: What happened. ``{whose}`` becomes "our certificate" or "the peer's certificate", or the issuing certificate that
    #: is at fault; ``{owner}`` becomes "our" or "the peer's".
    summary: ClassVar[str]
    #: What to do where the mistake is on our side: our own credential, or a refusal by the peer.
    ours: ClassVar[str]
    #: What to do where the peer is at fault.
    theirs: ClassVar[str]
    #: How to make it happen.
    reproduce: ClassVar[str]
    #: Whether somebody has to change something before another try can succeed.
    permanent: ClassVar[bool]
    usualStage: ClassVar[Stage]

    def __init__(
        self,
        detail: str = "",
        *,
        side: Side = "local",
        stage: Stage | None = None,
        alert: Alert | None = None,
        certificate: CertificateFacts | None = None,
        depth: int | None = None,
        peer: str | None = None,
        opensslError: int | None = None,
        evidence: tuple[str, ...] = (),
        problems: tuple[Problem, ...] = (),
        chain: tuple[CertificateFacts, ...] = (),
        remedy: str = "",
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.side = side
        self.stage: Stage = self.usualStage if stage is None else stage
        self.alert = alert
        self.certificate = certificate
        self.depth = depth
        self.peer = peer
        self.opensslError = opensslError
        self.evidence = evidence
        self.problems = problems
        self.chain = chain
        self.remedy = remedy

    @property
    def message(self) -> str:
        """What happened, as one sentence."""
        sentence = self.summary.format(whose=self._whose(), owner=self._owner())
        if self.side == "remote" and self._judgesUs:
            sentence = f"the peer refused us: {sentence}"
        if self.detail:
            sentence = f"{sentence}: {self.detail}"
        return sentence[:1].upper() + sentence[1:] + "."

    @property
    def nextStep(self) -> str:
        """What to do about it, as one or more sentences."""
        return self.remedy or (self.ours if self._isOurs() else self.theirs)

    def toJSON(self) -> dict[str, object]:
        """Return the failure for a log line or a program; every value can be written as JSON."""
        return {
            "code": self.code,
            "side": self.side,
            "stage": self.stage,
            "message": self.message,
            "nextStep": self.nextStep,
            "permanent": self.permanent,
            "alert": None if self.alert is None else self.alert.toJSON(),
            "certificate": None if self.certificate is None else self.certificate.toJSON(),
            "depth": self.depth,
            "peer": self.peer,
            "opensslError": self.opensslError,
            "evidence": list(self.evidence),
            "problems": [problem.toJSON() for problem in self.problems],
            "chain": [certificate.toJSON() for certificate in self.chain],
        }

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.side} {self.stage}: {self.message}>"

    def __eq__(self, other: object) -> bool:
        return self.code == other.code if isinstance(other, TLSFailure) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.code)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.detail,), self.__dict__

    @property
    def _judgesUs(self) -> bool:
        return isinstance(self, CertificateFailure | NegotiationFailure)

    def _isOurs(self) -> bool:
        return self.stage == "credential" or self.side == "remote"

    def _owner(self) -> str:
        return "our" if self._isOurs() else "the peer's"

    def _whose(self) -> str:
        return f"an issuing certificate in {self._owner()} chain" if self.depth else f"{self._owner()} certificate"


class CredentialFailure(TLSFailure):
    """A credential of our own cannot be read or used. No network was involved."""

    usualStage: ClassVar[Stage] = "credential"
    permanent = True


class CertificateFailure(TLSFailure):
    """A certificate, the peer's or our own, is not accepted."""

    usualStage: ClassVar[Stage] = "handshake"
    permanent = True


class NegotiationFailure(TLSFailure):
    """The two sides do not speak the same protocol."""

    usualStage: ClassVar[Stage] = "handshake"
    permanent = True


class ConnectionFailure(TLSFailure):
    """The connection broke, or something took too long. Another try may succeed."""

    usualStage: ClassVar[Stage] = "handshake"
    permanent = False


class MessageFailure(TLSFailure):
    """The bytes that were exchanged are not messages that both sides can accept."""

    usualStage: ClassVar[Stage] = "message"
    permanent = True


class Ambiguous(CredentialFailure):
    """More than one certificate fits a search that needs exactly one."""

    code = "ambiguous"
    summary = "more than one certificate fits"
    ours = "Narrow the search, by thumbprint for one; the detail lists what was found."
    theirs = ours
    reproduce = "Search a store for a subject that two of its certificates have."


class Damaged(CredentialFailure):
    """A file is of a known format, and broken."""

    code = "damaged"
    summary = "the file is damaged"
    ours = "Fetch or export the file again; compare its size and checksum with the original."
    theirs = ours
    reproduce = "Cut a PFX file off in the middle and load it."


class FileNotFound(CredentialFailure):
    """A file that was named does not exist."""

    code = "file-not-found"
    summary = "there is no such file"
    ours = "Check the path. A relative path starts at the folder that the program was started in."
    theirs = ours
    reproduce = "Name a file that does not exist."


class KeyMismatch(CredentialFailure):
    """The private key does not belong to the certificate."""

    code = "key-mismatch"
    summary = "the private key does not belong to our certificate"
    ours = "Use the key that the certificate was requested with, or request a new certificate for this key."
    theirs = ours
    reproduce = "Load the certificate of one credential with the key of another."


class NoPrivateKey(CredentialFailure):
    """A private key is needed and there is none."""

    code = "no-private-key"
    summary = "there is no private key for our certificate"
    ours = (
        "Name the key's file (--key FILE), or use a PFX that was exported with its private key. A CER or P7B file "
        "never has one."
    )
    theirs = ours
    reproduce = "Start a server with a certificate file that holds no key."


class NotExportable(CredentialFailure):
    """The store's entry is marked so that its key may not be exported."""

    code = "not-exportable"
    summary = "the private key is marked as not exportable"
    ours = "Import the credential again with its key marked as exportable, or export the certificate alone."
    theirs = ours
    reproduce = "Add a credential to a store as not exportable, then export it with its key."


class NotInStore(CredentialFailure):
    """Nothing in the certificate store fits the search."""

    code = "not-in-store"
    summary = "no certificate in the store fits"
    ours = "List the store (tlscomm store list) and check location, name and search."
    theirs = ours
    reproduce = "Search a store for a thumbprint that it does not hold."


class PassphraseRequired(CredentialFailure):
    """The file is encrypted and no pass phrase was given."""

    code = "passphrase-required"
    summary = "the file is encrypted and needs its pass phrase"
    ours = "Give the pass phrase in a file (--passphrase-file) or an environment variable (--passphrase-env)."
    theirs = ours
    reproduce = "Load an encrypted PFX without a pass phrase where there is no terminal."


class PassphraseWrong(CredentialFailure):
    """The pass phrase does not open the file."""

    code = "passphrase-wrong"
    summary = "the pass phrase does not open the file"
    ours = "Check the pass phrase, its character set, and that its file ends in at most one line end."
    theirs = ours
    reproduce = "Load an encrypted PFX with another file's pass phrase."


class StoreReadOnly(CredentialFailure):
    """The store was opened for reading and was asked to change."""

    code = "store-read-only"
    summary = "the certificate store is read-only"
    ours = "Open the store for reading and writing, as a user who may write to its folder."
    theirs = ours
    reproduce = "Open a store read-only and add a certificate to it."


class UnknownFormat(CredentialFailure):
    """The content is of no format that is known here."""

    code = "unknown-format"
    summary = "the file is of no known format"
    ours = "PEM, DER and PKCS#12 (PFX) files are read. See what it is with: openssl asn1parse, or file FILE."
    theirs = ours
    reproduce = "Load a picture as a certificate."


class Unreadable(CredentialFailure):
    """The file exists and cannot be read."""

    code = "unreadable"
    summary = "the file cannot be read"
    ours = "Check the permissions of the file and its folders for the user that runs the program."
    theirs = ours
    reproduce = "Load a file that belongs to another user and has mode 0600."


class UnsafePermissions(CredentialFailure):
    """Others can read a private key."""

    code = "unsafe-permissions"
    summary = "others have access that they should not have"
    ours = "Make the file readable by its owner only: chmod 600 FILE. If it was readable for long, replace the key."
    theirs = ours
    reproduce = "Give a server a key file of mode 0644."


class BadSignature(CertificateFailure):
    """A signature in the chain is not its issuer's."""

    code = "bad-signature"
    summary = "the signature on {whose} is not its issuer's"
    ours = (
        "The certificate was changed, or its issuer has a namesake with another key. Have it issued again by the "
        "authority that the peer trusts."
    )
    theirs = (
        "The peer's certificate was changed or forged, or the trusted authority has a namesake with another key. "
        "Compare the authority's fingerprint on both sides."
    )
    reproduce = "tlscomm pki gallery FOLDER writes one."


class ChainTooLong(CertificateFailure):
    """The chain has more authorities than are allowed."""

    code = "chain-too-long"
    summary = "the chain of {whose} has more authorities than allowed"
    ours = "Have the certificate issued by an authority whose path length constraint allows it."
    theirs = (
        "The peer needs a certificate with fewer intermediate authorities, or an authority with a larger path length"
        " constraint."
    )
    reproduce = (
        "Issue a certificate by an authority below one whose pathLenConstraint is 0; tlscomm pki gallery FOLDER "
        "writes one."
    )


class Expired(CertificateFailure):
    """The time of a certificate is over (RFC 5280, section 4.1.2.5)."""

    code = "expired"
    summary = "{whose} has expired"
    ours = "Renew the certificate and load it again; tlscomm inspect FILE shows its dates."
    theirs = "The peer must renew its certificate. If its dates look right, check this machine's clock."
    reproduce = "tlscomm pki gallery FOLDER writes one."


class HookFailed(CertificateFailure):
    """The verification hook of the application raised an exception, which refuses."""

    usualStage = "authorization"
    code = "hook-failed"
    summary = "the verification hook failed"
    ours = "Ask who runs the peer: its own check broke, its log says how."
    theirs = "Mend the hook: the evidence and the log hold the exception that it raised."
    reproduce = "Install a verification hook that raises."
    permanent = False


class HookTimeout(CertificateFailure):
    """The verification hook of the application did not answer in time, which refuses."""

    usualStage = "authorization"
    code = "hook-timeout"
    summary = "the verification hook did not answer in time"
    ours = "Ask who runs the peer: its own check is too slow."
    theirs = "Make the hook answer sooner, or give it a longer deadline."
    reproduce = "Install a verification hook that returns a Deferred that never fires."
    permanent = False


class IncompleteChain(CertificateFailure):
    """A link between the certificate and a trusted authority is missing."""

    code = "incomplete-chain"
    summary = "the issuer of {whose} was neither sent nor is it trusted"
    ours = (
        "Send the intermediate certificates too: append them to the certificate's PEM file, or export the PFX with "
        "its chain."
    )
    theirs = (
        "The peer must send the intermediate certificates with its own, or the issuer must be trusted here "
        "(--client-roots on the server, --roots on the client)."
    )
    reproduce = (
        "Use a certificate of an intermediate authority without sending the intermediate; tlscomm pki gallery FOLDER"
        " writes one."
    )


class InvalidCertificate(CertificateFailure):
    """A certificate breaks the rules for certificates."""

    code = "invalid-certificate"
    summary = "{whose} breaks the rules for certificates"
    ours = "Have the certificate issued again; tlscomm inspect FILE says what is wrong with it."
    theirs = "The peer's certificate must be issued again by an authority that follows RFC 5280."
    reproduce = "tlscomm pki gallery FOLDER writes one with a malformed subject alternative name."


class KeyTooWeak(CertificateFailure):
    """A key or a signature algorithm in the chain is too weak to be trusted."""

    code = "key-too-weak"
    summary = "the key or the signature of {whose} is too weak"
    ours = "Use an ECDSA P-256 or an RSA key of 2048 bits or more, and a SHA-256 signature or better."
    theirs = "The peer needs a new key: ECDSA P-256, or RSA of 2048 bits or more, signed with SHA-256 or better."
    reproduce = "tlscomm pki gallery FOLDER writes one with an RSA key of 1024 bits."


class NameMismatch(CertificateFailure):
    """The server's certificate is for other names than the one that was asked for."""

    code = "name-mismatch"
    summary = "{whose} is for another name"
    ours = (
        "Have the certificate issued with the name that clients use as a subject alternative name. A common name "
        "does not count."
    )
    theirs = (
        "Connect by a name in the certificate (--server-name), or have the server's certificate issued with this "
        "name as a subject alternative name. A common name does not count."
    )
    reproduce = "Connect to 127.0.0.1 with --server-name wrong.example."


class NoCertificate(CertificateFailure):
    """A certificate is needed and there is none."""

    code = "no-certificate"
    summary = "a certificate is needed and there is none"
    ours = (
        "Give a certificate and its private key (--identity). If one is configured, its issuer may not be on the "
        "server's list of acceptable authorities."
    )
    theirs = (
        "The client must present a certificate. If it has one, its issuer may not be on the list that this server "
        "sends."
    )
    reproduce = "Connect without --identity to a server that requires client certificates."


class NotAllowed(CertificateFailure):
    """The certificate is valid, and the access rules keep its holder out."""

    usualStage = "authorization"
    code = "not-allowed"
    summary = "{whose} is valid, but the access rules keep its holder out"
    ours = (
        "Ask who runs the peer for a rule that fits this certificate (--allow), or to lift one that denies it (--deny)."
    )
    theirs = "If the holder should be let in, add a rule that fits (--allow), or lift the one that denies it (--deny)."
    reproduce = "Start a server with --allow cn=somebody-else."


class NotPermitted(CertificateFailure):
    """A rule of an authority in the chain forbids this certificate (RFC 5280, section 4.2.1.10 and others)."""

    code = "not-permitted"
    summary = "an authority of the chain does not permit {whose}"
    ours = (
        "Have the certificate issued so that it keeps the rules of its authorities: name constraints, the right to "
        "issue, and critical extensions; the detail says which rule it breaks."
    )
    theirs = (
        "The peer needs a certificate that keeps the rules of its authorities; the detail says which rule it breaks."
    )
    reproduce = "tlscomm pki gallery FOLDER writes one that violates name constraints."


class NotYetValid(CertificateFailure):
    """The time of a certificate has not begun (RFC 5280, section 4.1.2.5)."""

    code = "not-yet-valid"
    summary = "{whose} is not valid yet"
    ours = "Wait until its notBefore, or set this machine's clock right."
    theirs = (
        "Check the clocks of both machines. If they are right, the peer's certificate becomes valid at its notBefore."
    )
    reproduce = "tlscomm pki gallery FOLDER writes one."
    permanent = False


class Refused(CertificateFailure):
    """The peer refused, and neither its alert nor what else is known says why. Only ever remote."""

    code = "refused"
    summary = "it does not say why"
    ours = (
        "Look in the peer's log, which knows the reason. The likeliest: it does not trust our certificate's issuer, "
        "or needs a certificate and got none."
    )
    theirs = "Look in the peer's log, which knows the reason."
    reproduce = "Connect with an unwanted certificate to a server that closes the connection without an alert."
    permanent = False


class RefusedByHook(CertificateFailure):
    """The verification hook of the application refused."""

    usualStage = "authorization"
    code = "refused-by-hook"
    summary = "the verification hook refused {whose}"
    ours = "Ask who runs the peer: its own check refused this certificate."
    theirs = "The application's own hook decided so; the detail holds its reason."
    reproduce = "Install a verification hook that refuses."


class RevocationUnknown(CertificateFailure):
    """Whether a certificate was revoked cannot be found out, and must be."""

    code = "revocation-unknown"
    summary = "nothing valid tells that {whose} was not revoked"
    ours = (
        "Ask who runs the peer to renew its revocation lists. If the certificate has to come with an OCSP response, "
        "staple one (--staple)."
    )
    theirs = (
        "Provide a current revocation list (--crl) of each authority of the chain, or have the server staple an OCSP "
        "response."
    )
    reproduce = "Check revocation with a list that has expired."
    permanent = False


class Revoked(CertificateFailure):
    """The issuer has revoked the certificate (RFC 5280, section 5)."""

    code = "revoked"
    summary = "{whose} was revoked by its issuer"
    ours = "Get a new certificate. Ask the issuer why this one was revoked."
    theirs = "Do not trust the peer until it has a new certificate; its issuer withdrew this one."
    reproduce = "Put the certificate's serial number on its issuer's revocation list (--crl)."


class SelfSigned(CertificateFailure):
    """The certificate is its own issuer and is not trusted itself."""

    code = "self-signed"
    summary = "{whose} is self-signed and not trusted"
    ours = (
        "Use a certificate that an authority issued which the peer trusts, or have the peer trust this very "
        "certificate."
    )
    theirs = (
        "Trust this very certificate if it is the right one (add it to the roots), or have the peer use one from a "
        "trusted authority."
    )
    reproduce = "tlscomm pki gallery FOLDER writes one."


class UnknownIssuer(CertificateFailure):
    """The chain ends at an authority that is not trusted."""

    code = "unknown-issuer"
    summary = "{owner} certificate comes from an authority that is not trusted"
    ours = (
        "Use a certificate from an authority that the peer trusts, or have the peer trust ours (--client-roots on "
        "the server, --roots on the client). If the chain needs intermediates, send them too."
    )
    theirs = (
        "Add the authority to the trusted roots (--client-roots on the server, --roots on the client) if it should "
        "be trusted."
    )
    reproduce = "tlscomm pki gallery FOLDER writes one."


class WrongPurpose(CertificateFailure):
    """The certificate may not be used for this side of a connection (RFC 5280, section 4.2.1.12)."""

    code = "wrong-purpose"
    summary = "{whose} is not meant for this use"
    ours = (
        "Have the certificate issued with the extended key usage that this side needs: Server Authentication "
        "(1.3.6.1.5.5.7.3.1) or Client Authentication (1.3.6.1.5.5.7.3.2)."
    )
    theirs = (
        "The peer needs a certificate with the extended key usage of its side: Server Authentication "
        "(1.3.6.1.5.5.7.3.1) or Client Authentication (1.3.6.1.5.5.7.3.2)."
    )
    reproduce = "Use a server's certificate as a client's; tlscomm pki gallery FOLDER writes one."


class NoCommonCipher(NegotiationFailure):
    """There is no cipher suite, or no kind of signature, that both sides accept."""

    code = "no-common-cipher"
    summary = "there is no cipher suite or signature algorithm that both sides accept"
    ours = (
        "Allow a cipher suite and signature algorithm that the peer has; the defaults of current software always "
        "overlap."
    )
    theirs = ours
    reproduce = "Connect with openssl s_client -tls1_2 -cipher and a suite that the server's key cannot serve."


class NoCommonGroup(NegotiationFailure):
    """There is no key exchange group that both sides accept."""

    code = "no-common-group"
    summary = "there is no key exchange group that both sides accept"
    ours = "Allow X25519 or P-256 on both sides."
    theirs = ours
    reproduce = "Connect with openssl s_client -groups and a group that the server does not have."


class NoCommonProtocol(NegotiationFailure):
    """There is no application protocol (ALPN, RFC 7301) that both sides accept."""

    code = "no-common-protocol"
    summary = "there is no application protocol (ALPN) that both sides accept"
    ours = "Give both sides one application protocol in common."
    theirs = ours
    reproduce = "Offer an application protocol that the server does not have."


class NoCommonVersion(NegotiationFailure):
    """There is no version of TLS that both sides accept."""

    code = "no-common-version"
    summary = "there is no version of TLS that both sides accept"
    ours = "Check --minimum-tls and --maximum-tls on both sides. TLS 1.0 and 1.1 are never spoken."
    theirs = ours
    reproduce = "Connect with --maximum-tls 1.2 to a server that was started with --minimum-tls 1.3."


class NotTLS(NegotiationFailure):
    """The other side does not speak TLS on this port."""

    code = "not-tls"
    summary = "the peer does not speak TLS"
    ours = "Check host and port: something else listens there, or a client for something else has come."
    theirs = ours
    reproduce = "Connect to a web server's plain HTTP port, or send plain HTTP to a TLS port."


class ProtocolViolation(NegotiationFailure):
    """What arrived is against the rules of TLS."""

    code = "protocol-violation"
    summary = "the rules of TLS were broken"
    ours = "Look at the evidence: a peer that is broken, a machine in the middle that changes bytes, or an attack."
    theirs = ours
    reproduce = "Change one byte of an encrypted record on its way."
    permanent = False


class UnknownServerName(NegotiationFailure):
    """The server has no certificate for the name that the client asked for (RFC 6066, section 3)."""

    code = "unknown-server-name"
    summary = "the server does not serve the name that was asked for"
    ours = "Ask for a name that the server has (--server-name), or give the server a credential for this one."
    theirs = ours
    reproduce = "Connect with a --server-name that the server does not know to a server that insists on known names."


class ClosedInHandshake(ConnectionFailure):
    """The connection ended before the handshake did."""

    code = "closed-in-handshake"
    summary = "the connection ended during the handshake"
    ours = "Look in the peer's log. A port scanner or a health check does this too, and means no harm."
    theirs = ours
    reproduce = "Connect to the port and close the connection at once."


class CloseTimeout(ConnectionFailure):
    """The peer did not answer our close_notify in time."""

    code = "close-timeout"
    summary = "the peer did not finish the close of the connection in time"
    ours = "Nothing that was received is lost. If it happens often, the peer does not close TLS properly."
    theirs = ours
    reproduce = "Connect a peer that ignores close_notify and keeps the connection open."
    usualStage = "close"


class ConnectFailed(ConnectionFailure):
    """No TCP connection to the host and port could be made."""

    code = "connect-failed"
    summary = "no connection could be made"
    ours = "Check host name, port, firewall, and that the server runs."
    theirs = ours
    reproduce = "Connect to a port where nothing listens."
    usualStage = "connect"


class HandshakeTimeout(ConnectionFailure):
    """The handshake was not done in time."""

    code = "handshake-timeout"
    summary = "the handshake was not finished in time"
    ours = "Check the network and the load of both machines; the detail says what was awaited."
    theirs = ours
    reproduce = "Connect to the port and send nothing."


class ReadTimeout(ConnectionFailure):
    """The peer sent no whole message in time."""

    code = "read-timeout"
    summary = "the peer sent no message in time"
    ours = (
        "Give the peer more time (--timeout on the client, --read-timeout on the server), or find out why it is silent."
    )
    theirs = ours
    reproduce = "Connect and send half a message."
    usualStage = "message"


class Reset(ConnectionFailure):
    """The connection was cut off by the peer or on the way."""

    code = "reset"
    summary = "the connection was reset"
    ours = "Look in the peer's log; a crash, a kill or a firewall does this."
    theirs = ours
    reproduce = "Kill the peer's process while it has unread data."
    usualStage = "message"


class TooManyConnections(ConnectionFailure):
    """The server has as many connections as it allows."""

    code = "too-many-connections"
    summary = "the server has as many connections as it allows"
    ours = "Raise --maximum-connections, or find out who holds so many open."
    theirs = ours
    reproduce = "Start a server with --maximum-connections 1 and connect twice."
    usualStage = "connect"


class Truncated(ConnectionFailure):
    """The stream ended without close_notify (RFC 8446, section 6.1), or in the middle of a message."""

    code = "truncated"
    summary = "the stream ended too early, so data may be missing"
    ours = "Look in the peer's log: it crashed, was killed, or does not close TLS properly."
    theirs = ours
    reproduce = "Kill the peer's process in the middle of a message."
    usualStage = "message"


class WriteTimeout(ConnectionFailure):
    """The peer did not take what was sent to it in time."""

    code = "write-timeout"
    summary = "the peer did not take our data in time"
    ours = "Find out why the peer does not read, or give it more time (--write-timeout)."
    theirs = ours
    reproduce = "Send much to a peer that does not read."
    usualStage = "message"


class MessageTooLong(MessageFailure):
    """A message is longer than the receiver allows."""

    code = "message-too-long"
    summary = "a message is too long"
    ours = "Send smaller messages, or raise the limit on the receiving side (--maximum-message)."
    theirs = ours
    reproduce = "Send a message of more than --maximum-message bytes."


class Undecodable(MessageFailure):
    """Bytes are no message of the framing that was agreed, or a message cannot be carried by it."""

    code = "undecodable"
    summary = "the bytes are no message of this framing"
    ours = "Check that both sides use the same framing, and text in UTF-8. Binary data needs netstring or int32."
    theirs = ours
    reproduce = "Send bytes that are not UTF-8 with the framing eof."


#: Every code and its class, in the order of this file.
CODES: dict[str, type[TLSFailure]] = {
    failure.code: failure
    for group in (CredentialFailure, CertificateFailure, NegotiationFailure, ConnectionFailure, MessageFailure)
    for failure in group.__subclasses__()
}


def failureForCode(code: str) -> type[TLSFailure]:
    """Return the exception type of a code.

    Raises:
        KeyError: there is no such code; the list is closed.
    """
    return CODES[code]
