"""Many handshakes at once: which of them wait, for how long, and that waiting changes nothing but the time."""

from collections.abc import Callable
from functools import partial
from typing import Any

from conversation import STRANGER, VERSIONS, Conversation, ConversationCase, Eager
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.configuration import Deadlines
from tlscomm.transport import Phase
from tlscomm.transport import _turns as turns
from tlscomm.transport._turns import HandshakeTurns

#: Less than any step has spent, so that each of them waits.
ALWAYS = -1.0
#: More than any step has spent.
NEVER = 1e9

UNKNOWN_CLIENT = {"credential": STRANGER.issue("client", role="client")}
UNKNOWN_SERVER = {"credential": STRANGER.issue("server", role="server", dnsNames=["localhost"])}


class Turning(Clock):
    """A clock whose turns can be had one by one."""

    def turn(self) -> None:
        """Call what is due, and not what that has called later."""
        for call in [each for each in self.calls if each.getTime() <= self.seconds()]:
            self.calls.remove(call)
            call.called = 1
            call.func(*call.args, **call.kw)


class Shaking:
    """A connection whose steps take as long as a test says."""

    def __init__(self, clock: Clock, seconds: float, taken: list[tuple[str, bytes]], name: str = "") -> None:
        self.clock, self.seconds, self.taken, self.name = clock, seconds, taken, name
        self.waits = 0
        self.waited = 0.0

    def takeStep(self, data: bytes) -> None:
        self.clock.rightNow += self.seconds
        self.taken.append((self.name, data))

    def awaitTurn(self) -> None:
        self.waits += 1

    def takeTurn(self, data: bytes, seconds: float) -> None:
        self.waited += seconds
        self.takeStep(data)


class TurnsTests(SynchronousTestCase):
    """The steps of one turn have 5 ms."""

    def setUp(self) -> None:
        self.clock = Turning()
        self.turns = HandshakeTurns(self.clock)
        self.taken: list[tuple[str, bytes]] = []

    def shaking(self, count: int, seconds: float = 0.0005) -> list[Shaking]:
        return [Shaking(self.clock, seconds, self.taken, str(number)) for number in range(count)]

    def receive(self, *connections: Shaking) -> None:
        for each in connections:
            self.turns.receive(each, b"hello")

    def names(self) -> list[str]:
        return [name for name, _ in self.taken]

    def test_oneByOne(self) -> None:
        """Where handshakes come one by one, none waits, and nothing is called later."""
        for each in self.shaking(100):
            self.receive(each)
            self.assertEqual((self.taken[-1], each.waits), ((each.name, b"hello"), 0))
            self.clock.rightNow += 0.001
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_atOnce(self) -> None:
        """Of many at once those within 5 ms are taken, and the others in the turns that follow, in their order."""
        many = self.shaking(60)
        self.receive(*many)
        while self.turns.isWaiting(many[-1]):
            before, began = len(self.taken), self.clock.seconds()
            self.clock.turn()
            self.assertLessEqual(len(self.taken) - before, 11)
            self.assertLess(self.clock.seconds() - began, 0.005 + 0.0006)
        self.assertEqual(self.names(), [each.name for each in many])
        self.clock.turn()
        self.clock.turn()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_newTurn(self) -> None:
        """What was spent in one turn is not missing in the next."""
        for _ in range(10):
            several = self.shaking(12, seconds=0.0004)
            self.receive(*several)
            self.clock.turn()
            self.assertFalse(any(each.waits for each in several))

    def test_longStep(self) -> None:
        """One step is taken in each turn, however long it is."""
        three = self.shaking(3, seconds=0.1)
        self.receive(*three)
        for count in (1, 2, 3):
            self.assertEqual(len(self.taken), count)
            self.clock.turn()

    def test_busy(self) -> None:
        """Where open connections make a turn long, handshakes have a quarter of its time instead of 5 ms."""
        self.receive(*self.shaking(100, seconds=0.001))
        self.clock.turn()
        before = len(self.taken)
        self.clock.rightNow += 0.1
        self.clock.turn()
        self.assertIn(len(self.taken) - before, (25, 26))

    def test_noOvertaking(self) -> None:
        """What comes while others wait, waits behind them, even where a turn has time left for it."""
        first = self.shaking(16)
        self.receive(*first)
        self.clock.rightNow += 1
        late = Shaking(self.clock, 0.0005, self.taken, "late")
        self.receive(late)
        self.assertEqual(late.waits, 1)
        for _ in range(4):
            self.clock.turn()
        self.assertEqual(self.names(), [*(each.name for each in first), "late"])

    def test_more(self) -> None:
        """What comes although nothing more is to be read has the step that waits taken before it."""
        *_, last = many = self.shaking(16)
        self.receive(*many)
        self.turns.receive(last, b"more")
        self.assertEqual(self.taken[-1], (last.name, b"hello"))
        for _ in range(4):
            self.clock.turn()
        self.assertEqual([data for name, data in self.taken if name == last.name], [b"hello", b"more"])

    def test_clockSetBack(self) -> None:
        """A clock that is set back or ahead does not keep any step from its turn."""
        for jump in (-1000.0, 1000.0):
            many = self.shaking(24)
            self.receive(*many[:16])
            self.clock.rightNow += jump
            self.receive(*many[16:])
            for _ in range(8):
                self.clock.turn()
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.assertFalse(any(self.turns.isWaiting(each) for each in many))


class WaitingTests(ConversationCase):
    """A connection whose steps wait becomes what it would have become."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(turns, "_TURN_SECONDS", ALWAYS)

    def flush(self, *conversations: Conversation) -> None:
        for _ in range(3):
            for each in conversations:
                each.flush()

    def untilWaiting(self, conversation: Conversation, step: int = 1) -> None:
        """Carry until that step of the server's waits."""
        self.carry(conversation, step)
        self.assertTrue(self.isWaiting(conversation))

    def carry(self, conversation: Conversation, steps: int) -> None:
        """Carry what so many steps of the server's take."""
        for step in range(steps):
            if step:
                conversation.clock.advance(0)
                conversation.link.toClient()
                conversation.clock.advance(0)
            conversation.link.toServer()

    def isWaiting(self, conversation: Conversation) -> bool:
        side = conversation.server
        return bool(side.factory.turns.isWaiting(side.transport))

    def outcome(self, limit: float, play: Callable[[Conversation], object], **settings: Any) -> list[object]:
        """Return what becomes of the server where the steps of a turn have so many seconds."""
        self.patch(turns, "_TURN_SECONDS", limit)
        conversation = self.conversation(**settings)
        play(conversation)
        self.flush(conversation)
        conversation.advance(2)
        server = conversation.server
        return [server.events, bytes(server.received), [str(each) for each in server.failures]]

    def assertSame(self, play: Callable[[Conversation], object], **settings: Any) -> None:
        """The server comes to the same whether steps wait or not."""
        self.assertEqual(self.outcome(ALWAYS, play, **settings), self.outcome(NEVER, play, **settings))

    def test_accepted(self) -> None:
        """Both sides accept each other, and what was sent with the last step arrives after it, whole."""
        for version in VERSIONS:
            conversation = self.conversation(version, clientProtocol=Eager, serverProtocol=Eager)
            self.flush(conversation)
            for side in (conversation.client, conversation.server):
                self.assertEqual(side.events[:3], ["built", "accepted", "made"])
                self.assertEqual(side.received, b"first words")

    def test_refused(self) -> None:
        """A refusal is the same, whichever side refuses."""
        for version in VERSIONS:
            self.assertSame(self.flush, version=version, client=UNKNOWN_CLIENT)
            self.assertSame(self.flush, version=version, server=UNKNOWN_SERVER)

    def test_endBehind(self) -> None:
        """The end of the stream comes after the bytes that wait, whatever they say; and so does a reset."""
        for settings in ({}, {"client": UNKNOWN_CLIENT}, {"server": UNKNOWN_SERVER}):
            for steps in (1, 2):
                for end in (_end, _reset):
                    self.assertSame(partial(self.endBehind, end, steps), **settings)

    def endBehind(self, end: Callable[[Conversation], object], steps: int, conversation: Conversation) -> None:
        self.carry(conversation, steps)
        end(conversation)
        conversation.link.toServer()

    def test_open(self) -> None:
        """What an open connection sends arrives while steps of others wait."""
        opened = self.conversation()
        self.flush(opened)
        opened.client.transport.write(b"ping")
        opened.clock.advance(0)
        strangers = [self.conversation() for _ in range(3)]
        for each in strangers:
            each.server.factory.turns = opened.server.factory.turns
            self.untilWaiting(each)
        opened.link.toServer()
        self.assertEqual(opened.server.received, b"ping")
        self.assertTrue(all(map(self.isWaiting, strangers)))

    def test_notReadOn(self) -> None:
        """Of a peer whose step waits nothing more is read until the step is taken."""
        for step in (1, 2):
            conversation = self.conversation()
            self.untilWaiting(conversation, step)
            self.assertFalse(conversation.link.server.isReading)
            conversation.clock.advance(0)
            self.assertTrue(conversation.link.server.isReading)

    def test_hook(self) -> None:
        """A hook is asked when the step is taken, and its peer is not read while it has yet to answer."""
        answer: Deferred[bool] = Deferred()
        conversation = self.conversation(server={"hook": lambda _: answer})
        self.untilWaiting(conversation, 2)
        conversation.clock.advance(0)
        self.assertEqual(conversation.server.transport.phase, Phase.ASKING)
        self.assertFalse(conversation.link.server.isReading)
        answer.callback(True)
        self.flush(conversation)
        self.assertTrue(conversation.server.transport.connected)

    def test_deadline(self) -> None:
        """The time in which a step waits for us does not count, and all other time does."""
        for isContinued in (True, False):
            conversation = self.conversation(
                client={"deadlines": Deadlines(handshake=None)}, server={"deadlines": Deadlines(handshake=10)}
            )
            clock, server = conversation.clock, conversation.server
            clock.advance(9.75)
            # A step of another connection that takes a second.
            server.factory.turns.receive(Shaking(clock, 1, []), b"")
            conversation.link.toServer()
            clock.advance(0)
            self.assertEqual((clock.seconds(), server.failures), (10.75, []))
            if isContinued:
                self.flush(conversation)
                self.assertTrue(server.transport.connected)
            else:
                clock.advance(0.5)
                self.flush(conversation)
                self.assertEqual([each.code for each in server.failures], ["handshake-timeout"])

    def test_stopped(self) -> None:
        """A connection that is ended while its step waits is gone, and its step is never taken."""
        for name in ("loseConnection", "abortConnection"):
            conversation = self.conversation()
            self.untilWaiting(conversation, 2)
            getattr(conversation.server.transport, name)()
            self.flush(conversation)
            conversation.advance(2)
            self.assertEqual(conversation.server.events, [])
            self.assertOver(conversation)

    def test_broken(self) -> None:
        """A step that fails in an unforeseen way ends its connection alone, and the log says so."""
        many = [self.conversation() for _ in range(3)]
        for each in many:
            each.server.factory.turns = many[0].server.factory.turns
            self.untilWaiting(each)
        self.patch(many[0].server.transport, "takeStep", lambda data: 1 / 0)
        many[0].clock.advance(0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.flush(*many)
        self.assertEqual([each.server.transport.connected for each in many], [False, True, True])


def _end(conversation: Conversation) -> None:
    conversation.link.client.loseWriteConnection()


def _reset(conversation: Conversation) -> None:
    conversation.link.server.lose(ConnectionLost())
