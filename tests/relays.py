"""What the tests of relays share: a client over TLS, the relay, and a backend without TLS, all in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conversation import Conversation, HalfCloseable, Side, clientConfiguration, serverConfiguration
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tlscomm.configuration import Deadlines
from tlscomm.relaying import Forwarding
from tlscomm.testing import MemoryLink
from tlscomm.transport import TLSFactory

__all__ = ["Backend", "MemoryBackend", "RelayCase", "Relayed"]


class Backend(HalfCloseable):
    """What a relay is connected to, as a side of its own."""

    def __init__(self) -> None:
        self.side: Any = self
        self.events: list[str] = []
        self.received = bytearray()
        self.lost: list[BaseException] = []


@implementer(IStreamClientEndpoint)
class MemoryBackend:
    """Connects in memory, when a test says so.

    Attributes:
        asked: the Deferreds of connections that were asked for.
        made: the services and the links to them, in order.
    """

    def __init__(self, protocol: Callable[[], Any] = Backend, link: type[MemoryLink] = MemoryLink) -> None:
        self.asked: list[Deferred[Any]] = []
        self.factories: list[Any] = []
        self.made: list[tuple[Any, MemoryLink]] = []
        self.cancelled = 0
        self._protocol = protocol
        self._link = link

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        asked: Deferred[Any] = Deferred(self._cancel)
        self.asked.append(asked)
        self.factories.append(protocolFactory)
        return asked

    def accept(self) -> Any:
        """Make the connection that was asked for last, and return the service."""
        near = self.factories[-1].buildProtocol(None)
        service = self._protocol()
        self.made.append((service, self._link(near, service)))
        self.asked[-1].callback(near)
        return service

    def refuse(self, error: Exception) -> None:
        """Fail the connection that was asked for last."""
        self.asked[-1].errback(error)

    def _cancel(self, _: object) -> None:
        self.cancelled += 1


class Relayed(Conversation):
    """A client, a relay and what it forwards to.

    Attributes:
        backend: what the relay connects to.
        forwarding: the relay's factory.
        ended: the relays that are over.
    """

    def __init__(self, backend: MemoryBackend, **settings: Any) -> None:
        clock = Clock()
        self.backend = backend
        self.ended: list[Any] = []
        limits = settings.pop("deadlines", None) or Deadlines(write=3600.0)
        version = settings.pop("version", "1.3")
        protocol = settings.pop("clientProtocol", HalfCloseable)
        place = settings.pop("place", "tcp:127.0.0.1:1")
        self.forwarding = Forwarding(clock, backend, place, ended=self.ended.append, **settings)
        configuration = clientConfiguration(minimumTLS=version, maximumTLS=version, deadlines=limits)
        client = Side(configuration, protocol, clock)
        self.failures: list[Any] = []
        self.factory = TLSFactory(serverConfiguration(deadlines=limits), self.forwarding, clock, self)
        super().__init__(client, self.factory.buildProtocol(None), clock)

    def accepted(self, transport: Any) -> None: ...

    def refused(self, transport: Any, failure: Any) -> None:
        self.failures.append(failure)

    def closed(self, transport: Any, failure: Any) -> None:
        self.failures.append(failure)

    @property
    def codes(self) -> list[str | None]:
        """What the server's observer was told of its connection's end."""
        return [None if failure is None else failure.code for failure in self.failures]

    def flush(self) -> None:
        before = None
        while before != (before := self._received):
            super().flush()
            for _, link in self.backend.made:
                link.flush()
            super().flush()

    @property
    def _received(self) -> list[int]:
        services = [len(getattr(service, "received", b"")) for service, _ in self.backend.made]
        return [len(self.client.received), *services]

    @property
    def tcp(self) -> MemoryLink:
        """The only connection to the backend."""
        ((_, link),) = self.backend.made
        return link


class RelayCase(SynchronousTestCase):
    """A test in which a relay is between a client and a backend."""

    def relayed(self, **settings: Any) -> Relayed:
        """Return a client and a relay that have accepted each other; the backend has yet to be connected."""
        relayed = Relayed(settings.pop("backend", None) or MemoryBackend(), **settings)
        relayed.flush()
        return relayed

    def joined(self, **settings: Any) -> tuple[Relayed, Any]:
        """Return the same with the backend connected, and the backend."""
        relayed = self.relayed(**settings)
        service = relayed.backend.accept()
        relayed.flush()
        return relayed, service

    def assertOver(self, relayed: Relayed) -> None:
        """Nothing is left, and nothing waits."""
        for link in (relayed.link, *(link for _, link in relayed.backend.made)):
            self.assertEqual((link.client.connected, link.server.connected), (False, False))
        self.assertEqual(relayed.factory.connections, set())
        self.assertEqual(relayed.forwarding.relays, set())
        self.assertEqual(relayed.clock.getDelayedCalls(), [])
