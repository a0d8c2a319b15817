"""Live connections are traced whatever becomes of them, and nothing of what happens depends on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partialmethod
from itertools import zip_longest
from typing import Any, cast

from conversation import STRANGER, clientConfiguration, serverConfiguration
from directlink import DirectLink
from failuretable import ROWS, Role, Row, Stage
from hooks import Slow
from twisted.internet.address import UNIXAddress
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._wire.dissector import Dissector
from tlscomm._wire.events import Event, Kind
from tlscomm._wire.secrets import Secrets
from tlscomm.configuration import Deadlines
from tlscomm.testing import GARBAGE, HTTP_REQUEST, MemoryLink, MemoryTransport, Pair, Speaker
from tlscomm.testing import Recorder as Plain
from tlscomm.tracing import Trace, Tracing
from tlscomm.transport import TLSFactory

_VERSIONS = ("1.2", "1.3")


class Noting:
    """A capture file, a key log and an observer in one, that writes down what each is told, in order."""

    def __init__(self) -> None:
        self.passed: list[tuple[bool, bytes]] = []
        self.lines = b""
        self.verdicts: list[tuple[str, bool | None]] = []
        self.ends: list[tuple[bool, str]] = []
        self.events: list[Event] = []
        self.traces: list[Trace] = []
        self.addresses: Any = None
        self.secrets_ = Secrets()
        self.dissector = Dissector(self.secrets_)

    def begin(self, client: Any, server: Any, time: int, side: str) -> Noting:
        self.addresses = client, server
        return self

    def secrets(self, lines: bytes) -> None:
        self.secrets_.add(lines)

    def data(self, isFromClient: bool, data: bytes, time: int) -> None:
        self.passed.append((isFromClient, data))
        self.dissector.feed(isFromClient, data, time)

    def verdict(self, text: str) -> None:
        self.verdicts.append((text, self.passed[-1][0] if self.passed else None))

    def end(self, isFromClient: bool, how: str, time: int) -> None:
        self.ends.append((isFromClient, how))

    def leave(self) -> None:
        pass

    def write(self, lines: bytes) -> None:
        self.lines += lines + b"\n"

    def happened(self, connection: int, event: Event) -> None:
        self.events.append(event)

    def ended(self, trace: Trace) -> None:
        self.traces.append(trace)

    def bytesFrom(self, isFromClient: bool) -> bytes:
        return b"".join(data for fromClient, data in self.passed if fromClient is isFromClient)


class WatchedLink(MemoryLink):
    """A connection in memory that knows what it has carried."""

    def __init__(self, *protocols: Any) -> None:
        self.carried = {True: b"", False: b""}
        super().__init__(*protocols)

    def _move(self, source: Any, target: Any, most: int | None = None) -> bytes:
        moved = super()._move(source, target, most)
        self.carried[source is self.client] += moved
        return moved


class Traced:
    """A client and a server, each with what notes it, or with none."""

    def __init__(
        self,
        version: str = "1.3",
        *,
        client: Any = None,
        server: Any = None,
        isTraced: bool = True,
        link: Callable[..., Any] = WatchedLink,
        tracing: Callable[[Noting], Tracing] | None = None,
    ) -> None:
        self.clock = Clock()
        self.notes = Noting(), Noting()
        make = tracing or (
            lambda note: Tracing(observer=note, capture=cast(Any, note), keyLog=cast(Any, note), now=self.now)
        )
        both = {"minimumTLS": version, "maximumTLS": version}
        configurations = clientConfiguration(**both, **(client or {})), serverConfiguration(**both, **(server or {}))
        self.factories = [
            TLSFactory(each, Factory.forProtocol(Plain), self.clock, tracing=make(note) if isTraced else None)
            for each, note in zip(configurations, self.notes, strict=True)
        ]
        self.client, self.server = (factory.newTransport() for factory in self.factories)
        self.link: Any = link(self.client, self.server)

    def everything(self, note: Noting) -> Tracing:
        files = cast(Any, note)
        return Tracing(observer=note, capture=files, keyLog=files, now=self.now)

    def now(self) -> int:
        return int(self.clock.seconds() * 1e9)

    def flush(self) -> None:
        for _ in range(4):
            self.link.flush()
            self.clock.advance(0.05)

    def talk(self) -> None:
        """Shake hands, say something each way, and end in order."""
        self.flush()
        for transport, words in ((self.client, b"question"), (self.server, b"a longer answer" * 9)):
            if transport.connected:
                transport.write(words)
                self.flush()
        self.client.loseConnection()
        self.flush()


def namesOf(events: Any) -> list[str]:
    return [event.name for event in events if event.kind is not Kind.TCP]


class WhatPasses(SynchronousTestCase):
    """What is traced is what passes, and passes as without it."""

    def scenes(self) -> Iterator[Callable[..., Traced]]:
        for version in _VERSIONS:
            for settings in (
                {},
                {"client": {"credential": STRANGER.issue("client", role="client")}},
                {"client": {"credential": None}},
                {"server": {"credential": STRANGER.issue("server", role="server", dnsNames=["localhost"])}},
                {"client": {"serverName": "other.example"}},
            ):
                yield lambda version=version, settings=settings, **more: Traced(version, **settings, **more)

    def test_allBytes(self) -> None:
        """Both sides trace every byte that goes over the wire, each way, in its order."""
        for scene in self.scenes():
            traced = scene()
            traced.talk()
            for note in traced.notes:
                for isFromClient, carried in traced.link.carried.items():
                    self.assertEqual(note.bytesFrom(isFromClient), carried)
                    self.assertTrue(carried)

    def test_sameRecords(self) -> None:
        """The same records are sent in the same order, traced or not."""
        for scene in self.scenes():
            shapes = []
            for isTraced in (True, False):
                played = scene(isTraced=isTraced)
                played.talk()
                shapes.append([shape(played.link.carried[side]) for side in (True, False)])
            for traced, untraced in zip(*shapes, strict=True):
                self.assertEqual([kind for kind, _ in traced], [kind for kind, _ in untraced])
                for (_, size), (_, other) in zip_longest(traced, untraced):
                    # A signature of ECDSA is some bytes longer or shorter each time.
                    self.assertLess(abs(size - other), 8)

    def test_secretsFirst(self) -> None:
        """Each secret comes before the bytes that it opens, so that one pass opens everything.

        But for the Finished of a client that is refused under TLS 1.2: the server never makes the secret for it.
        """
        for scene in self.scenes():
            traced = scene()
            traced.talk()
            for note in traced.notes:
                sealed = [event.name for event in note.dissector.events if event.kind is Kind.SEALED]
                self.assertIn(sealed, [[], ["Finished"]] if note.dissector.events[1].version == 0x303 else [[]])
                self.assertNotIn("ApplicationData", namesOf(note.dissector.events)[:9])
                if traced.client.trace.verdict.outcome == "accepted":
                    self.assertIn("close_notify", namesOf(note.dissector.events))

    def test_keyLog(self) -> None:
        """The key log has the lines of the version, each whole, and both sides have the same."""
        labels = {
            "1.2": {b"CLIENT_RANDOM"},
            "1.3": {
                b"CLIENT_HANDSHAKE_TRAFFIC_SECRET",
                b"SERVER_HANDSHAKE_TRAFFIC_SECRET",
                b"CLIENT_TRAFFIC_SECRET_0",
                b"SERVER_TRAFFIC_SECRET_0",
                b"EXPORTER_SECRET",
            },
        }
        for version in _VERSIONS:
            traced = Traced(version)
            traced.talk()
            client, server = (set(note.lines.splitlines()) for note in traced.notes)
            self.assertEqual(client, server)
            self.assertEqual({line.split()[0] for line in client}, labels[version])

    def test_directlyWritten(self) -> None:
        """A TCP transport of Twisted's is written to directly, as without a trace."""
        traced = Traced(link=DirectLink)
        traced.talk()
        self.assertIsNotNone(traced.server._output._direct)
        for note in traced.notes:
            self.assertIn("close_notify", namesOf(note.dissector.events))

    def test_verdict(self) -> None:
        """The verdict belongs to the bytes that it rests on, and to our own alert where we have refused."""
        said = [[text.partition(":")[0] for text, _ in scene.notes[1].verdicts] for scene in map(played, self.scenes())]
        self.assertEqual(
            said, [["accepted"], ["unknown-issuer"], ["no-certificate"], ["unknown-issuer"], ["name-mismatch"]] * 2
        )
        for scene in map(played, self.scenes()):
            (text, isFromClient), *_ = scene.notes[0].verdicts
            if text == "accepted":
                self.assertFalse(isFromClient)
            else:
                # The side that refuses has said so.
                refuser = scene.client.trace.verdict.by
                self.assertEqual(isFromClient, refuser == "client")
                self.assertEqual(scene.notes[1].verdicts[0][1], refuser == "client")

    def test_noAddresses(self) -> None:
        """A transport without addresses of TCP's kind is traced too."""

        class Unix(MemoryTransport):
            def getHost(self) -> Any:
                return UNIXAddress("/run/socket")

            def getPeer(self) -> Any:
                return UNIXAddress(None)

        class Link(WatchedLink):
            end = Unix

        traced = Traced(link=Link)
        traced.talk()
        self.assertEqual(traced.notes[0].addresses, (None, None))
        self.assertIsNone(traced.client.trace.client)

    def test_abort(self) -> None:
        """An abort at any time ends the trace, with a reset from our side."""
        for steps in range(7):
            traced = Traced()
            for step in range(steps):
                (traced.link.toClient if step % 2 else traced.link.toServer)()
            traced.server.abortConnection()
            traced.flush()
            self.assertIn((False, "RST"), traced.notes[1].ends)
            (trace,) = traced.notes[1].traces
            self.assertEqual([event.name for event in trace.events if event.kind is Kind.TCP][-1], "RST")

    def test_cut(self) -> None:
        """A reset by the peer is seen as that."""
        for version in _VERSIONS:
            traced = Traced(version)
            traced.flush()
            traced.link.cut()
            self.assertEqual(traced.notes[0].ends, [(False, "RST")])
            self.assertEqual(traced.notes[1].ends, [(True, "RST")])


def played(scene: Callable[..., Traced]) -> Traced:
    traced = scene()
    traced.talk()
    return traced


def shape(stream: bytes) -> list[tuple[int, int]]:
    """Return the content types and lengths of the records of a stream."""
    found = []
    while stream:
        size = int.from_bytes(stream[3:5], "big")
        found.append((stream[0], size))
        stream = stream[5 + size :]
    return found


class Traces(SynchronousTestCase):
    """What traces have in them."""

    def test_messages(self) -> None:
        """All messages of the handshake are there, those that are sealed on the wire too, and application data."""
        for version in _VERSIONS:
            traced = Traced(version)
            traced.talk()
            for note in traced.notes:
                (trace,) = note.traces
                names = namesOf(trace.events)
                for name in ("ClientHello", "ServerHello", "Certificate", "CertificateRequest", "Finished"):
                    self.assertIn(name, names)
                data = [event for event in trace.events if event.kind is Kind.APPLICATION_DATA]
                self.assertEqual([(event.isFromClient, event.content) for event in data], [(True, b""), (False, b"")])
                self.assertTrue(trace.hasSecrets)
                self.assertIsNone(trace.failure)
                self.assertEqual((trace.client.port, trace.server.port), (40001, 8443))

    def test_resumed(self) -> None:
        """A session that is resumed is traced: no certificate passes."""
        for version in _VERSIONS:
            first = Traced(version)
            first.talk()
            clock = Clock()
            notes = Noting(), Noting()
            pair = [
                TLSFactory(each.configuration, Factory.forProtocol(Plain), clock, tracing=Tracing(observer=note))
                for each, note in zip(first.factories, notes, strict=True)
            ]
            client, server = (factory.newTransport() for factory in pair)
            link = MemoryLink(client, server)
            for _ in range(3):
                link.flush()
                clock.advance(0.05)
            self.assertTrue(client.tls.resumed)
            for transport in (client, server):
                names = namesOf(transport.trace.events)
                self.assertIn("Finished", names)
                self.assertNotIn("Certificate", names)
                self.assertNotIn(Kind.SEALED, {event.kind for event in transport.trace.events})

    def test_applicationData(self) -> None:
        """Application data is part of a trace only where that was asked for, and as much of it as was asked for."""
        traced = Traced(tracing=lambda note: Tracing(observer=note, applicationDataBytes=6))
        traced.talk()
        (trace,) = traced.notes[0].traces
        kept = [event.content for event in trace.events if event.kind is Kind.APPLICATION_DATA]
        self.assertEqual(kept, [b"questi", b"a long"])

    def test_noSecrets(self) -> None:
        """No secret is anywhere in a trace."""
        for version in _VERSIONS:
            traced = Traced(version)
            traced.talk()
            secrets = [line.split()[2] for line in traced.notes[0].lines.splitlines()]
            self.assertTrue(secrets)
            said = repr(traced.notes[0].traces).encode()
            for secret in secrets:
                self.assertNotIn(secret, said)
                self.assertNotIn(repr(bytes.fromhex(secret.decode())).encode()[2:-1], said)

    def test_live(self) -> None:
        """An observer hears of each event as it happens, and of each once, as the trace has them."""
        for version in _VERSIONS:
            traced = Traced(version)
            traced.link.toServer()
            self.assertEqual(
                [event.name for event in traced.notes[1].events][:4], ["SYN", "SYN", "ClientHello", "ServerHello"]
            )
            traced.talk()
            for note in traced.notes:
                self.assertEqual(tuple(note.events), note.traces[0].events)

    def test_unfinished(self) -> None:
        """A transport has its trace while it is open, as far as it got."""
        traced = Traced()
        traced.flush()
        self.assertEqual(namesOf(traced.server.trace.events)[-1], "NewSessionTicket")
        untraced = Traced(isTraced=False)
        untraced.flush()
        self.assertIsNone(untraced.server.trace)

    def test_hook(self) -> None:
        """While a hook is asked, the client's last flight is in the trace and the server's is not."""
        hook = Slow()
        traced = Traced(server={"hook": hook})
        traced.flush()
        self.assertEqual(namesOf(traced.server.trace.events)[-1], "Finished")
        self.assertTrue(traced.server.trace.events[-1].isFromClient)
        hook.answer()
        traced.flush()
        self.assertEqual(namesOf(traced.server.trace.events)[-1], "NewSessionTicket")

    def test_timeOut(self) -> None:
        """A handshake that stands still has a trace of what came."""
        traced = Traced(server={"deadlines": Deadlines(handshake=1)})
        traced.link.toServer()
        traced.clock.advance(1)
        traced.flush()
        (trace,) = traced.notes[1].traces
        self.assertEqual(trace.failure.code, "handshake-timeout")
        self.assertIn("Finished", namesOf(trace.events))

    def test_notTLS(self) -> None:
        """Of a stranger that does not speak TLS, what it said is there."""
        for words in (HTTP_REQUEST, GARBAGE):
            note, clock = Noting(), Clock()
            factory = TLSFactory(serverConfiguration(), Factory(), clock, tracing=Tracing(observer=note))
            link = MemoryLink(Speaker(words), factory.newTransport())
            link.flush()
            clock.advance(2)
            link.flush()
            (trace,) = note.traces
            self.assertEqual(trace.failure.code, "not-tls")
            self.assertIn(Kind.DAMAGED, {event.kind for event in trace.events})

    def test_silence(self) -> None:
        """Of a client that says nothing there is no more than the steps of TCP."""
        traced = Traced()
        traced.link.client.take()
        traced.client.abortConnection()
        traced.flush()
        self.assertEqual({event.kind for event in traced.notes[1].traces[0].events}, {Kind.TCP})


class Failures(SynchronousTestCase):
    """Every failure of the table has a trace, with that failure in it."""

    def test_table(self) -> None:
        played: set[str] = set()
        for row in ROWS:
            for (version, role), verdict in row.verdicts.items():
                # One row each for a code, a side and a version is enough here.
                key = f"{verdict.code} {verdict.side} {version} {role}"
                if key not in played and (version, role) == _first(row):
                    played.add(key)
                    self.play(row, version, role, verdict.code)
        self.assertGreater(len(played), 60)

    def play(self, row: Row, version: Any, role: Role, code: str) -> None:
        note = Noting()
        stage = Stage(version)
        self.patch(Pair, "__init__", partialmethod(_make, tracing=Tracing(observer=note)))
        pair = row.scene(stage)
        pair.flush()
        row.ending(pair)
        side = pair.client if role == "client" else pair.server
        trace = side.transport.trace
        assert trace is not None and trace.failure is not None, row.case
        self.assertEqual((trace.failure.code, trace.verdict.code), (code, code), row.case)
        self.assertEqual(trace.verdict.certainty, "certain")


_make = Pair.__init__


def _first(row: Row) -> Any:
    return next(iter(row.verdicts))


class Bounds(SynchronousTestCase):
    """Memory and observers are bounded, whatever strangers do."""

    def refuse(self, factory: TLSFactory, words: bytes = HTTP_REQUEST) -> None:
        link = MemoryLink(Speaker(words), factory.buildProtocol(None))  # type: ignore[arg-type]
        link.flush()
        clock: Any = factory.clock
        clock.advance(2)
        link.flush()

    def factory(self, **tracing: Any) -> TLSFactory:
        return TLSFactory(serverConfiguration(), Factory.forProtocol(Plain), Clock(), tracing=Tracing(**tracing))

    def test_refused(self) -> None:
        """The last refused connections are kept, as many as were asked for, and none that was accepted."""
        factory = self.factory(refusedTraces=3)
        self.assertEqual(factory.refusedTraces, ())
        for _ in range(5):
            self.refuse(factory)
        self.assertEqual([trace.number for trace in factory.refusedTraces], [3, 4, 5])
        self.assertEqual({trace.failure.code for trace in factory.refusedTraces if trace.failure}, {"not-tls"})
        traced = Traced(tracing=lambda _: Tracing(refusedTraces=3))
        traced.talk()
        self.assertEqual(traced.factories[1].refusedTraces, ())
        self.assertIsNone(traced.server.trace)

    def test_refusedBytes(self) -> None:
        """They take no more bytes than was said."""
        factory = self.factory(refusedTraces=1000, refusedTraceBytes=1 << 16)
        for _ in range(20):
            self.refuse(factory, b"\x16\x03\x01" + bytes(1 << 14))
        self.assertLess(len(factory.refusedTraces), 10)
        self.assertGreater(len(factory.refusedTraces), 5)

    def test_flood(self) -> None:
        """What a stranger sends is not kept without a bound, and of too many at a time the last have traces."""
        factory = self.factory(refusedTraces=9, connections=3)
        transports = [factory.buildProtocol(None) for _ in range(5)]
        links = [MemoryLink(Speaker(GARBAGE * 10_000), transport) for transport in transports if transport]
        for link in links:
            while link.toServer(1 << 14):
                pass
        self.assertEqual([transport.trace is None for transport in transports if transport], [True] * 2 + [False] * 3)
        for transport in transports:
            assert transport is not None and transport.recorder is not None
            self.assertLess(transport.recorder.size, 1 << 18)

    def test_accepted(self) -> None:
        """Of those that are refused traces are kept, however many connections are open that were accepted."""
        traced = Traced(tracing=lambda _: Tracing(refusedTraces=3, connections=1))
        traced.flush()
        self.assertTrue(traced.server.connected)
        self.refuse(traced.factories[1])
        self.assertEqual([trace.number for trace in traced.factories[1].refusedTraces], [2])

    def test_captureGoesOn(self) -> None:
        """Captures and key logs have all connections, also while there are too many for traces."""
        note = Noting()
        files = cast(Any, note)
        traced = Traced(tracing=lambda _: Tracing(capture=files, keyLog=files, refusedTraces=1, connections=0))
        traced.flush()
        self.assertIsNone(traced.server.trace)
        self.assertIn(b"SERVER_TRAFFIC_SECRET_0", note.lines)
        self.assertTrue(note.bytesFrom(True))

    def test_observerRaises(self) -> None:
        """An observer, a capture file or a key log that fails is logged, and changes nothing."""

        class Broken:
            def __getattr__(self, name: str) -> Any:
                def broken(*_: Any, **__: Any) -> None:
                    raise RuntimeError(name)

                return broken

        for version in _VERSIONS:
            for name in ("observer", "capture", "keyLog"):
                traced = Traced(version, tracing=lambda _, name=name: Tracing(**{name: Broken()}))
                traced.flush()
                self.assertTrue(traced.client.connected and traced.server.connected)
                traced.talk()
                self.assertEqual((traced.link.client.connected, traced.link.server.connected), (False, False))
                self.assertTrue(self.flushLoggedErrors(RuntimeError))
