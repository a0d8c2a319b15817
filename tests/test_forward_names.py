"""Where a connection is forwarded to, by the name that its client has asked for, and what the backend is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conversation import (
    SERVER,
    Conversation,
    ConversationCase,
    Recorder,
    Side,
    clientConfiguration,
    serverConfiguration,
)
from relays import MemoryBackend
from test_proxied import Keeping
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.proxyprotocol import HeaderReader
from tlscomm.relaying import Forwarding
from tlscomm.relaying._byname import ForwardingByName, nameAndPlace
from tlscomm.server import Options, makeService
from tlscomm.transport import TLSFactory, proxyHeader
from tlscomm.x509._encoding import keyPEM, pem


class ByNameTests(ConversationCase):
    """Several backends behind one port."""

    def asking(self, name: str, *names: str, **settings: Any) -> tuple[dict[str, MemoryBackend], Conversation]:
        """Return the backends by name, and a conversation of a client that asks for a name."""
        clock = Clock()
        backends = {each: MemoryBackend() for each in names}
        forwarding = ForwardingByName(
            {each: Forwarding(clock, backend, f"tcp:{each}") for each, backend in backends.items()}
        )
        self.told = Keeping()
        served = None if "" in names else names
        factory = TLSFactory(serverConfiguration(serverNames=served, **settings), forwarding, clock, self.told)
        configuration = clientConfiguration(serverName=name, pins=(), **settings)
        client = Side(configuration, Recorder, clock)
        conversation = Conversation(client, factory.buildProtocol(None), clock)
        self._conversations.append(conversation)
        self.addCleanup(self._breakOff, conversation)
        conversation.flush()
        return backends, conversation

    def test_chosen(self) -> None:
        """A client is forwarded to the backend of its name alone, and bytes go both ways."""
        backends, conversation = self.asking("localhost", "other.example", "localhost")
        self.assertEqual([len(each.asked) for each in backends.values()], [0, 1])
        service = backends["localhost"].accept()
        conversation.client.protocol.transport.write(b"hello")
        conversation.flush()
        backends["localhost"].made[0][1].flush()
        self.assertEqual(bytes(service.received), b"hello")
        service.transport.write(b"hi")
        backends["localhost"].made[0][1].flush()
        conversation.flush()
        self.assertEqual(bytes(conversation.client.received), b"hi")

    def test_others(self) -> None:
        """The backend without a name is for all other names."""
        backends, _ = self.asking("localhost", "other.example", "")
        self.assertEqual([len(each.asked) for each in backends.values()], [0, 1])

    def test_unknown(self) -> None:
        """Where there is none without a name, another name is refused in the handshake, and both sides say so."""
        backends, conversation = self.asking("localhost", "other.example")
        self.assertEqual(backends["other.example"].asked, [])
        failure = conversation.client.failure
        self.assertEqual((failure.code, failure.side), ("unknown-server-name", "remote"))
        self.assertEqual(len(self.told.seen), 2)

    def test_parted(self) -> None:
        """A name stands before an equals sign, and an endpoint string has a colon first."""
        for text, parts in (
            ("tcp:127.0.0.1:80", ("", "tcp:127.0.0.1:80")),
            ("tcp:host=a:port=1", ("", "tcp:host=a:port=1")),
            ("A.Example=unix:/run/a=b.sock", ("a.example", "unix:/run/a=b.sock")),
            ("a=tlscomm:b:1:roots=c", ("a", "tlscomm:b:1:roots=c")),
        ):
            self.assertEqual(nameAndPlace(text), parts)


class SettingTests(SynchronousTestCase):
    """What is said in options."""

    def setUp(self) -> None:
        Path("server.pem").write_bytes(pem([SERVER.certificate]) + keyPEM(SERVER.privateKey))
        Path("server.pem").chmod(0o600)

    def service(self, *words: str) -> Any:
        options = Options()
        common = ("--identity", "server.pem", "--client-certificates", "none", "--listen", "tcp:0")
        options.parseOptions([*common, *words])
        return makeService(options, MemoryReactorClock()).listeners[0]

    def test_names(self) -> None:
        """Names are served that have a backend, and all of them where one is without a name."""
        two = ("--forward", "a.example=tcp:127.0.0.1:1", "--forward", "b.example=unix:/run/b")
        listener = self.service(*two)
        self.assertEqual(set(listener.factory.wrappedFactory.forwardings), {"a.example", "b.example"})
        self.assertEqual(listener.factory.configuration.serverNames, ("a.example", "b.example"))
        self.assertIsNone(self.service(*two, "--forward", "tcp:127.0.0.1:3").factory.configuration.serverNames)
        self.assertIsInstance(self.service("--forward", "unix:/run/a").factory.wrappedFactory, Forwarding)

    def test_header(self) -> None:
        """A header that is asked for is the first that a backend gets."""
        forwarding = self.service("--forward", "unix:/run/a", "--send-proxy", "v2-ssl").factory.wrappedFactory
        self.assertIsNotNone(forwarding._opening)
        self.assertIsNone(self.service("--forward", "unix:/run/a").factory.wrappedFactory._opening)

    def test_refused(self) -> None:
        """What does not fit together is said before a port is opened."""
        for words, why in (
            ("--forward a=unix:/x --forward A=unix:/y", "said twice for a"),
            ("--forward unix:/x --forward unix:/y", "said twice without a name"),
            ("--forward a=tcp:10.0.0.1:1", "could leave this machine"),
            ("--send-proxy v2", "nothing is forwarded"),
            ("--forward unix:/x --send-proxy-options ssl", "none is to be sent"),
            ("--forward unix:/x --send-proxy v1 --send-proxy-options ssl", "addresses alone"),
            ("--forward 10.0.0.1=unix:/x", "not for addresses"),
        ):
            refusal = self.assertRaises(ValueError, self.service, *words.split())
            self.assertIn(why, str(refusal))


class HeaderTests(ConversationCase):
    """What a backend is told."""

    def test_first(self) -> None:
        """The header comes before the client's bytes, and says who the client is and over what it came."""
        clock, backend = Clock(), MemoryBackend()
        forwarding = Forwarding(clock, backend, "unix:/x", opening=lambda each: proxyHeader(each, "v2-ssl-cn"))
        factory = TLSFactory(serverConfiguration(), forwarding, clock, Keeping())
        conversation = Conversation(Side(clientConfiguration(), Recorder, clock), factory.buildProtocol(None), clock)
        self.addCleanup(self._breakOff, conversation)
        conversation.flush()
        conversation.client.protocol.transport.write(b"hello")
        conversation.flush()
        service = backend.accept()
        conversation.flush()
        backend.made[0][1].flush()
        read = HeaderReader().feed(bytes(service.received))
        assert read is not None
        header, rest = read
        assert header.tls is not None
        assert header.source is not None
        self.assertEqual((header.source.host, header.tls.commonName, rest), ("127.0.0.1", "client", b"hello"))
