"""Contexts that tlscomm has not made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from functools import cached_property
from typing import Any, ClassVar, cast

from cryptography import x509
from OpenSSL import SSL

from tlscomm import _openssl
from tlscomm._dataclasses import dataclass
from tlscomm.configuration._base import AcceptanceHistory, Deadlines
from tlscomm.configuration._twistedprotocols import hasProtocols
from tlscomm.credentials import CredentialChoice
from tlscomm.revocation._backgroundtask import Task
from tlscomm.verification import Hook, Verifier
from tlscomm.verification._servernames import asciiServerName

__all__ = ["ExternalContextConfiguration"]


@dataclass(frozen=True, kw_only=True)
class ExternalContextConfiguration:
    """A user's own ``CertificateOptions``, or another creator of OpenSSL connections, as a configuration.

    Its versions, ciphers, trust and callbacks stay in force. tlscomm's own checks come on top of them and can only
    refuse more: the server's name for one, which Twisted's check lets pass where a certificate has no alternative name.

    Attributes:
        creator: provides ``IOpenSSLServerConnectionCreator`` or ``IOpenSSLClientConnectionCreator``.
        serverName: for a client, the name or address that the server's certificate must be for; None for a server.
        hook: is asked about each peer before it is let in; see `tlscomm.verification`.
        revalidation: whether open connections are ended when a certificate of their peer's expires.
        deadlines: how long each wait may last.
    """

    creator: Any
    serverName: str | None = None
    hook: Hook | None = None
    revalidation: bool = True
    deadlines: Deadlines = field(default_factory=Deadlines)

    credential = None
    groups = None
    credentialSelector = None
    usesExternalContext = True
    wantsJA4 = False
    backgroundTasks: ClassVar[tuple[Task, ...]] = ()

    @cached_property
    def acceptanceHistory(self) -> AcceptanceHistory:
        return AcceptanceHistory()

    def contextFor(self, choice: CredentialChoice) -> SSL.Context | None:
        return None

    def __post_init__(self) -> None:
        # The program that has a creator has loaded them.
        from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator

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
        if not self.isClient:
            _openssl.correctProtocols(connection.get_context(), hasProtocols)
        return connection

    def keepSession(
        self, connection: SSL.Connection, presented: Sequence[x509.Certificate], staple: bytes | None, *, wasAsked: bool
    ) -> None:
        """Part of `Configuration`. The maker of the context resumes its sessions, if at all."""

    def keptStaple(self, connection: SSL.Connection) -> bytes | None:
        return None

    def forgetSessions(self) -> None:
        """Part of `Configuration`. The maker of the context keeps its sessions, if at all."""

    def wasAsked(self, connection: SSL.Connection) -> bool:
        return False


class _Alone:
    """What Twisted's options look at for ALPN where there is no transport: a factory that has no protocols."""

    wrappedFactory = None

    def failVerification(self, reason: object) -> None:
        """Twisted's options call it; our own check names what is wrong."""

    @property
    def factory(self) -> _Alone:
        return self
