"""What comes of the application protocols that a client offers (ALPN, RFC 7301), under contexts of every origin.

Browsers, curl and the HTTP clients of Go and Java offer some to every server.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conversation import ROOTS, SERVER, VERSIONS, clientConfiguration
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IProtocolNegotiationFactory
from twisted.internet.ssl import Certificate, CertificateOptions, trustRootFromCertificates
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tlscomm.configuration import Configuration, ExternalContextConfiguration, ServerConfiguration
from tlscomm.failures import Alert, NoCommonProtocol
from tlscomm.tls import State, TLSConnection, pump

Protocols = tuple[bytes, ...]

#: What the server has, what the client offers, and what is agreed upon; None where the client is refused.
CASES: tuple[tuple[Protocols, Protocols, bytes | None], ...] = (
    ((), (), b""),
    ((), (b"h2", b"http/1.1"), b""),
    ((), (b"x-amzn-mqtt-ca",), b""),
    ((b"h2",), (), b""),
    ((b"h2", b"http/1.1"), (b"http/1.1", b"h2"), b"h2"),
    ((b"h2",), (b"http/1.1",), None),
)


@implementer(IProtocolNegotiationFactory)
class Negotiating:
    """A factory that names application protocols itself."""

    def __init__(self, protocols: Protocols) -> None:
        self._protocols = protocols

    def acceptableProtocols(self) -> Sequence[bytes]:
        return self._protocols


class Transport:
    """What Twisted's callback looks at to find the factory."""

    def __init__(self, wrappedFactory: object) -> None:
        self.wrappedFactory = wrappedFactory

    @property
    def factory(self) -> Transport:
        return self


@implementer(IOpenSSLServerConnectionCreator)
class Creator:
    """Makes connections as Twisted's own TLS does, out of nothing but a context."""

    def __init__(self, options: CertificateOptions) -> None:
        self._options = options

    def serverConnectionForTLS(self, transport: Any) -> SSL.Connection:
        return SSL.Connection(self._options.getContext())


def twisted(protocols: Protocols, **more: Any) -> CertificateOptions:
    """Return Twisted's own options for our server."""
    return CertificateOptions(
        privateKey=SERVER.privateKey,  # type: ignore[arg-type]
        certificate=SERVER.certificate,  # type: ignore[arg-type]
        trustRoot=trustRootFromCertificates([Certificate(X509.from_cryptography(ROOTS[0]))]),
        acceptableProtocols=list(protocols) or None,
        **more,
    )


def external(creator: Any) -> ExternalContextConfiguration:
    return ExternalContextConfiguration(creator=creator, revalidation=False)


def ours(protocols: Protocols) -> ServerConfiguration:
    return ServerConfiguration(credential=SERVER, clientRoots=ROOTS, revalidation=False, applicationProtocols=protocols)


def choosing(protocols: Protocols) -> ServerConfiguration:
    """Return a configuration that goes on to another context for the certificate that it shows."""
    return ServerConfiguration(
        credential=SERVER,
        others=(SERVER,),
        choose=lambda wishes, suggested: suggested,
        clientRoots=ROOTS,
        revalidation=False,
        applicationProtocols=protocols,
    )


def switching(protocols: Protocols) -> ExternalContextConfiguration:
    """Return Twisted's options that go on to a context of other options for the name that is asked for."""
    contexts = {b"localhost": twisted(protocols).getContext()}
    return external(twisted((), contextForServerName=contexts.get))


def selecting(answer: Any) -> ExternalContextConfiguration:
    """Return a configuration with an OpenSSL context that has a callback of a program's own, which answers this."""
    options = twisted(())
    options.getContext().set_alpn_select_callback(lambda connection, offered: answer)
    return external(options)


class ApplicationProtocols(SynchronousTestCase):
    """A server without protocols ignores what is offered; one that has some refuses a client that has none of them."""

    def check(
        self, configuration: Configuration, offered: Protocols, expected: bytes | None, above: object = None
    ) -> None:
        """Connect twice in each version, and see what is agreed upon, or that and how the client is refused."""
        for version in VERSIONS * 2:
            client = clientConfiguration(
                minimumTLS=version, maximumTLS=version, resumption=False, applicationProtocols=offered
            )
            one, other = TLSConnection(client), TLSConnection(configuration, transport=Transport(above))
            one.start()
            pump(one, other)
            if expected is not None:
                self.assertEqual((one.state, other.state), (State.OPEN, State.OPEN), other.failure)
                agreed = expected.decode() or None
                self.assertEqual((one.facts.alpn, other.facts.alpn), (agreed, agreed))
                continue
            assert one.failure is not None
            assert other.failure is not None
            self.assertEqual((one.failure, other.failure), (NoCommonProtocol(), NoCommonProtocol()))
            self.assertEqual((one.failure.side, other.failure.side), ("remote", "local"))
            self.assertEqual(other.failure.alert, Alert(120, "sent"))
            self.assertNotIn("we have none", str(other.failure))

    def test_configurations(self) -> None:
        """It is so under a configuration, and where the handshake goes on to the context of another certificate."""
        for make in (ours, choosing):
            for has, offered, expected in CASES:
                self.check(make(has), offered, expected)

    def test_twistedOptions(self) -> None:
        """It is so under ``CertificateOptions`` of a program, and under a context that they go on to for a name."""
        for make in (lambda has: external(twisted(has)), switching):
            for has, offered, expected in CASES:
                self.check(make(has), offered, expected)

    def test_ofAFactory(self) -> None:
        """The protocols of a factory count as the server's, under options that have none."""
        for make in (lambda: external(twisted(())), lambda: switching(())):
            for has, offered, expected in CASES:
                self.check(make(), offered, expected, Negotiating(has))

    def test_ofBoth(self) -> None:
        """A client is served that offers one of the options' or one of the factory's, and no other."""
        for offered, expected in ((b"a", b"a"), (b"b", b"b"), (b"c", None)):
            self.check(external(twisted((b"a",))), (offered,), expected, Negotiating((b"b",)))

    def test_callbacks(self) -> None:
        """A callback of a program's own ends the connection or ignores what is offered, as pyOpenSSL documents."""
        for answer, expected in ((b"h2", b"h2"), (b"", None), (SSL.NO_OVERLAPPING_PROTOCOLS, b"")):
            self.check(selecting(answer), (b"h2",), expected)

    def test_outside(self) -> None:
        """It is so for Twisted's own TLS with the options of a configuration."""
        for offered, expected in ((b"h2", None), (b"a", b"a")):
            self.check(external(Creator(ours(()).certificateOptions())), (offered,), b"")
            mixed = external(Creator(ours(()).certificateOptions()))
            self.check(mixed, (offered,), expected, Negotiating((b"a",)))
