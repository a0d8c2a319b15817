"""What a hostile server can do to a client: it gets nothing by it, and what it costs is bounded."""

from __future__ import annotations

import json
import warnings
from random import Random
from typing import Any

from calls import called
from conversation import AUTHORITY, CLIENT, ROOTS, SERVER, VERSIONS, clientConfiguration
from cryptography.hazmat.primitives.serialization import Encoding
from dearchains import answer, contextShowing, dearChains
from OpenSSL import SSL, crypto
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.failures import CODES, TLSFailure
from tlscomm.tls import State, TLSConnection

#: Characters that a refusal has in any output.
MOST_SAID = 8000

_CHAINS = dict(dearChains(AUTHORITY.certificate))


def serverContext(version: str, **callbacks: Any) -> SSL.Context:
    """Return a context that shows a good certificate, and that a test makes hostile."""
    context = contextShowing([SERVER.certificate.public_bytes(Encoding.DER)], SERVER.privateKey)
    number = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}[version]
    context.set_min_proto_version(number)
    context.set_max_proto_version(number)
    return context


def serving(context: SSL.Context) -> SSL.Connection:
    server = SSL.Connection(context)
    server.set_accept_state()
    return server


def connecting(version: str, **settings: Any) -> TLSConnection:
    client = TLSConnection(clientConfiguration(minimumTLS=version, maximumTLS=version, **settings))
    client.start()
    return client


def shake(client: TLSConnection, server: SSL.Connection) -> None:
    flight = answer(server, client.outgoing())
    while flight:
        client.receive(flight)
        reply = client.outgoing()
        flight = answer(server, reply) if reply else b""


class HostileCase(SynchronousTestCase):
    def assertBounded(self, failure: TLSFailure | None) -> TLSFailure:
        """A failure has a name of the closed list, and what it says is printable and short."""
        assert failure is not None
        self.assertIn(failure.code, CODES)
        for said in (str(failure), repr(failure), failure.nextStep, json.dumps(failure.toJSON())):
            self.assertTrue(said.isprintable())
            self.assertLess(len(said), MOST_SAID)
        return failure


class Chains(HostileCase):
    def test_dear(self) -> None:
        """No chain gets in, and each is refused with few words."""
        for title, chain in list(_CHAINS.items())[::6]:
            for version in VERSIONS:
                context = contextShowing(chain)
                server, client = serving(context), connecting(version)
                shake(client, server)
                self.assertIs(client.state, State.FAILED, title)
                self.assertBounded(client.failure)
                self.assertFalse(client.isAccepted)


class Flights(HostileCase):
    def test_mutated(self) -> None:
        """Whatever is changed in a server's flight, nothing is accepted that it has not said, and nothing breaks."""
        random = Random(5246)
        for version in VERSIONS:
            for _ in range(60):
                server, client = serving(serverContext(version)), connecting(version)
                flight = bytearray(answer(server, client.outgoing()))
                for _ in range(random.choice((1, 1, 2, 8))):
                    flight[random.randrange(len(flight))] ^= 1 << random.randrange(8)
                client.receive(bytes(flight))
                client.outgoing()
                self.assertFalse(client.isAccepted)
                if client.failure is None:
                    # What was changed is a length, and the rest has yet to come.
                    client.receiveEnd()
                self.assertBounded(client.failure)

    def test_cutOff(self) -> None:
        """A flight that ends anywhere is the end of the handshake, and no acceptance."""
        for version in VERSIONS:
            whole = 2000
            for size in range(0, whole, 97):
                server, client = serving(serverContext(version)), connecting(version)
                client.receive(answer(server, client.outgoing())[:size])
                if client.isAccepted:
                    # All of it has come by then.
                    break
                client.receiveEnd()
                if not client.failure:
                    break
                self.assertBounded(client.failure)

    def test_nonsense(self) -> None:
        random = Random(8446)
        for version in VERSIONS:
            for size in (1, 5, 100, 20_000):
                client = connecting(version)
                client.outgoing()
                client.receive(b"\x16\x03\x03" + random.randbytes(size))
                if client.failure is None:
                    client.receiveEnd()
                self.assertBounded(client.failure)
                self.assertFalse(client.isAccepted)


class Floods(HostileCase):
    def flooded(self, version: str, record: bytes, count: int) -> TLSConnection:
        client = connecting(version)
        client.outgoing()
        for _ in range(count):
            client.receive(record)
            if client.state is State.FAILED:
                break
        return client

    def test_beforeAnythingElse(self) -> None:
        """Records that say nothing, of any kind, end the handshake soon, and leave nothing behind meanwhile."""
        records = {
            "empty handshake records": b"\x16\x03\x03\0\0",
            "warnings": b"\x15\x03\x03\0\2\1\x5a",
            "empty application data": b"\x17\x03\x03\0\0",
            "changes of cipher": b"\x14\x03\x03\0\1\1",
        }
        for version in VERSIONS:
            for what, record in records.items():
                client = self.flooded(version, record, 200)
                self.assertIs(client.state, State.FAILED, (version, what))
                self.assertBounded(client.failure)

    def test_aMessageWithoutEnd(self) -> None:
        """A message that says of itself that it has megabytes is refused before they come."""
        for version in VERSIONS:
            client = connecting(version)
            client.outgoing()
            client.receive(b"\x16\x03\x03\x40\x00" + b"\x02\xff\xff\xff" + bytes((1 << 14) - 4))
            self.assertBounded(client.failure)

    def test_helloRequests(self) -> None:
        """TLS 1.2's HelloRequest is answered with a warning or not at all, and does not begin anything anew."""
        client = self.flooded("1.2", b"\x16\x03\x03\0\4\0\0\0\0", 200)
        self.assertFalse(client.isAccepted)
        self.assertLess(len(client.outgoing()), 1 << 14)


class Lists(HostileCase):
    """A server may name some four thousand authorities that it accepts."""

    def named(self, version: str, count: int) -> TLSConnection:
        context = serverContext(version)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            names = []
            for number in range(count):
                name = crypto.X509Name(crypto.X509().get_subject())
                # As short as can be, and no two the same.
                name.CN = f"{number:03x}"
                names.append(name)
            context.set_client_ca_list(names)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: False)
        client = connecting(version)
        shake(client, serving(context))
        client.receive(b"")
        return client

    def test_thousands(self) -> None:
        """What is said of a refusal is as short as where there are a few."""
        for version in VERSIONS:
            failure = self.assertBounded(self.named(version, 3300).failure)
            self.assertEqual(failure.side, "remote")
            self.assertLess(len(failure.message), 2500)

    def test_aLongListIsReadOnce(self) -> None:
        """Its names are looked at as bytes, once for all that is asked of them."""
        client = self.named("1.3", 600)
        client.receive(b"")
        shown = client._naming.own
        self.assertEqual(list(shown._accepted), [])
        self.assertLess(called(lambda: shown._accepted), 10)


class AfterTheHandshake(HostileCase):
    def test_whatIsNotSealed(self) -> None:
        """Tickets are no data and leave nothing to send; a record that is not sealed as it should be ends it."""
        client, server = connecting("1.3"), serving(serverContext("1.3"))
        shake(client, server)
        self.assertIs(client.state, State.OPEN)
        for _ in range(3):
            self.assertEqual(client.receive(b""), b"")
        self.assertEqual(client.outgoing(), b"")
        client.receive(b"\x17\x03\x03\x00\x40" + bytes(64))
        self.assertBounded(client.failure)


class Peers(HostileCase):
    def test_theSameServerIsGoodWhereNothingIsDone(self) -> None:
        """Else the tests above would show nothing."""
        for version in VERSIONS:
            client = connecting(version, roots=ROOTS, credential=CLIENT)
            shake(client, serving(serverContext(version)))
            self.assertTrue(client.isAccepted)
