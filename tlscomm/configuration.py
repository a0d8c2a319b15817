"""What a server or a client may be told, checked when it is said.

A configuration is one frozen object. One that exists can be used: a credential without its key, a version that does
not exist or a minimum above the maximum never gets as far as a connection. Twisted's own ``CertificateOptions`` builds
OpenSSL's context, once; a changed configuration is a new object.

Who already has a ``CertificateOptions``, or any other creator of OpenSSL connections, wraps it in a
`ForeignConfiguration`.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import cached_property, partial
from typing import Any, ClassVar, Literal, Protocol, TypeVar, cast

import idna
from cryptography import x509
from OpenSSL import SSL
from service_identity.hazmat import DNS_ID
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.internet.ssl import (
    AcceptableCiphers,
    CertificateOptions,
    TLSVersion,
    platformTrust,
)

from tlscomm import _openssl
from tlscomm._sessions import Sessions
from tlscomm._upkeep import Upkeep
from tlscomm.access import EVERYBODY, AccessRules
from tlscomm.choosing import Choice, Choose, Keyring
from tlscomm.credentials import Credential, checkUsable
from tlscomm.failures import KeyTooWeak
from tlscomm.hook import Hook
from tlscomm.revocation import Revocation
from tlscomm.stapling import Staple
from tlscomm.trust import Pin, Roots, Trust
from tlscomm.verification import Profile, Verifier, isAddress

__all__ = [
    "ClientCertificates",
    "ClientConfiguration",
    "Configuration",
    "Deadlines",
    "ForeignConfiguration",
    "ServerConfiguration",
    "Version",
    "asciiServerName",
    "insecurelyPresenting",
]

ClientCertificates = Literal["none", "requested", "required"]
Version = Literal["1.2", "1.3"]

#: SSL_MODE_NO_AUTO_CHAIN of ssl.h.
_NO_AUTO_CHAIN = 0x8

#: The cache belongs to one context, so the name only has to be there (SSL_CTX_set_session_id_context(3)).
_SESSIONS = b"tlscomm"
_SESSION_SECONDS = 3600

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

_VERSIONS = {"1.2": TLSVersion.TLSv1_2, "1.3": TLSVersion.TLSv1_3}
_CLIENT_CERTIFICATES = ("none", "requested", "required")

_C = TypeVar("_C", bound="_Base")
_P = TypeVar("_P", "ClientConfiguration", "ServerConfiguration")

#: OpenSSL refuses to load what is too weak, and to send it, at any other level (SSL_CTX_set_security_level(3)).
_NO_SECURITY_LEVEL = b"DEFAULT:@SECLEVEL=0"


@dataclass(frozen=True, kw_only=True)
class Deadlines:
    """How long each wait may last, in seconds. None means for ever.

    Attributes:
        handshake: from the TCP connection until both sides have accepted each other (10).
        write: while queued bytes do not move (5, as in the source document).
        close: for the peer's answer to close_notify (5).
        hook: for the answer of a hook (5). The handshake's deadline holds for it as well.
        acceptance: for a TLS 1.3 server that asked for a certificate to show that it accepted it (1). Most show it in
            one round trip. When the time is over the connection counts as accepted, and its facts say ``assumed``.
    """

    handshake: float | None = 10.0
    write: float | None = 5.0
    close: float | None = 5.0
    hook: float | None = 5.0
    acceptance: float = 1.0

    def __post_init__(self) -> None:
        for name in ("handshake", "write", "close", "hook", "acceptance"):
            if (seconds := getattr(self, name)) is not None and not seconds > 0:
                raise ValueError(f"the {name} deadline must be more than 0 seconds, or None, not {seconds}")


class Configuration(Protocol):
    """What a connection needs to know. The classes below are the ones there are."""

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
    def upkeeps(self) -> tuple[Upkeep, ...]: ...

    @property
    def keyring(self) -> Keyring | None: ...

    def contextFor(self, choice: Choice) -> SSL.Context | None: ...

    @property
    def hook(self) -> Hook | None: ...

    @property
    def isForeign(self) -> bool: ...

    @property
    def judgesAgain(self) -> bool: ...

    def newConnection(self, transport: Any) -> SSL.Connection:
        """Return an OpenSSL connection without a socket, for one TLS connection.

        Args:
            transport: becomes the connection's application data. Twisted finds a factory's protocols for ALPN in its
                ``factory.wrappedFactory``.
        """

    def keepSession(self, connection: SSL.Connection, presented: list[x509.Certificate], staple: bytes | None) -> None:
        """Keep a client's session for a later connection, if that is wanted: both sides have accepted each other.

        Args:
            connection: the connection.
            presented: what the server has sent, its own certificate first.
            staple: the OCSP response that came with it.
        """

    def keptStaple(self, connection: SSL.Connection) -> bytes | None:
        """Return the OCSP response that belongs to the session that a connection resumes."""


@dataclass(frozen=True, kw_only=True)
class _Base(ABC):
    """What servers and clients have in common.

    Attributes:
        minimumVersion: the oldest version of TLS that is spoken (``1.2``; older ones never are).
        maximumVersion: the newest (``1.3``).
        applicationProtocols: the protocols for ALPN (RFC 7301), the preferred one first; none by default. A peer that
            offers protocols, and none of these, is refused.
        ciphers: the TLS 1.2 cipher suites in OpenSSL's syntax; where None, those with forward secrecy and authenticated
            encryption (RFC 9325, section 4.2).
        groups: the key exchange groups, the preferred one first; OpenSSL's choice where None.
        revocation: what is known of revoked certificates. Where lists are given, every certificate of a peer's chain
            must be covered by a valid one, unless the mode is another.
        intermediates: authorities that are known and not trusted by themselves, for peers that forget to send them.
        pins: where there are any, a chain is accepted only if one of them fits one of its certificates.
        profile: how much of the rules for chains is insisted on: ``compatible`` or ``strict``.
        maximumDepth: the most authorities between the peer's certificate and the trusted one (9).
        hook: is asked about each peer before it is let in; see `tlscomm.hook`.
        resumption: whether a session may be resumed, which spares both sides the certificates. Whoever resumes one is
            judged again, by the certificates of then and the rules of now.
        judgesAgain: whether open connections are judged again as time goes by and lists change, and ended when their
            peer would be refused.
        deadlines: how long each wait may last.
    """

    minimumVersion: Version = "1.2"
    maximumVersion: Version = "1.3"
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
    judgesAgain: bool = True
    deadlines: Deadlines = field(default_factory=Deadlines)

    isForeign = False

    def __post_init__(self) -> None:
        for version in (self.minimumVersion, self.maximumVersion):
            if version not in _VERSIONS:
                raise ValueError(f"TLS {version} is not spoken here; there are {' and '.join(_VERSIONS)}")
        if self.minimumVersion > self.maximumVersion:
            raise ValueError(f"the minimum TLS {self.minimumVersion} is above the maximum TLS {self.maximumVersion}")

    @property
    @abstractmethod
    def verifier(self) -> Verifier: ...

    @property
    def upkeeps(self) -> tuple[Upkeep, ...]:
        """What has to be done again and again while a server listens, or a client is connected."""
        return self.revocation.upkeeps

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
    def keyring(self) -> Keyring | None: ...

    @abstractmethod
    def _contextWith(self, credential: Credential | None) -> SSL.Context: ...

    @cached_property
    def _contexts(self) -> list[tuple[Credential | None, SSL.Context]]:
        """A context for each credential that there is to choose from. They are the same but for that."""
        credentials = () if self.keyring is None else self.keyring.credentials
        return [(each, self._contextWith(each)) for each in credentials]

    def contextFor(self, choice: Choice) -> SSL.Context | None:
        """Return the context that shows what was chosen, or None where nothing is shown."""
        return next((context for credential, context in self._contexts if credential is choice.credential), None)

    def _options(self, credential: Credential | None, **more: Any) -> CertificateOptions:
        if credential is not None:
            more["privateKey"] = credential.privateKey
            more["certificate"] = credential.certificate
            more["extraCertChain"] = list(credential.chain)
        more["acceptableCiphers"] = AcceptableCiphers.fromOpenSSLCipherString(self.ciphers or _CIPHERS)
        return CertificateOptions(
            raiseMinimumTo=_VERSIONS[self.minimumVersion],
            lowerMaximumSecurityTo=_VERSIONS[self.maximumVersion],
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
            _openssl.preferGroups(context, self.groups)
        return context


@dataclass(frozen=True, kw_only=True)
class ServerConfiguration(_Base):
    """What a server presents and whom it lets in.

    Attributes:
        credential: the server's certificate, its chain and its private key.
        others: more credentials, for other names or with other kinds of key. `Keyring` says which is shown to whom.
        choose: has the last word on that, called in the middle of each handshake; what it raises is ``hook-failed``,
            and None is ``refused-by-hook``.
        clientRoots: the authorities that may issue client certificates, as certificates or as a provider of Twisted's
            ``IOpenSSLTrustRoot``. Their names are sent to clients, which choose their certificate by them. None are
            trusted by default, never the system's.
        clientCertificates: ``none``, ``requested`` or ``required``; ``required`` where `clientRoots` are given, else
            ``none``. A certificate that is presented is always checked.
        access: who of the clients with a valid certificate is let in; all of them where there are no rules.
        serverNames: the names (exact, in ASCII) that clients may ask for; any other is refused. None: all are served.
        staple: the OCSP responses that are sent along with certificates; none where None.

    Raises:
        TLSFailure: the credential cannot be used by a server, with the failure that says why.
        ValueError: the rest does not fit together.
    """

    credential: Credential
    others: tuple[Credential, ...] = ()
    choose: Choose | None = None
    clientRoots: Roots = ()
    clientCertificates: ClientCertificates | None = None
    access: AccessRules = EVERYBODY
    serverNames: tuple[str, ...] | None = None
    staple: Staple | None = None

    isClient = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for credential in (self.credential, *self.others):
            checkUsable(credential, "server", datetime.now(timezone.utc))
            if self.staple is not None:
                self.staple.serve(credential, self._trust.anchors)
        if self.clientCertificates is None:
            object.__setattr__(self, "clientCertificates", "required" if self.clientRoots else "none")
        if self.clientCertificates not in _CLIENT_CERTIFICATES:
            raise ValueError(
                f"client certificates are {', '.join(_CLIENT_CERTIFICATES)}, not {self.clientCertificates}"
            )
        if self.clientCertificates != "none" and not self.clientRoots:
            raise ValueError("to check client certificates, name the authorities that may issue them (client roots)")
        if self.hook is not None and self.clientCertificates == "none":
            raise ValueError("a hook has nothing to look at where no client certificates are asked for")
        if self.access and self.clientCertificates != "required":
            raise ValueError("access rules let nobody in who has no certificate, so client certificates are required")
        self._prepare()

    @property
    def upkeeps(self) -> tuple[Upkeep, ...]:
        return super().upkeeps if self.staple is None else (*super().upkeeps, self.staple.upkeep)

    @cached_property
    def _trust(self) -> Trust:
        return Trust(self.clientRoots, self.intermediates, self.pins)

    @cached_property
    def verifier(self) -> Verifier:
        return Verifier(
            peerRole="client",
            trust=self._trust,
            access=self.access,
            revocation=self.revocation,
            profile=self.profile,
            maximumDepth=self.maximumDepth,
        )

    def certificateOptions(self) -> CertificateOptions:
        """Return Twisted's options for this server, for use outside tlscomm.

        They ask for a client certificate also where it is only requested; Twisted knows no other.
        """
        return self._certificateOptions(self.credential)

    def _certificateOptions(self, credential: Credential | None) -> CertificateOptions:
        trust = {} if self.clientCertificates == "none" else {"trustRoot": self._trust.trustRoot}
        return self._options(credential, **trust)

    @cached_property
    def keyring(self) -> Keyring | None:
        """The credentials where there is something to choose, else None."""
        return Keyring((self.credential, *self.others), self.choose) if self.others or self.choose else None

    def newConnection(self, transport: Any) -> SSL.Connection:
        connection = SSL.Connection(self._context)
        connection.set_app_data(transport)
        return connection

    def keepSession(self, connection: SSL.Connection, presented: list[x509.Certificate], staple: bytes | None) -> None:
        """Part of `Configuration`. A server's sessions are with OpenSSL."""

    def keptStaple(self, connection: SSL.Connection) -> bytes | None:
        """Part of `Configuration`. Clients send none."""
        return None

    @cached_property
    def _context(self) -> SSL.Context:
        return self._contextWith(self.credential)

    def _contextWith(self, credential: Credential | None) -> SSL.Context:
        context = self._tune(self._certificateOptions(credential).getContext())
        if self.clientCertificates == "requested":
            context.set_verify(SSL.VERIFY_PEER)
        if self.clientCertificates != "none":
            for root in self._trust.anchors:
                context.add_client_ca(root)
        if self.resumption:
            _openssl.resumeSessions(context, _SESSIONS, _SESSION_SECONDS)
        if self.applicationProtocols:
            _openssl.insistOnProtocol(context, self.applicationProtocols)
        if self.staple is not None and credential is not None:
            respond = partial(self.staple.responseFor, credential.certificate)
            context.set_ocsp_server_callback(lambda _connection, _data: respond())
        if self.serverNames is not None:
            known = frozenset(name.lower().encode("ascii") for name in self.serverNames)
            _openssl.insistOnServerName(context, lambda name: name is not None and name.lower() in known)
        return context


@dataclass(frozen=True, kw_only=True)
class ClientConfiguration(_Base):
    """Whom a client talks to and what it presents.

    Attributes:
        serverName: the DNS name or address that the server's certificate must be for. A name is also sent to the server
            (RFC 6066, section 3).
        roots: the authorities that may issue the server's certificate, as certificates or as a provider of Twisted's
            ``IOpenSSLTrustRoot``; the system's where None, and only then.
        credential: the client's certificate, its chain and its private key, where the server may ask for them.
        others: more credentials, of other authorities or with other kinds of key. `Keyring` says which is shown.
        choose: has the last word on that, called when a server asks for a certificate; what it raises is
            ``hook-failed``, and with None no certificate is shown.
        access: which of the servers with a valid certificate for the name are talked to; all of them where there are no
            rules.

    Raises:
        TLSFailure: the credential cannot be used by a client, with the failure that says why.
        ValueError: the server's name is not one, or the rest does not fit together.
    """

    serverName: str
    roots: Roots | None = None
    credential: Credential | None = None
    others: tuple[Credential, ...] = ()
    choose: Choose | None = None
    access: AccessRules = EVERYBODY

    isClient = True

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "serverName", asciiServerName(self.serverName))
        if self.roots is not None and not self.roots:
            raise ValueError("no authority is named, so no server could be accepted")
        if self.credential is None and self.others:
            raise ValueError("there are other credentials and no first one")
        for credential in self._credentials:
            checkUsable(credential, "client", datetime.now(timezone.utc))
        self._prepare()

    @cached_property
    def verifier(self) -> Verifier:
        return Verifier(
            peerRole="server",
            serverName=self.serverName,
            trust=self._trust,
            access=self.access,
            revocation=self.revocation,
            profile=self.profile,
            maximumDepth=self.maximumDepth,
        )

    @cached_property
    def _trust(self) -> Trust:
        return Trust(platformTrust() if self.roots is None else self.roots, self.intermediates, self.pins)

    def certificateOptions(self) -> CertificateOptions:
        """Return Twisted's options for this client, for use outside tlscomm. They do not check the server's name."""
        return self._certificateOptions(self.credential)

    def _certificateOptions(self, credential: Credential | None) -> CertificateOptions:
        return self._options(credential, trustRoot=self._trust.trustRoot)

    @property
    def _credentials(self) -> tuple[Credential, ...]:
        return () if self.credential is None else (self.credential, *self.others)

    @cached_property
    def keyring(self) -> Keyring | None:
        """The credentials where there is something to choose, else None."""
        return Keyring(self._credentials, self.choose) if self.others or (self.choose and self.credential) else None

    def newConnection(self, transport: Any) -> SSL.Connection:
        connection = SSL.Connection(self._context)
        connection.set_app_data(transport)
        if not isAddress(self.serverName):
            connection.set_tlsext_host_name(self.serverName.encode("ascii"))
        if self.revocation.mode != "off":
            connection.request_ocsp()
        if self.resumption:
            self._sessions.resume(connection, self._isStillGood)
        return connection

    def keepSession(self, connection: SSL.Connection, presented: list[x509.Certificate], staple: bytes | None) -> None:
        if self.resumption:
            self._sessions.keep(connection, presented, staple)

    def keptStaple(self, connection: SSL.Connection) -> bytes | None:
        return self._sessions.stapleOf(connection)

    def _isStillGood(self, presented: list[x509.Certificate], staple: bytes | None) -> bool:
        return not self.verifier.verify(presented, staple=staple).problems

    @cached_property
    def _sessions(self) -> Sessions:
        return Sessions(self._context)

    @cached_property
    def _context(self) -> SSL.Context:
        # Where there is something to choose none is shown until it is chosen.
        context = self._contextWith(self.credential if self.keyring is None else None)
        if self.keyring is not None and self.keyring.looksAtKeys:
            _openssl.keepRequests(context)
        return context

    def _contextWith(self, credential: Credential | None) -> SSL.Context:
        context = self._tune(self._certificateOptions(credential).getContext())
        if self.applicationProtocols:
            context.set_alpn_protos(list(self.applicationProtocols))
        return context


@dataclass(frozen=True, kw_only=True)
class ForeignConfiguration:
    """A user's own ``CertificateOptions``, or another creator of OpenSSL connections, as a configuration.

    Its versions, ciphers, trust and callbacks stay in force. tlscomm's own checks come on top of them and can only
    refuse more: the server's name for one, which Twisted's check lets pass where a certificate has no alternative name.

    Attributes:
        creator: provides ``IOpenSSLServerConnectionCreator`` or ``IOpenSSLClientConnectionCreator``.
        serverName: for a client, the name or address that the server's certificate must be for; None for a server.
        hook: is asked about each peer before it is let in; see `tlscomm.hook`.
        judgesAgain: whether open connections are ended when a certificate of their peer's expires.
        deadlines: how long each wait may last.
    """

    creator: Any
    serverName: str | None = None
    hook: Hook | None = None
    judgesAgain: bool = True
    deadlines: Deadlines = field(default_factory=Deadlines)

    credential = None
    groups = None
    keyring = None
    isForeign = True
    upkeeps: ClassVar[tuple[Upkeep, ...]] = ()

    def contextFor(self, choice: Choice) -> SSL.Context | None:
        return None

    def __post_init__(self) -> None:
        if self.serverName is not None:
            object.__setattr__(self, "serverName", asciiServerName(self.serverName))
        interface = IOpenSSLClientConnectionCreator if self.isClient else IOpenSSLServerConnectionCreator
        if not interface.providedBy(self.creator):
            raise TypeError(f"{self.creator!r} does not provide {interface.__name__}")

    @property
    def isClient(self) -> bool:
        return self.serverName is not None

    @cached_property
    def verifier(self) -> Verifier:
        return Verifier(peerRole="server" if self.isClient else "client", serverName=self.serverName)

    def newConnection(self, transport: Any) -> SSL.Connection:
        create = self.creator.clientConnectionForTLS if self.isClient else self.creator.serverConnectionForTLS
        transport = _Alone() if transport is None else transport
        connection = cast(SSL.Connection, create(transport))
        connection.set_app_data(transport)
        return connection

    def keepSession(self, connection: SSL.Connection, presented: list[x509.Certificate], staple: bytes | None) -> None:
        """Part of `Configuration`. Who made the context resumes its sessions, if anybody does."""

    def keptStaple(self, connection: SSL.Connection) -> bytes | None:
        return None


def insecurelyPresenting(configuration: _P, credential: Credential) -> _P:
    """Return a configuration that presents a credential without asking whether it can be used.

    A configuration refuses an expired certificate, for one, before any network is involved. This is for tests of what
    the *peer* says of it. The result is insecure in one more respect: OpenSSL's security level is off on this side, so
    of weak keys and signatures of its peer only those are refused that tlscomm's own rules refuse.

    Args:
        configuration: a server's or a client's; it is not changed.
        credential: what to present. One without a private key is presented as far as OpenSSL goes along: a client then
            sends no certificate at all.

    Raises:
        OpenSSL.SSL.Error: OpenSSL cannot even load it, as with a key that belongs to another certificate.
    """
    changed = copy.copy(configuration)
    for made in ("_negotiating", "_context", "_contexts", "keyring", "_sessions"):
        changed.__dict__.pop(made, None)
    changed.__dict__.update(credential=None, others=(), choose=None)
    context = changed._context
    context.set_cipher_list(_NO_SECURITY_LEVEL)
    context.use_certificate(credential.certificate)
    for certificate in credential.chain:
        context.add_extra_chain_cert(certificate)
    if credential.privateKey is not None:
        context.use_privatekey(credential.privateKey)  # type: ignore[arg-type]
    changed.__dict__["credential"] = credential
    return changed


class _Alone:
    """What Twisted's options look at for ALPN where there is no transport: a factory that has no protocols."""

    wrappedFactory = None

    def failVerification(self, reason: object) -> None:
        """Twisted's options call it; our own check names what is wrong."""

    @property
    def factory(self) -> _Alone:
        return self


def asciiServerName(name: str) -> str:
    """Return a server's name as it is sent and compared: an address as it is, a DNS name in its ASCII form (RFC 5890).

    Raises:
        ValueError: it is neither.
    """
    bare = name.strip("[]").rstrip(".")
    if isAddress(bare):
        return bare
    try:
        return idna.encode(bare, uts46=True).decode("ascii") if not bare.isascii() else _checkedName(bare)
    except idna.IDNAError as problem:
        raise ValueError(f"{name!r} is neither a host name nor an address: {problem}") from None


def _checkedName(name: str) -> str:
    labels = name.split(".")
    if len(name) > 253 or any(not 0 < len(label) < 64 for label in labels) or not name.isprintable() or " " in name:
        raise ValueError(f"{name!r} is neither a host name nor an address")
    try:
        DNS_ID(name)
    except ValueError:
        raise ValueError(f"{name!r} cannot be the name of a server") from None
    return name.lower()
