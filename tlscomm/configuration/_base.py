"""What every configuration is asked for, and what those of servers and of clients have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import field, replace
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

from cryptography import x509
from OpenSSL import SSL

from tlscomm import _openssl
from tlscomm._dataclasses import dataclass
from tlscomm.configuration._groups import useGroups
from tlscomm.credentials import Credential, CredentialChoice, CredentialSelector, checkUsable
from tlscomm.credentials._contextkey import contextKey, unwarned
from tlscomm.failures import KeyTooWeak
from tlscomm.revocation import Revocation
from tlscomm.revocation._backgroundtask import Task
from tlscomm.verification import Hook, Pin, Profile, Verifier

if TYPE_CHECKING:
    from twisted.internet.ssl import CertificateOptions

__all__ = ["AcceptanceHistory", "Base", "Configuration", "Deadlines", "Version"]

Version = Literal["1.2", "1.3"]

#: SSL_MODE_NO_AUTO_CHAIN of ssl.h.
_NO_AUTO_CHAIN = 0x8

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

#: The versions, with their names in Twisted's ``TLSVersion``.
_VERSIONS = {"1.2": "TLSv1_2", "1.3": "TLSv1_3"}

_C = TypeVar("_C", bound="Base")


@dataclass(frozen=True, kw_only=True)
class Deadlines:
    """How long each wait may last, in seconds. None means for ever, but for `acceptance`.

    Attributes:
        handshake: from the TCP connection until both sides have accepted each other (10).
        write: while queued bytes do not move (5, as in the source document).
        close: for the peer's answer to close_notify (5).
        hook: for the answer of a hook (5). The handshake's deadline holds for it as well.
        acceptance: for a TLS 1.3 server that asked for a certificate to show that it accepted it (6: longer than a
            server's hook takes by default). Nearly all show it in one round trip. When the time is over the connection
            counts as accepted, and its facts say ``assumed``. Of a server that has proved to be silent, a second is
            enough the next time.
        idle: how long neither side may send anything on an accepted connection (None). It is noticed in a quarter more.
        lifetime: how long an accepted connection may last at most (None). Some end up to a tenth earlier, so that those
            which began together do not end together.
    """

    handshake: float | None = 10.0
    write: float | None = 5.0
    close: float | None = 5.0
    hook: float | None = 5.0
    acceptance: float = 6.0
    idle: float | None = None
    lifetime: float | None = None

    def __post_init__(self) -> None:
        for name in ("handshake", "write", "close", "hook", "acceptance", "idle", "lifetime"):
            if (seconds := getattr(self, name)) is not None and not seconds > 0:
                raise ValueError(f"the {name} deadline must be more than 0 seconds, or None, not {seconds}")
        if self.acceptance is None:
            raise ValueError("the acceptance deadline must be a number of seconds: some servers never give a sign")


class AcceptanceHistory:
    """What a client has learnt of its server.

    Attributes:
        isUsuallySilent: whether the server accepted us before without showing it.
        keepsItsWord: whether application data followed the last time that the server gave a sign of acceptance. It is
            False where the server refused us after one, and where that is not known yet.
    """

    def __init__(self) -> None:
        self.isUsuallySilent = False
        self.keepsItsWord = False


class Configuration(Protocol):
    """What a connection needs to know. A server's, a client's and an external context's configuration provide it."""

    @property
    def deadlines(self) -> Deadlines: ...

    @property
    def isClient(self) -> bool: ...

    @property
    def verifier(self) -> Verifier: ...

    @property
    def credential(self) -> Credential | None: ...

    @property
    def groups(self) -> tuple[str, ...] | None: ...

    @property
    def backgroundTasks(self) -> tuple[Task, ...]: ...

    @property
    def credentialSelector(self) -> CredentialSelector | None: ...

    def contextFor(self, choice: CredentialChoice) -> SSL.Context | None: ...

    @property
    def hook(self) -> Hook | None: ...

    @property
    def usesExternalContext(self) -> bool: ...

    @property
    def revalidation(self) -> bool: ...

    @property
    def wantsJA4(self) -> bool: ...

    @property
    def acceptanceHistory(self) -> AcceptanceHistory: ...

    def newConnection(self, transport: Any) -> SSL.Connection:
        """Return an OpenSSL connection without a socket, for one TLS connection.

        Args:
            transport: becomes the connection's application data. Twisted finds a factory's protocols for ALPN in its
                ``factory.wrappedFactory``.
        """

    def keepSession(
        self, connection: SSL.Connection, presented: Sequence[x509.Certificate], staple: bytes | None, *, wasAsked: bool
    ) -> None:
        """Keep a client's session for a later connection, if that is wanted: both sides have accepted each other.

        Args:
            connection: the connection.
            presented: what the server has sent, its own certificate first.
            staple: the OCSP response that came with it.
            wasAsked: whether the server has asked for a certificate.
        """

    def keptStaple(self, connection: SSL.Connection) -> bytes | None:
        """Return the OCSP response that belongs to the session that a connection resumes."""

    def forgetSessions(self) -> None:
        """Resume none of the sessions that were kept: the server has refused a client that it seemed to accept."""

    def wasAsked(self, connection: SSL.Connection) -> bool:
        """Return whether the server asked a client for a certificate when the session began that it resumes."""


@dataclass(frozen=True, kw_only=True)
class Base(ABC):
    """What servers and clients have in common.

    Attributes:
        minimumTLS: the oldest version of TLS that is spoken (``1.2``; older ones never are).
        maximumTLS: the newest (``1.3``).
        applicationProtocols: the protocols for ALPN (RFC 7301), the preferred one first; none by default. A peer that
            offers protocols, and none of these, is refused.
        ciphers: the TLS 1.2 cipher suites in OpenSSL's syntax; where None, those with forward secrecy and authenticated
            encryption (RFC 9325, section 4.2).
        groups: the key exchange groups, the preferred one first, by IANA's or OpenSSL's names; OpenSSL's choice where
            None. A peer that has none of them is refused.
        revocation: what is known of revoked certificates. Where lists are given, every certificate of a peer's chain
            must be covered by a valid one, unless the mode is another.
        intermediates: authorities that are known and not trusted by themselves, for peers that forget to send them.
        pins: where there are any, a chain is accepted only if one of them fits one of its certificates.
        profile: how much of the rules for chains is insisted on: ``compatible`` or ``strict``.
        maximumDepth: the most authorities between the peer's certificate and the trusted one (9).
        hook: is asked about each peer before it is let in; see `tlscomm.verification`.
        resumption: whether a session may be resumed, which spares both sides the certificates. A peer that resumes one
            is judged again, by the certificates of then and the rules of now.
        revalidation: whether open connections are judged again as time goes by and lists change, and ended when their
            peer would be refused.
        deadlines: how long each wait may last.
    """

    minimumTLS: Version = "1.2"
    maximumTLS: Version = "1.3"
    applicationProtocols: tuple[bytes, ...] = ()
    ciphers: str | None = None
    groups: tuple[str, ...] | None = None
    revocation: Revocation = field(default_factory=Revocation)
    intermediates: tuple[x509.Certificate, ...] = ()
    pins: tuple[Pin, ...] = ()
    profile: Profile = "compatible"
    maximumDepth: int = 9
    hook: Hook | None = None
    resumption: bool = True
    revalidation: bool = True
    deadlines: Deadlines = field(default_factory=Deadlines)

    usesExternalContext = False
    isClient: ClassVar[bool]

    def __post_init__(self) -> None:
        for version in (self.minimumTLS, self.maximumTLS):
            if version not in _VERSIONS:
                raise ValueError(f"TLS {version} is not spoken here; there are {' and '.join(_VERSIONS)}")
        if self.minimumTLS > self.maximumTLS:
            raise ValueError(f"the minimum TLS {self.minimumTLS} is above the maximum TLS {self.maximumTLS}")

    @property
    @abstractmethod
    def verifier(self) -> Verifier: ...

    @property
    def backgroundTasks(self) -> tuple[Task, ...]:
        """What has to be done again and again while a server listens, or a client is connected."""
        return self.revocation.backgroundTasks

    @cached_property
    def acceptanceHistory(self) -> AcceptanceHistory:
        """What was learnt of the server."""
        return AcceptanceHistory()

    def withProtocols(self: _C, protocols: Sequence[bytes]) -> _C:
        """Return the same configuration with these application protocols, unless it names its own."""
        names = (*protocols,)
        if self.applicationProtocols or not names:
            return self
        if names not in self._negotiating:
            self._negotiating[names] = replace(self, applicationProtocols=names)
        return self._negotiating[names]

    @cached_property
    def _negotiating(self: _C) -> dict[tuple[bytes, ...], _C]:
        """The same with application protocols: each has a context and sessions, for all connections with them."""
        return {}

    def _checkUsable(self, credential: Credential) -> None:
        """Raise the failure of a credential that this side cannot use now."""
        checkUsable(credential, "client" if self.isClient else "server", datetime.now(timezone.utc))

    def _prepare(self) -> None:
        """Build the context now, so that what OpenSSL does not accept is said when the configuration is made."""
        try:
            _ = self._context, self._contexts, self.verifier
        except SSL.Error as refused:
            reasons = " ".join(str(entry[-1]) for entry in refused.args[0])
            if "too small" in reasons or "too weak" in reasons:
                raise KeyTooWeak(reasons) from None
            raise ValueError(f"OpenSSL does not accept this configuration: {reasons}") from None

    @property
    @abstractmethod
    def _context(self) -> SSL.Context: ...

    @property
    @abstractmethod
    def credentialSelector(self) -> CredentialSelector | None: ...

    @abstractmethod
    def _contextWith(self, credential: Credential | None) -> SSL.Context: ...

    @cached_property
    def _contexts(self) -> list[tuple[Credential | None, SSL.Context]]:
        """A context for each credential that there is to choose from. They are the same but for that."""
        credentials = () if self.credentialSelector is None else self.credentialSelector.credentials
        return [(each, self._contextWith(each)) for each in credentials]

    def contextFor(self, choice: CredentialChoice) -> SSL.Context | None:
        """Return the context that shows what was chosen, or None where nothing is shown."""
        return next((context for credential, context in self._contexts if credential is choice.credential), None)

    @abstractmethod
    def _certificateOptions(self, credential: Credential | None) -> CertificateOptions: ...

    def _untuned(self, credential: Credential | None) -> SSL.Context:
        with unwarned(None if credential is None else credential.privateKey):
            return self._certificateOptions(credential).getContext()

    def _options(self, credential: Credential | None, **more: Any) -> CertificateOptions:
        # Twisted's TCP comes with it, for which only a program that builds contexts has a use.
        from twisted.internet.ssl import AcceptableCiphers, CertificateOptions, TLSVersion

        if credential is not None:
            more["privateKey"] = contextKey(credential.privateKey)
            more["certificate"] = credential.certificate
            more["extraCertChain"] = list(credential.chain)
        more["acceptableCiphers"] = AcceptableCiphers.fromOpenSSLCipherString(self.ciphers or _CIPHERS)
        return CertificateOptions(
            raiseMinimumTo=TLSVersion.lookupByName(_VERSIONS[self.minimumTLS]),
            lowerMaximumSecurityTo=TLSVersion.lookupByName(_VERSIONS[self.maximumTLS]),
            verifyDepth=self.maximumDepth,
            **more,
        )

    def _tune(self, context: SSL.Context) -> SSL.Context:
        context.set_options(SSL.OP_NO_RENEGOTIATION)
        _openssl.keepSecrets(context)
        # Else OpenSSL completes our own chain from the authorities that we trust, and sends the root.
        context.set_mode(_NO_AUTO_CHAIN)
        _openssl.prepareForPaths(context)
        if self.groups is not None:
            useGroups(context, self.groups, self.maximumTLS)
        return context
