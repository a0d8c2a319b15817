"""Of a connection that a capture has in part, what is there is read, and nothing is said that is not certain."""

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from tests.tsharkfields import CAPTURES
from tests.wiretraffic import Flight, Traffic, context, names
from tlscomm._wire.decoding import decode
from tlscomm._wire.dissector import Dissector
from tlscomm._wire.events import Event, Kind
from tlscomm._wire.secrets import Secrets
from tlscomm.tracing import _captures


def records(flights: list[Flight]) -> list[Flight]:
    """Cut what was sent into records."""
    found = []
    for isFromClient, data in flights:
        at = 0
        while at < len(data):
            end = at + 5 + int.from_bytes(data[at + 3 : at + 5], "big")
            found.append((isFromClient, data[at:end]))
            at = end
    return found


def conversation(version: int) -> Traffic:
    traffic = Traffic(context("client", version), context("server", version)).pump()
    for number in range(6):
        traffic.say(number % 2 == 0, b"a message of some length " * 9)
    traffic.client.shutdown()
    return traffic.pump()


def seen(parts: list[Flight | tuple[bool, int]], keys: bytes) -> list[Event]:
    """Feed bytes, and skip where there is a number in their place."""
    secrets = Secrets()
    secrets.add(keys)
    dissector = Dissector(secrets)
    for number, (isFromClient, part) in enumerate(parts):
        if isinstance(part, int):
            dissector.skip(isFromClient, part, number)
        else:
            dissector.feed(isFromClient, part, number)
    return dissector.events


def without(parts: list[Flight], index: int) -> list[Flight | tuple[bool, int]]:
    """Have one record not seen."""
    isFromClient, data = parts[index]
    return [*parts[:index], (isFromClient, len(data)), *parts[index + 1 :]]


class Records(SynchronousTestCase):
    def test_theNextOnesAreFoundAndOpenedBehindALostOne(self) -> None:
        """Whichever record is lost, all that were sealed behind the handshake are opened, and all others named."""
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            traffic = conversation(version)
            parts = records(traffic.flights)
            whole = seen(list(parts), traffic.keys)
            first = next(number for number, each in enumerate(whole) if each.kind is Kind.APPLICATION_DATA)
            ends = [index for index, (_, data) in enumerate(parts) if data[0] in (21, 23)][-7:]
            for index in ends[:-1]:
                events = seen(without(parts, index), traffic.keys)
                self.assertEqual([each.kind for each in events].count(Kind.GAP), 1)
                self.assertEqual([each for each in events if each.kind is Kind.SEALED], [])
                self.assertEqual(names(events)[:first], names(whole)[:first])
                self.assertEqual(events[-1].name, "close_notify")

    def test_theRestOfOneIsNotTakenForAHeader(self) -> None:
        """Where a record's middle is lost, those behind it are read as if nothing had happened."""
        traffic = conversation(SSL.TLS1_3_VERSION)
        parts = records(traffic.flights)
        index = len(parts) - 4
        isFromClient, data = parts[index]
        holed: list[Flight | tuple[bool, int]] = [
            (isFromClient, data[:50]),
            (isFromClient, 40),
            (isFromClient, data[90:]),
        ]
        events = seen([*parts[:index], *holed, *parts[index + 1 :]], traffic.keys)
        self.assertEqual(len([each for each in events if each.kind is Kind.SEALED]), 1)
        self.assertEqual(names(events)[-3:], names(seen(list(parts), traffic.keys))[-3:])

    def test_areFoundWhereTheBeginningIsMissing(self) -> None:
        """A capture that begins in the middle of a record says nothing of it, and shows those that follow."""
        traffic = conversation(SSL.TLS1_2_VERSION)
        *_, first, second, last = [data for isFromClient, data in records(traffic.flights) if isFromClient]
        events = seen([(True, 1), (True, first[7:] + second), (True, last)], b"")
        self.assertEqual([each.kind for each in events], [Kind.GAP, Kind.SEALED, Kind.SEALED])
        self.assertEqual(
            [record.length for each in events[1:] for record in each.records], [len(second) - 5, len(last) - 5]
        )


class Handshakes(SynchronousTestCase):
    def test_ofTLS13AreReadWithoutTheServerHello(self) -> None:
        """The secrets alone tell that it is TLS 1.3, and of which suite."""
        traffic = conversation(SSL.TLS1_3_VERSION)
        events = seen(without(records(traffic.flights), 1), traffic.keys)
        self.assertEqual([each.kind for each in events if each.kind is Kind.SEALED], [])
        self.assertEqual(
            names(events)[2:6], ["<ChangeCipherSpec", "<EncryptedExtensions", "<CertificateRequest", "<Certificate"]
        )

    def test_ofTLS13AreReadWithoutAFinished(self) -> None:
        """Where the message is lost that new keys follow, what is sealed with them is opened all the same."""
        traffic = conversation(SSL.TLS1_3_VERSION)
        parts = records(traffic.flights)
        whole = names(seen(list(parts), traffic.keys))
        lost = whole.index("<Finished")
        events = seen(without(parts, lost), traffic.keys)
        self.assertEqual(
            [name for name in whole if name != "<Finished"], [name for name in names(events) if name != "<gap"]
        )

    def test_sayNothingOfTheVersionWithoutTheServerHello(self) -> None:
        """Without secrets what follows a lost ServerHello may be sealed by any version, and nothing else is said."""
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            traffic = conversation(version)
            events = seen(without(records(traffic.flights), 1), b"")
            sealed = [each for each in events if each.isSealed]
            self.assertTrue(sealed)
            self.assertEqual({each.kind for each in sealed}, {Kind.SEALED})
            self.assertEqual({each.version for each in sealed}, {0})

    def test_thatWereSnappedAreReadAsFarAsTheyGo(self) -> None:
        """A capture that keeps the first bytes of packets shows what is in them."""
        traffic = conversation(SSL.TLS1_3_VERSION)
        parts: list[Flight | tuple[bool, int]] = []
        for isFromClient, data in traffic.flights:
            for at in range(0, len(data), 1448):
                parts += [(isFromClient, data[at : at + 90])]
                if len(data) > at + 90:
                    parts += [(isFromClient, len(data[at + 90 : at + 1448]))]
        events = seen(parts, traffic.keys)
        self.assertEqual(
            [names([each])[0] for each in events if each.kind is Kind.HANDSHAKE][:2], [">ClientHello", "<ServerHello"]
        )
        answer = next(each for each in events if each.name == "ServerHello")
        self.assertEqual(answer.version, 0x0304)
        self.assertEqual(decode(answer)[-1].name, "undecodable")

    def test_ofTLS12AreReadWithoutAChangeCipherSpec(self) -> None:
        """Where it is lost, what stands behind it is taken as sealed all the same, and opened."""
        traffic = conversation(SSL.TLS1_2_VERSION)
        parts = records(traffic.flights)
        for index, (isFromClient, data) in enumerate(parts):
            if data[0] == 20:
                events = seen(without(parts, index), traffic.keys)
                self.assertEqual([each for each in events if each.kind is Kind.SEALED], [])
                self.assertIn(f"{'>' if isFromClient else '<'}Finished", names(events))
                closed = seen(without(parts, index), b"")
                self.assertEqual([each.name for each in closed if each.kind is Kind.SEALED][-1], "EncryptedAlert")

    def test_aLostKeyUpdateDoesNoHarm(self) -> None:
        """What follows it is opened with the keys that it would have begun."""
        flights: list[Flight] = []

        class Listening(Dissector):
            def feed(self, isFromClient: bool, data: bytes, time: int, packet: int | None = None) -> None:
                flights.append((isFromClient, data))

        self.patch(_captures, "Dissector", Listening)
        list(_captures.readCaptures([str(CAPTURES / "key-update.pcap")], Secrets()))
        keys = (CAPTURES / "key-update.keys").read_bytes()
        parts = records(flights)
        places = [index for isClient in (True, False) for index, part in enumerate(parts) if part[0] is isClient]
        updates = [each for each in seen(list(parts), keys) if each.name == "KeyUpdate"]
        self.assertEqual(len(updates), 3)
        ofClient = sum(1 for part in parts if part[0])
        for update in updates:
            index = places[update.records[0].number + (0 if update.isFromClient else ofClient)]
            events = seen(without(parts, index), keys)
            self.assertEqual(len([each for each in events if each.name == "KeyUpdate"]), 2)
            self.assertEqual([each for each in events if each.kind is Kind.SEALED], [])
