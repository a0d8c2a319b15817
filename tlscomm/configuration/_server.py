"""What a server presents and whom it lets in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

from cryptography import x509
from OpenSSL import SSL
from twisted.logger import Logger

from tlscomm import _openssl
from tlscomm._dataclasses import dataclass
from tlscomm.access import NO_ACCESS_RULES, AccessRules
from tlscomm.configuration._base import Base, Configuration
from tlscomm.configuration._twistedprotocols import hasProtocols
from tlscomm.credentials import ChooseCredential, Credential, CredentialSelector
from tlscomm.revocation import Staple
from tlscomm.revocation._backgroundtask import Task
from tlscomm.verification import Roots, Trust, Verifier
from tlscomm.verification._servernames import asciiServerName
from tlscomm.x509._addresses import isAddress
from tlscomm.x509._fields import signedFields

if TYPE_CHECKING:
    from twisted.internet.ssl import CertificateOptions

__all__ = ["ClientCertificates", "ServerConfiguration"]

ClientCertificates = Literal["none", "requested", "required"]

_CLIENT_CERTIFICATES = ("none", "requested", "required")

#: Random bytes in the name that keeps the sessions of one configuration from another (at most 32,
#: SSL_CTX_set_session_id_context(3)).
_NAME_BYTES = 16
_SESSION_SECONDS = 3600

#: The list of authorities, and in TLS 1.3 all extensions of the request together, have a length of two bytes; so has
#: each name (RFC 8446, sections 4.2.4 and 4.3.2). The other extensions take less than a kilobyte.
_MOST_BYTES_OF_NAMES = 65_535 - 1024
_NAME_LENGTH = 2

_log = Logger(namespace="tlscomm")


@dataclass(frozen=True, kw_only=True)
class ServerConfiguration(Base):
    """What a server presents and whom it lets in.

    Attributes:
        credential: the server's certificate, its chain and its private key.
        others: more credentials, for other names or with other kinds of key. `CredentialSelector` says
            which is shown to whom.
        choose: has the last word on that, called in the middle of each handshake; what it raises is ``hook-failed``,
            and None is ``refused-by-hook``.
        clientRoots: the authorities that may issue client certificates, as certificates or as a provider of Twisted's
            ``IOpenSSLTrustRoot``. Their names are sent to clients, which choose their certificate by them, unless they
            have more than 64 kilobytes. None are trusted by default, never the system's.
        clientCertificates: ``none``, ``requested`` or ``required``; ``required`` where `clientRoots` are given, else
            ``none``. A certificate that is presented is always checked.
        ja4: whether the JA4 fingerprint of each client's first message is worked out, for facts and logs. Rules that
            look at it have it worked out as well.
        access: who of the clients with a valid certificate is let in; all of them where there are no rules.
        serverNames: the exact DNS names that clients may ask for; any other is refused. None: all are served.
        staple: the OCSP responses that are sent along with certificates; none where None.
        isOpenByDefault: whether every client is let in because neither `clientRoots` nor `clientCertificates` was
            given. A server that has this is warned of when it starts.

    Raises:
        TLSFailure: the credential cannot be used by a server, with the failure that says why.
        ValueError: the rest does not fit together.
    """

    credential: Credential
    others: tuple[Credential, ...] = ()
    choose: ChooseCredential | None = None
    clientRoots: Roots = ()
    clientCertificates: ClientCertificates | None = None
    access: AccessRules = NO_ACCESS_RULES
    serverNames: tuple[str, ...] | None = None
    ja4: bool = False
    staple: Staple | None = None
    isOpenByDefault: bool = field(default=False, init=False, repr=False, compare=False)

    isClient = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.serverNames is not None:
            object.__setattr__(self, "serverNames", tuple(map(_nameToAskFor, self.serverNames)))
        for credential in (self.credential, *self.others):
            self._checkUsable(credential)
            if self.staple is not None:
                self.staple.serve(credential, self._trust.anchors)
        if self.clientCertificates is None:
            object.__setattr__(self, "isOpenByDefault", not self.clientRoots)
            object.__setattr__(self, "clientCertificates", "required" if self.clientRoots else "none")
        if self.clientCertificates not in _CLIENT_CERTIFICATES:
            raise ValueError(
                f"client certificates are {', '.join(_CLIENT_CERTIFICATES)}, not {self.clientCertificates}"
            )
        if self.clientCertificates != "none" and not self.clientRoots:
            raise ValueError("to check client certificates, name the authorities that may issue them (client roots)")
        if self.clientCertificates == "none" and (idle := self._idle()):
            raise ValueError(
                f"{' and '.join(idle)} would have nothing to look at: no client certificates are asked for, because no "
                "authorities are named that may issue them (client roots)"
            )
        if self.access and self.clientCertificates != "required":
            raise ValueError("access rules let no client in without a certificate, so client certificates are required")
        self._prepare()

    def withProtocols(self, protocols: Sequence[bytes]) -> ServerConfiguration:
        negotiating = super().withProtocols(protocols)
        # Of a copy it would seem that client certificates were decided on.
        object.__setattr__(negotiating, "isOpenByDefault", self.isOpenByDefault)
        return negotiating

    @property
    def backgroundTasks(self) -> tuple[Task, ...]:
        return (
            super().backgroundTasks if self.staple is None else (*super().backgroundTasks, *self.staple.backgroundTasks)
        )

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
            requiresCertificate=self.clientCertificates == "required",
        )

    def certificateOptions(self) -> CertificateOptions:
        """Return Twisted's options for this server, for use outside tlscomm.

        They ask for a client certificate also where it is only requested; Twisted knows no other.
        """
        options = self._certificateOptions(self.credential)
        _openssl.correctProtocols(options.getContext(), hasProtocols)
        return options

    def _certificateOptions(self, credential: Credential | None) -> CertificateOptions:
        trust = {} if self.clientCertificates == "none" else {"trustRoot": self._trust.trustRoot}
        return self._options(credential, **trust)

    def _idle(self) -> list[str]:
        """Return what was asked for that only client certificates have a use for."""
        asked = {
            "the hook": self.hook is not None,
            "pins": bool(self.pins),
            "intermediates": bool(self.intermediates),
            "revocation": self.revocation.isAskedFor,
            "the profile strict": self.profile == "strict",
        }
        return [name for name, isAsked in asked.items() if isAsked]

    @cached_property
    def credentialSelector(self) -> CredentialSelector | None:
        """The credentials where there is something to choose, else None."""
        return CredentialSelector((self.credential, *self.others), self.choose) if self.others or self.choose else None

    def newConnection(self, transport: Any) -> SSL.Connection:
        connection = SSL.Connection(self._sessions)
        if self._sessions is not self._context:
            # The sessions stay with the context that a connection begins with; all else is that of this one.
            connection.set_context(self._context)
        connection.set_app_data(transport)
        return connection

    def follow(self, former: Configuration) -> None:
        """Keep the sessions of new connections where the configuration before has kept its own.

        OpenSSL frees the sessions of a context with the last connection that it was used for. If each configuration had
        a context of its own for them, a server whose files are read again every day, and whose clients stay connected,
        would keep a whole cache for each day. In one cache the old ones make room for the new. None of them is resumed
        under another configuration than its own, for each has a name of its own for its sessions.

        Args:
            former: the configuration before. Nothing happens where the two differ in what a connection takes over from
                the context that it begins with.
        """
        if isinstance(former, ServerConfiguration) and self.resumption and former._taken == self._taken:
            self.__dict__["_sessions"] = former._sessions

    @cached_property
    def _sessions(self) -> SSL.Context:
        """The context that has the sessions."""
        return self._context

    @cached_property
    def wantsJA4(self) -> bool:
        """Whether the fingerprint of clients' first messages is worked out."""
        return self.ja4 or self.access.lookAtHello

    @property
    def _taken(self) -> tuple[object, ...]:
        """What SSL_new takes over from a context and SSL_set_SSL_CTX leaves as it is."""
        names = ("minimumTLS", "maximumTLS", "ciphers", "groups", "clientCertificates", "resumption", "maximumDepth")
        return tuple(getattr(self, name) for name in names)

    @cached_property
    def _sessionsName(self) -> bytes:
        return os.urandom(_NAME_BYTES)

    def keepSession(
        self, connection: SSL.Connection, presented: Sequence[x509.Certificate], staple: bytes | None, *, wasAsked: bool
    ) -> None:
        """Part of `Configuration`. A server's sessions are with OpenSSL."""

    def keptStaple(self, connection: SSL.Connection) -> bytes | None:
        """Part of `Configuration`. Clients send none."""
        return None

    def forgetSessions(self) -> None:
        """Part of `Configuration`. It is for clients."""

    def wasAsked(self, connection: SSL.Connection) -> bool:
        """Part of `Configuration`. It is for clients."""
        return False

    @cached_property
    def _namedAuthorities(self) -> tuple[x509.Certificate, ...]:
        """The authorities whose names clients are sent to choose a certificate by: all of them, or none.

        Some of them would keep a client from showing a certificate of the others. Without any it shows the one that it
        has (RFC 8446, section 4.2.4).
        """
        named = {signedFields(root.tbs_certificate_bytes).subject.encoded: root for root in self._trust.anchors}
        size = sum(len(name) + _NAME_LENGTH for name in named)
        if size <= _MOST_BYTES_OF_NAMES:
            return tuple(named.values())
        _log.warn(
            "the names of the {count} authorities that may issue client certificates have {size} bytes, more than the "
            "{most} that a handshake has room for: clients are sent none of them, and choose their certificate "
            "themselves. All the authorities are trusted as before.",
            count=len(named),
            size=size,
            most=_MOST_BYTES_OF_NAMES,
        )
        return ()

    @cached_property
    def _context(self) -> SSL.Context:
        return self._contextWith(self.credential)

    def _contextWith(self, credential: Credential | None) -> SSL.Context:
        context = self._tune(self._untuned(credential))
        if self.clientCertificates == "requested":
            context.set_verify(SSL.VERIFY_PEER)
        if self.clientCertificates != "none":
            for root in self._namedAuthorities:
                context.add_client_ca(root)
        if self.resumption:
            _openssl.resumeSessions(context, self._sessionsName, _SESSION_SECONDS)
        _openssl.selectProtocol(context, self.applicationProtocols)
        if self.staple is not None and credential is not None:
            respond = partial(self.staple.responseFor, credential.certificate)
            context.set_ocsp_server_callback(lambda _connection, _data: respond())
        if self.serverNames is not None:
            known = frozenset(name.encode("ascii") for name in self.serverNames)
            _openssl.requireServerName(context, lambda name: name is not None and name.lower() in known)
        elif self.resumption:
            # OpenSSL keeps the name with the session only if a callback has acknowledged it.
            _openssl.requireServerName(context, lambda _: True)
        return context


def _nameToAskFor(name: str) -> str:
    ascii = asciiServerName(name)
    if isAddress(ascii):
        raise ValueError(f"clients ask for names and not for addresses (RFC 6066, section 3), so not for {ascii}")
    return ascii
