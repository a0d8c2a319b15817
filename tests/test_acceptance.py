"""A server's protocol hears nothing of a client that was not accepted, whatever that client sends and however early.

These tests look for a way to break this promise, and for one to lose what an accepted client sends at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from failuretable import VERSIONS, Stage, gallery
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.access import AccessRules
from tlscomm.configuration import ClientConfiguration, ServerConfiguration, Version, insecurelyPresenting
from tlscomm.issuing import EXHIBITS
from tlscomm.revocation import Revocation
from tlscomm.testing import HonestPeer, Pair, Recorder, Side
from tlscomm.testing._peers import _Records
from tlscomm.tls import State

DATA = b"delete everything"

#: A short first message, so that each of its bytes can be tried.
SHORT = {"groups": ("X25519", "P-256")}


class Eager(HonestPeer):
    """A client that sends application data as soon as it can: with its own last handshake message.

    Attributes:
        said: the application data that it has sent.
        finishedAt: how many bytes it has to send until its handshake is done.
        honest: everything that it wanted to send.
    """

    def __init__(self, configuration: ClientConfiguration, data: Sequence[bytes] = (DATA,), thenClose: bool = False):
        super().__init__(configuration)
        self.said = b""
        self.finishedAt = -1
        self.honest = b""
        self._data = data
        self._thenClose = thenClose
        self._records = _Records(isClient=True)

    def _speak(self) -> None:
        super()._speak()
        if not self.said and self.connection.state in (State.UNCONFIRMED, State.OPEN):
            self.said = b"".join(self._data)
            for piece in self._data:
                self.connection.send(piece)
            if self._thenClose:
                self.connection.close()
            super()._speak()

    def _write(self, ciphertext: bytes) -> None:
        for name, record in self._records.named(ciphertext):
            self.honest += record
            if name == "Finished":
                self.finishedAt = len(self.honest)
        super()._write(self.changed(ciphertext))

    def changed(self, ciphertext: bytes) -> bytes:
        """What is sent in place of what TLS says."""
        return ciphertext


class Cut(Eager):
    """An eager client of whom only so many bytes ever arrive."""

    def __init__(self, configuration: ClientConfiguration, length: int) -> None:
        super().__init__(configuration)
        self._left = length

    def changed(self, ciphertext: bytes) -> bytes:
        taken = ciphertext[: self._left]
        self._left -= len(taken)
        return taken


Change = Callable[[list[bytes]], list[bytes]]


class Meddling(Eager):
    """An eager client whose records are changed on their way."""

    def __init__(self, configuration: ClientConfiguration, changes: Sequence[Change]) -> None:
        super().__init__(configuration)
        self._changes = changes

    def changed(self, ciphertext: bytes) -> bytes:
        records = [record for _, record in _Records(isClient=True).named(ciphertext)]
        for change in self._changes:
            records = change(records) if records else records
        return b"".join(records)


class Promises(SynchronousTestCase):
    def assertUnheard(self, server: Side) -> None:
        self.assertFalse(server.isAccepted)
        self.assertIsNone(server.protocol)

    def assertHeardInOrder(self, server: Side, said: bytes) -> None:
        """Nothing of it, or a part from the beginning, once."""
        if server.isAccepted:
            assert isinstance(server.protocol, Recorder)
            self.assertEqual(server.protocol.timesMade, 1)
            self.assertTrue(said.startswith(server.received), server.received)
        else:
            self.assertUnheard(server)


def refusedClients(stage: Stage) -> list[ClientConfiguration]:
    """One client for every way to be refused."""
    bad = [gallery().credential(e.name, role="client") for e in EXHIBITS if e.code and "client" in e.roles]
    usable = [c for c in bad if c.privateKey is None or c.certificate.public_key() == c.privateKey.public_key()]
    return [stage.client(credential=None), *(insecurelyPresenting(stage.client(), c) for c in usable)]


class RefusedClients(Promises):
    def test_noneIsHeardHoweverEarlyItSpeaks(self) -> None:
        for version in VERSIONS:
            stage = Stage(version)
            server = stage.server(revocation=Revocation(gallery().revocationLists))
            for configuration in refusedClients(stage):
                pair = Pair(Eager(configuration), server)
                pair.flush()
                self.assertUnheard(pair.server)
                pair.advance(60)
                self.assertUnheard(pair.server)

    def test_oneThatNoRuleLetsInIsNotHeard(self) -> None:
        for version in VERSIONS:
            stage = Stage(version)
            pair = Pair(Eager(stage.client()), stage.server(access=AccessRules.parse(["cn=somebody else"])))
            pair.flush()
            self.assertUnheard(pair.server)

    def test_oneWithABadCertificateIsNotHeardWhereNoneIsRequired(self) -> None:
        for version in VERSIONS:
            stage = Stage(version)
            expired = insecurelyPresenting(stage.client(), gallery().credential("expired", role="client"))
            pair = Pair(Eager(expired), stage.server(clientCertificates="requested"))
            pair.flush()
            self.assertUnheard(pair.server)


class EveryByte(Promises):
    """Each test plays handshakes of which a number of the client's bytes arrive, and then no more.

    Every number is tried around the beginning and the end of each record, where the server has to decide something, and
    in the last of them, and every tenth between.
    """

    def play(self, version: Version, configuration: ClientConfiguration, isGood: bool) -> None:
        stage = Stage(version)
        server = stage.server(**SHORT)
        for length in self.lengths(configuration, server):
            client = Cut(configuration, length)
            pair = Pair(client, server)
            pair.flush()
            self.assertEqual(pair.server.isAccepted, isGood and 0 <= client.finishedAt <= length, f"{length} bytes")
            self.assertHeardInOrder(pair.server, client.said)
            pair.link.client.loseConnection()
            pair.flush()
            self.assertEqual(pair.server.isAccepted, isGood and 0 <= client.finishedAt <= length, f"{length} bytes")
            self.assertHeardInOrder(pair.server, client.said)
        self.assertEqual(pair.server.isAccepted, isGood)

    def lengths(self, configuration: ClientConfiguration, server: ServerConfiguration) -> list[int]:
        """Return the numbers of bytes to try; the last is that of all, whatever length a signature may have."""
        client = Eager(configuration)
        Pair(client, server).flush()
        ends = [0]
        for _, record in _Records(isClient=True).named(client.honest):
            ends.append(ends[-1] + len(record))
        near = {end + offset for end in ends for offset in range(-8, 15)}
        last = range(ends[-2], ends[-1] + 20)
        return sorted(n for n in {*near, *last, *range(0, ends[-1], 10)} if n >= 0)

    def test_ofAGoodClientUnderTLS12(self) -> None:
        self.play("1.2", Stage("1.2").client(**SHORT), isGood=True)

    def test_ofAGoodClientUnderTLS13(self) -> None:
        self.play("1.3", Stage("1.3").client(**SHORT), isGood=True)

    def test_ofARefusedClientUnderTLS12(self) -> None:
        expired = gallery().credential("expired", role="client")
        self.play("1.2", insecurelyPresenting(Stage("1.2").client(**SHORT), expired), isGood=False)

    def test_ofARefusedClientUnderTLS13(self) -> None:
        expired = gallery().credential("expired", role="client")
        self.play("1.3", insecurelyPresenting(Stage("1.3").client(**SHORT), expired), isGood=False)


def _flip(where: int, bit: int, records: list[bytes]) -> list[bytes]:
    joined = bytearray(b"".join(records))
    joined[where % len(joined)] ^= 1 << bit
    return [bytes(joined)]


def _drop(index: int, records: list[bytes]) -> list[bytes]:
    index %= len(records)
    return records[:index] + records[index + 1 :]


def _double(index: int, records: list[bytes]) -> list[bytes]:
    index %= len(records)
    return records[: index + 1] + records[index:]


def _swap(first: int, second: int, records: list[bytes]) -> list[bytes]:
    records = list(records)
    first, second = first % len(records), second % len(records)
    records[first], records[second] = records[second], records[first]
    return records


def _insert(index: int, record: bytes, records: list[bytes]) -> list[bytes]:
    index %= len(records) + 1
    return [*records[:index], record, *records[index:]]


def _retype(index: int, kind: int, records: list[bytes]) -> list[bytes]:
    index %= len(records)
    return [*records[:index], bytes([kind]) + records[index][1:], *records[index + 1 :]]


_number = st.integers(0, 1 << 16)
_kind = st.sampled_from([20, 21, 22, 23, 24])
#: Among others application data in the clear, an alert, and an empty Finished message.
_content = st.one_of(st.binary(max_size=40), st.sampled_from([DATA, b"\x01", b"\x02\x28", b"\x14\0\0\0"]))
_record = st.builds(
    lambda kind, content: bytes([kind, 3, 3]) + len(content).to_bytes(2, "big") + content, _kind, _content
)
changes = st.lists(
    st.one_of(
        st.builds(lambda a, b: partial(_flip, a, b), _number, st.integers(0, 7)),
        st.builds(lambda a: partial(_drop, a), _number),
        st.builds(lambda a: partial(_double, a), _number),
        st.builds(lambda a, b: partial(_swap, a, b), _number, _number),
        st.builds(lambda a, b: partial(_insert, a, b), _number, _record),
        st.builds(lambda a, b: partial(_retype, a, b), _number, _kind),
    ),
    min_size=1,
    max_size=4,
)


class ChangedRecords(Promises):
    """Records are dropped, doubled, exchanged, inserted and damaged."""

    @settings(max_examples=120, deadline=None, derandomize=True, database=None)
    @given(changes, st.sampled_from(VERSIONS), st.sampled_from(["", "expired", "unknown-issuer", "good-intermediate"]))
    def test_neverMakeARefusedClientHeard(self, chosen: list[Change], version: Version, name: str) -> None:
        stage = Stage(version)
        credential = gallery().credential(name, role="client") if name else None
        client = stage.client(credential=None)
        configuration = client if credential is None else insecurelyPresenting(client, credential)
        pair = Pair(Meddling(configuration, chosen), stage.server(access=AccessRules.parse(["cn=good client"])))
        pair.flush()
        self.assertUnheard(pair.server)
        pair.advance(60)
        self.assertUnheard(pair.server)

    @settings(max_examples=120, deadline=None, derandomize=True, database=None)
    @given(changes, st.sampled_from(VERSIONS))
    def test_neverChangeWhatAnAcceptedClientSays(self, chosen: list[Change], version: Version) -> None:
        stage = Stage(version)
        client = Meddling(stage.client(), chosen)
        pair = Pair(client, stage.server())
        pair.flush()
        self.assertHeardInOrder(pair.server, client.said)
        pair.advance(60)
        self.assertHeardInOrder(pair.server, client.said)


class Greeting(Recorder):
    """A server's protocol that speaks first."""

    words = b"welcome"

    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.write(self.words)


class AcceptedClients(Promises):
    def assertEverythingIsHeard(self, version: Version, pieces: Sequence[bytes], sizes: Sequence[int]) -> None:
        stage = Stage(version)
        client = Eager(stage.client(), pieces)
        pair = Pair(client, stage.server(), serverFactory=Factory.forProtocol(Greeting))
        index = 0
        while pair.link.client.written or pair.link.server.written:
            size = sizes[index % len(sizes)]
            index += 1
            pair.link.toServer(size)
            pair.link.toClient(size)
            pair.clock.advance(0)
        self.assertEqual(pair.server.received, b"".join(pieces))
        self.assertEqual(client.received, Greeting.words)

    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(
        st.sampled_from(VERSIONS),
        st.lists(st.binary(min_size=1, max_size=40_000), min_size=1, max_size=3),
        st.lists(st.integers(1, 20_000), min_size=1, max_size=5).filter(lambda sizes: max(sizes) > 100),
    )
    def test_areHeardOnceAndInOrder(self, version: Version, pieces: list[bytes], sizes: list[int]) -> None:
        self.assertEverythingIsHeard(version, pieces, sizes)

    def test_areHeardWhenTheyComeByteByByte(self) -> None:
        for version in VERSIONS:
            self.assertEverythingIsHeard(version, [DATA], [1])

    def test_areHeardWhenTheyCloseAtOnce(self) -> None:
        for version in VERSIONS:
            stage = Stage(version)
            client = Eager(stage.client(), thenClose=True)
            pair = Pair(client, stage.server())
            pair.flush()
            self.assertEqual(pair.server.received, DATA)
            self.assertIsNone(pair.server.failure)
            self.assertTrue(pair.server.isOver)

    def test_areHeardWhenTheStreamEndsAtOnce(self) -> None:
        for version in VERSIONS:
            stage = Stage(version)
            client = Eager(stage.client(), thenClose=True)
            pair = Pair(client, stage.server())
            while not client.said:
                pair.link.toServer()
                pair.link.toClient()
            pair.link.client.loseConnection()
            pair.flush()
            self.assertEqual(pair.server.received, DATA)
            self.assertIsNone(pair.server.failure)
