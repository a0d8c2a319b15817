"""Any mixture of what two sides, the network and time can do: what holds whatever happens."""

from dataclasses import dataclass, field
from typing import Any

from conversation import (
    STRANGER,
    Conversation,
    HalfCloseable,
    Recorder,
    Side,
    clientConfiguration,
    serverConfiguration,
)
from directlink import DirectLink, DirectlyWritten
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.failures import Undecodable
from tlscomm.testing import MemoryLink
from tlscomm.transport import _turns as turns
from tlscomm.verification import Question

#: Without a deadline, which would make the clock part of the test, and the same plays every time.
unhurried = settings(deadline=None, derandomize=True, max_examples=80)


class Echo(Recorder):
    """Sends back what it receives, as fast as that is taken."""

    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.registerProducer(self.transport, True)

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.side.written += data if not self.transport.disconnecting else b""  # type: ignore[attr-defined]
        self.transport.write(data)


class Abrupt(Recorder):
    """Ends the connection as soon as it hears anything."""

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.side.hasEnded = True  # type: ignore[attr-defined]
        self.transport.loseConnection()


class Shy(HalfCloseable):
    """Wants to hear nothing at first."""

    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.pauseProducing()


class Sender(Recorder):
    """Sends something long when it is asked to, and ends."""

    def connectionMade(self) -> None:
        super().connectionMade()
        self.left = 5
        self.side.hasEnded = True  # type: ignore[attr-defined]
        self.transport.registerProducer(self, False)
        self.transport.loseConnection()

    def resumeProducing(self) -> None:
        self.left -= 1
        self.side.written += b"x" * 50_000  # type: ignore[attr-defined]
        self.transport.write(b"x" * 50_000)
        if not self.left:
            self.transport.unregisterProducer()

    def stopProducing(self) -> None: ...


class Raising(HalfCloseable):
    """Fails in the middle."""

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        if len(self.side.received) > 1000:
            raise ZeroDivisionError


PROTOCOLS = (Recorder, HalfCloseable, Echo, Abrupt, Shy, Sender, Raising)

# Without resumption: one play must not depend on another.
SERVER = serverConfiguration(resumption=False)
VERSIONS = [{"minimumTLS": version, "maximumTLS": version} for version in ("1.2", "1.3")]
GOOD = [clientConfiguration(**version) for version in VERSIONS]
BAD = [
    clientConfiguration(**version, **details)
    for version in VERSIONS
    for details in (
        {"credential": None},
        {"credential": STRANGER.issue("client", role="client")},
        {"roots": (STRANGER.certificate,)},
    )
]

SIDES = st.sampled_from(["client", "server"])
SIZES = st.sampled_from([1, 5, 100, 1500, 65536, 200_000])

CALM = (
    st.tuples(st.just("write"), SIDES, SIZES),
    st.tuples(st.just("write"), SIDES, SIZES),
    st.tuples(st.just("carry"), SIDES, SIZES),
    st.tuples(st.just("carry"), SIDES, SIZES),
    st.tuples(st.just("flush")),
    st.tuples(st.sampled_from(["pause", "resume", "lose", "half"]), SIDES),
)
WILD = (
    st.tuples(st.just("advance"), st.sampled_from([0.0, 0.5, 1.0, 3.0, 6.0])),
    st.tuples(st.sampled_from(["abort", "giveUp", "deafen", "endTCP", "breakTCP"]), SIDES),
)
ACTIONS = st.one_of(*CALM, *WILD)


class Asked:
    """The hook of one side, which answers when a play says so, if ever.

    Attributes:
        answers: what it has returned in this play.
        hasAccepted: whether it has accepted in this play.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.answers: list[Deferred[Any]] = []
        self.hasAccepted = False

    def __call__(self, question: Question) -> Deferred[Any]:
        self.answers.append(Deferred())
        return self.answers[-1]

    def answer(self, answer: Any) -> None:
        if not self.answers or self.answers[0].called:
            return
        self.hasAccepted = answer is True
        if isinstance(answer, type):
            self.answers[0].errback(answer())
        else:
            self.answers[0].callback(answer)


HOOKS = {"client": Asked(), "server": Asked()}
ASKING = [clientConfiguration(**version, hook=HOOKS["client"]) for version in VERSIONS]
ASKING_SERVER = serverConfiguration(resumption=False, hook=HOOKS["server"], revalidation=True)
ANSWERS = st.sampled_from([*[True] * 6, False, None, ZeroDivisionError])


#: The client half-closes while the server's hook is asked about it.
ENDED_WHILE_ASKING = [
    *(("flush",), ("answer", "client", True), ("endTCP", "client")),
    *(("flush",), ("answer", "server", True), ("flush",)),
]


@st.composite
def askings(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Draw what happens before, between and after the answers of both sides."""
    client, server = (("answer", name, draw(ANSWERS)) for name in HOOKS)
    calm = draw(st.booleans())
    few = st.lists(st.one_of(*CALM) if calm else st.one_of(*CALM, *WILD), max_size=6)
    between = [draw(few) for _ in range(4)]
    many = draw(st.lists(ACTIONS, max_size=30))
    flush = ("flush",)
    return [*between[0], flush, *between[1], client, *between[2], flush, *between[3], server, flush, *many]


# Two echoes would never come to an end.
PAIRS = st.sampled_from(
    [(above, below) for above in PROTOCOLS for below in PROTOCOLS if (above, below) != (Echo, Echo)]
)


#: Between transports that are written to as any, and Twisted's own, which are written to directly.
LINKS = (MemoryLink, DirectLink)

#: The seconds of one turn for handshakes: more than there are, or so little that each step waits for the next turn.
LIMITS = (1e9, -1.0)

#: Each link with each limit.
WAYS = st.sampled_from([(link, limit) for link in LINKS for limit in LIMITS])


@dataclass
class Play:
    """A conversation, and what can be done in it."""

    conversation: Conversation
    number: int = 0
    sides: dict[str, Any] = field(default_factory=dict)

    def act(self, name: str, *details: Any) -> None:
        getattr(self, name)(*details)

    def write(self, name: str, size: int) -> None:
        side = self.sides[name]
        self.number += 1
        data = bytes([self.number % 251]) * size
        if side.transport.connected and not (side.transport.disconnecting or side.hasSaidAll):
            side.written += data
        if not (side.hasEnded or side.hasSaidAll):
            side.transport.write(data)

    def carry(self, side: str, size: int) -> None:
        link = self.conversation.link
        (link.toClient if side == "client" else link.toServer)(size)

    def flush(self) -> None:
        # Where all steps wait, more has to be carried until a handshake is done.
        for _ in range(2):
            self.conversation.flush()

    def advance(self, seconds: float) -> None:
        self.conversation.clock.advance(seconds)

    def pause(self, side: str) -> None:
        self.sides[side].transport.pauseProducing()

    def resume(self, side: str) -> None:
        self.sides[side].transport.resumeProducing()

    def lose(self, side: str) -> None:
        self.sides[side].hasEnded = True
        self.sides[side].transport.loseConnection()

    def half(self, name: str) -> None:
        """End one side, which goes on to listen if its protocol can."""
        side = self.sides[name]
        listens = side.transport.connected and IHalfCloseableProtocol.providedBy(side.transport.protocol)
        side.hasSaidAll, side.hasEnded = True, side.hasEnded or not listens
        side.transport.loseWriteConnection()

    def abort(self, side: str) -> None:
        self.sides[side].transport.abortConnection()

    def giveUp(self, side: str) -> None:
        self.sides[side].transport.closeBecause(Undecodable("of nothing"))

    def answer(self, side: str, answer: Any) -> None:
        HOOKS[side].answer(answer)

    def deafen(self, side: str) -> None:
        """From now on TCP brings this side nothing."""
        end = getattr(self.conversation.link, side)
        end.isReading, end.resumeProducing = False, lambda: None

    def endTCP(self, side: str) -> None:
        getattr(self.conversation.link, side).loseWriteConnection()

    def breakTCP(self, side: str) -> None:
        getattr(self.conversation.link, side).lose(ConnectionLost())


class RandomTests(DirectlyWritten, SynchronousTestCase):
    """What holds whatever happens."""

    @unhurried
    @given(
        st.sampled_from(GOOD), PAIRS, WAYS, st.lists(ACTIONS, max_size=9), st.lists(ACTIONS, min_size=9, max_size=60)
    )
    def test_accepted(
        self, client: Any, protocols: tuple[Any, Any], way: Any, before: list[Any], actions: list[Any]
    ) -> None:
        """Only what was sent arrives, in order, and not before both have accepted; both sides end; nothing is left."""
        play = self.played(client, protocols, way)
        self.acted(play, [*before, ("flush",), *actions])
        self.ended(play)
        self.over(play)

    @unhurried
    @given(st.sampled_from(GOOD), PAIRS, WAYS, st.lists(st.one_of(*CALM), min_size=9, max_size=60))
    def test_calm(self, client: Any, protocols: tuple[Any, Any], way: Any, actions: list[Any]) -> None:
        """Where nothing goes wrong both end in order, at once, and all that was sent to who still listened arrives."""
        play = self.played(client, protocols, way)
        # A server that ends before it has sent any data is taken for one that refuses.
        self.acted(play, [("flush",), ("write", "server", 1), ("flush",), *actions])
        self.ended(play)
        if Raising not in protocols:
            self.assertNothingMissing(play)
        self.over(play)

    @unhurried
    @given(st.sampled_from(BAD), PAIRS, WAYS, st.lists(ACTIONS, max_size=30))
    def test_refused(self, client: Any, protocols: tuple[Any, Any], way: Any, actions: list[Any]) -> None:
        """Of a connection that one side refuses the server's protocol never hears; both sides end; nothing is left."""
        play = self.played(client, protocols, way)
        self.acted(play, actions)
        self.ended(play)
        self.over(play)
        sides = play.sides
        self.assertNotIn("built", sides["server"].events)
        self.assertEqual((sides["client"].received, sides["server"].received), (b"", b""))

    @unhurried
    @given(st.sampled_from(ASKING), PAIRS, WAYS, askings())
    @example(ASKING[0], (Recorder, Recorder), (MemoryLink, 1e9), ENDED_WHILE_ASKING)
    @example(ASKING[0], (Recorder, Recorder), (MemoryLink, -1.0), ENDED_WHILE_ASKING)
    @example(ASKING[1], (Recorder, Recorder), (MemoryLink, 1e9), ENDED_WHILE_ASKING)
    def test_asked(self, client: Any, protocols: tuple[Any, Any], way: Any, actions: list[Any]) -> None:
        """Where both ask hooks, no peer is let in before its hook has said so; both sides end; nothing is left."""
        for hook in HOOKS.values():
            hook.forget()
        play = self.played(client, protocols, way, ASKING_SERVER)
        for action in actions:
            play.act(*action)
            self.assertInOrder(play)
            self.assertAsked(play)
        self.ended(play)
        self.over(play)
        self.assertAsked(play)
        self.assertTrue(all(answer.called for hook in HOOKS.values() for answer in hook.answers))

    def assertAsked(self, play: Play) -> None:
        for name, side in play.sides.items():
            self.assertLessEqual(len(HOOKS[name].answers), 1)
            if "built" in side.events:
                self.assertTrue(HOOKS[name].hasAccepted)
        if "data" in play.sides["client"].events:
            self.assertTrue(HOOKS["server"].hasAccepted)

    def played(self, client: Any, protocols: tuple[Any, Any], way: Any, server: Any = SERVER) -> Play:
        link, limit = way
        self.patch(turns, "_TURN_SECONDS", limit)
        clock = Clock()
        sides = {"client": Side(client, protocols[0], clock), "server": Side(server, protocols[1], clock)}
        for side in sides.values():
            side.written, side.hasEnded, side.hasSaidAll = bytearray(), False, False  # type: ignore[attr-defined]
        return Play(Conversation(*sides.values(), clock, link), sides=sides)

    def acted(self, play: Play, actions: list[Any]) -> None:
        for action in actions:
            play.act(*action)
            self.assertInOrder(play)

    def ended(self, play: Play) -> None:
        """Let both sides go on, and end; no time passes."""
        for _ in range(3):
            play.flush()
            for side in play.sides.values():
                if not side.hasEnded:
                    side.transport.resumeProducing()
        for side in play.sides.values():
            play.flush()
            side.transport.loseConnection()
        for _ in range(3):
            play.flush()

    def over(self, play: Play) -> None:
        """Let time pass, and see that nothing is left."""
        for _ in range(80):
            play.conversation.clock.advance(0.5)
            play.flush()
        self.assertInOrder(play)
        link = play.conversation.link
        self.assertEqual((link.client.connected, link.server.connected), (False, False))
        self.assertEqual(play.conversation.clock.getDelayedCalls(), [])
        for side in play.sides.values():
            self.assertEqual(side.events.count("lost"), side.events.count("made"))
            self.assertEqual(side.events.count("closed"), side.events.count("accepted"))
            self.assertLessEqual(len(side.failures), 1)
            self.assertEqual(side.factory.connections, set())
        self.flushLoggedErrors(ZeroDivisionError)
        self.assertEqual(self.flushLoggedErrors(), [])

    def assertInOrder(self, play: Play) -> None:
        client, server = play.sides.values()
        for side, other in ((client, server), (server, client)):
            self.assertEqual(side.received, other.written[: len(side.received)])
            self.assertLessEqual(side.events.count("made"), 1)
            if "data" in side.events:
                self.assertLess(side.events.index("made"), side.events.index("data"))
        if "made" in client.events and client.transport.tls.acceptance == "seen":
            self.assertIn("made", server.events)

    def assertNothingMissing(self, play: Play) -> None:
        client, server = play.sides.values()
        for side, other in ((client, server), (server, client)):
            self.assertEqual((side.failures, side.events[-1]), ([None], "lost"))
            if not side.hasEnded:
                self.assertEqual(side.received, other.written)
