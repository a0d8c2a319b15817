"""Twisted's own TLS with what a client of tlscomm trusts and presents (`IPolicyForHTTPS`).

Programs that take no endpoint factory take a policy. It makes OpenSSL's connections and no more, so what Twisted's TLS
cannot tell stays untold: a server's refusal under TLS 1.3 comes as a lost response, with OpenSSL's words.

What we decide is decided by tlscomm all the same. Twisted's own check of names lets a certificate pass that has none,
so OpenSSL is told to go on, and the verdict falls by the verifier of a configuration as soon as the server's
certificates are there: before a certificate of ours, or a byte of a request, has left.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from tlscomm.configuration import ClientConfiguration
from tlscomm.failures import InvalidCertificate, TLSFailure, failureForCode
from tlscomm.web._perhost import PerHost
from tlscomm.x509._facts import certificateFacts
from tlscomm.x509._unreadable import unreadableText

__all__ = ["HTTPSPolicy"]


@implementer(IPolicyForHTTPS)
class HTTPSPolicy:
    """What Twisted's own TLS needs to know of each host (`IPolicyForHTTPS`)."""

    def __init__(self, configuration: ClientConfiguration, hosts: Iterable[str] | None = None) -> None:
        """
        Args:
            configuration: whom the client trusts, and what it presents, as in `AgentEndpoints`.
            hosts: where the credential is shown, as in `AgentEndpoints`.

        Raises:
            ValueError: it has a hook, which may answer late, where Twisted's TLS cannot wait; it has several
                credentials, or revocation lists out of files; or one of the hosts is none.
        """
        if configuration.hook is not None or configuration.others or configuration.choose is not None:
            raise ValueError("Twisted's TLS cannot ask a hook or choose a credential; AgentEndpoints can")
        if configuration.backgroundTasks:
            raise ValueError("Twisted's TLS does not read revocation lists again or fetch them; AgentEndpoints does")
        self._perHost = PerHost(configuration, hosts)

    def creatorForNetloc(self, hostname: bytes, port: int) -> IOpenSSLClientConnectionCreator:
        """Return what makes the connections to a host."""
        return _Creator(self._perHost.configurationFor(hostname.decode("ascii").strip("[]"), port))


@implementer(IOpenSSLClientConnectionCreator)
class _Creator:
    """Makes OpenSSL's connections to one host, and judges it."""

    def __init__(self, configuration: ClientConfiguration) -> None:
        self._configuration = configuration

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        connection = self._configuration.newConnection(tlsProtocol)
        # What OpenSSL finds, the verifier finds, and names; before the handshake goes on.
        connection.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        connection.set_info_callback(_Judging(self._configuration, tlsProtocol))
        return connection


class _Judging:
    """Judges the server of one connection, once, when its certificates are there."""

    def __init__(self, configuration: ClientConfiguration, protocol: Any) -> None:
        self._configuration = configuration
        self._protocol = protocol
        self._isSettled = False

    def __call__(self, connection: SSL.Connection, where: int, _: int) -> None:
        if self._isSettled or not where & (SSL.SSL_CB_LOOP | SSL.SSL_CB_HANDSHAKE_DONE):
            return
        try:
            chain = connection.get_peer_cert_chain(as_cryptography=True)
            if not chain and not where & SSL.SSL_CB_HANDSHAKE_DONE:
                return
            self._isSettled = True
            failure = self._judge(chain or [])
        except Exception as broken:
            # A check that breaks has not accepted a server, and pyOpenSSL would only print it.
            self._isSettled = True
            failure = InvalidCertificate(f"it cannot be checked: {unreadableText(broken)}")
        if failure is not None:
            self._protocol.failVerification(Failure(failure))

    def _judge(self, chain: list[Any]) -> TLSFailure | None:
        if not chain:
            return InvalidCertificate("the server has shown no certificate")
        problems = self._configuration.verifier.verify(chain).problems
        if not problems:
            return None
        first = problems[0]
        known = tuple(certificateFacts(each) for each in chain)
        return failureForCode(first.code)(
            ", ".join(part for part in (first.subject, first.detail) if part),
            certificate=known[min(first.depth, len(known) - 1)],
            depth=first.depth,
            opensslError=first.opensslError,
            problems=tuple(problems),
            chain=known,
            remedy=first.remedy,
        )
