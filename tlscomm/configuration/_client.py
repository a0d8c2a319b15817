"""Whom a client talks to and what it presents."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cryptography import x509
from OpenSSL import SSL

from tlscomm import _openssl
from tlscomm._dataclasses import dataclass
from tlscomm.access import NO_ACCESS_RULES, AccessRules
from tlscomm.access._nameforms import isSPIFFE
from tlscomm.configuration._base import Base
from tlscomm.configuration._sessions import Sessions
from tlscomm.credentials import ChooseCredential, Credential, CredentialSelector
from tlscomm.verification import Roots, Trust, Verifier
from tlscomm.verification._servernames import canonicalServerName
from tlscomm.x509._addresses import isAddress

if TYPE_CHECKING:
    from twisted.internet.ssl import CertificateOptions

__all__ = ["ClientConfiguration"]


@dataclass(frozen=True, kw_only=True)
class ClientConfiguration(Base):
    """Whom a client talks to and what it presents.

    Attributes:
        serverName: the DNS name or address that the server's certificate must be for, or the SPIFFE id that it must
            have (``spiffe://example.org/billing``; ``spiffe://example.org`` is any of that trust domain). A DNS name is
            also sent to the server (RFC 6066, section 3).
        roots: the authorities that may issue the server's certificate, as certificates or as a provider of Twisted's
            ``IOpenSSLTrustRoot``; the system's where None, and only then.
        credential: the client's certificate, its chain and its private key, where the server may ask for them.
        others: more credentials, of other authorities or with other kinds of key. `CredentialSelector` says
            which is shown.
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
    choose: ChooseCredential | None = None
    access: AccessRules = NO_ACCESS_RULES

    isClient = True
    wantsJA4 = False

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "serverName", canonicalServerName(self.serverName))
        if self.roots is not None and not self.roots:
            raise ValueError("no authority is named, so no server could be accepted")
        if self.credential is None and self.others:
            raise ValueError("there are other credentials and no first one")
        for credential in self._credentials:
            self._checkUsable(credential)
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
        if self.roots is None:
            return Trust.system(self.intermediates, self.pins)
        return Trust(self.roots, self.intermediates, self.pins)

    def certificateOptions(self) -> CertificateOptions:
        """Return Twisted's options for this client, for use outside tlscomm. They do not check the server's name."""
        return self._certificateOptions(self.credential)

    def _certificateOptions(self, credential: Credential | None) -> CertificateOptions:
        return self._options(credential, trustRoot=self._trust.trustRoot)

    @property
    def _credentials(self) -> tuple[Credential, ...]:
        return () if self.credential is None else (self.credential, *self.others)

    @cached_property
    def credentialSelector(self) -> CredentialSelector | None:
        """The credentials where there is something to choose, else None."""
        return (
            CredentialSelector(self._credentials, self.choose)
            if self.others or (self.choose and self.credential)
            else None
        )

    def newConnection(self, transport: Any) -> SSL.Connection:
        connection = SSL.Connection(self._context)
        connection.set_app_data(transport)
        if not isAddress(self.serverName) and not isSPIFFE(self.serverName):
            connection.set_tlsext_host_name(self.serverName.encode("ascii"))
        if self.revocation.mode != "off":
            connection.request_ocsp()
        if self.resumption:
            self._sessions.resume(connection, self._isStillGood)
        return connection

    def keepSession(
        self, connection: SSL.Connection, presented: Sequence[x509.Certificate], staple: bytes | None, *, wasAsked: bool
    ) -> None:
        if self.resumption:
            self._sessions.keep(connection, presented, staple, wasAsked)

    def keptStaple(self, connection: SSL.Connection) -> bytes | None:
        return self._sessions.stapleOf(connection)

    def forgetSessions(self) -> None:
        self._sessions.forget()

    def wasAsked(self, connection: SSL.Connection) -> bool:
        return self._sessions.wasAsked(connection)

    def _isStillGood(self, presented: Sequence[x509.Certificate], staple: bytes | None) -> bool:
        return not self.verifier.verify(presented, staple=staple).problems

    @cached_property
    def _sessions(self) -> Sessions:
        return Sessions(self._context)

    @cached_property
    def _context(self) -> SSL.Context:
        # Where there is something to choose none is shown until it is chosen.
        context = self._contextWith(self.credential if self.credentialSelector is None else None)
        if self.credentialSelector is not None and self.credentialSelector.looksAtKeys:
            _openssl.keepRequests(context)
        return context

    def _contextWith(self, credential: Credential | None) -> SSL.Context:
        context = self._tune(self._untuned(credential))
        if self.applicationProtocols:
            context.set_alpn_protos(list(self.applicationProtocols))
        return context
