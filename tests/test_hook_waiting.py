"""A hook that takes its time: nothing leaves until it answers, others go on, and every way out is clean."""

from __future__ import annotations

from typing import Any

from conversation import (
    AUTHORITY,
    VERSIONS,
    Conversation,
    ConversationCase,
    Eager,
    Recorder,
    Side,
    clientConfiguration,
    serverConfiguration,
)
from hooks import OTHER, Asked, Slow, everywhere
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionAborted
from twisted.internet.task import Clock

from tlscomm.configuration import Deadlines
from tlscomm.tls import State
from tlscomm.verification import accept, refuse

#: So that a TLS 1.3 client waits for its acceptance as long as the hook takes.
PATIENT = Deadlines(acceptance=8.0)


class Records:
    """The records of one direction, by their type and length, as far as they are not sealed."""

    def __init__(self, stream: bytes) -> None:
        self.types = []
        while stream:
            size = 5 + int.from_bytes(stream[3:5], "big")
            self.types.append(stream[0])
            stream = stream[size:]


class WaitingCase(ConversationCase):
    def asking(self, version: str, role: str, hook: Any, **settings: Any) -> Conversation:
        """Return two sides, one of which asks a hook about the other; everything was carried."""
        settings = {"deadlines": PATIENT, **settings}
        settings[role] = {"hook": hook, **settings.get(role, {})}
        return self.opened(version, **settings)

    def assertHeld(self, conversation: Conversation, role: str) -> None:
        """The side waits, the other one too, and nobody has told anybody anything."""
        sides = {"client": conversation.client, "server": conversation.server}
        self.assertIs(sides[role].transport._connection.state, State.PENDING)
        for side in sides.values():
            self.assertEqual((side.events, side.received), ([], b""))
        end = getattr(conversation.link, role)
        self.assertEqual((end.written, end.isReading), (b"", False))


class AnsweredLate(WaitingCase):
    """The answer comes, and then it is as if it had come at once."""

    def test_accepted(self) -> None:
        """Both wait, connect() too; when the hook accepts both go on."""
        for version, role in everywhere():
            hook = Slow()
            conversation = self.asking(version, role, hook)
            connecting = conversation.client.connect()
            self.assertHeld(conversation, role)
            conversation.advance(2)
            self.assertHeld(conversation, role)
            self.assertNoResult(connecting)
            hook.answer()
            conversation.flush()
            self.assertEqual(conversation.server.events, ["built", "accepted", "made"])
            conversation.advance(0.5)
            self.assertEqual(conversation.client.events, ["built", "accepted", "made", "connected"])
            self.successResultOf(connecting)
            self.assertEqual(conversation.client.transport.tls.acceptance, "seen")
            self.assertEqual((len(hook.questions), hook.cancelled), (1, 0))

    def test_refused(self) -> None:
        """When it refuses, the alert arrives and is named, and nobody's protocol was ever built."""
        for version, role in everywhere():
            for answer, code, heard in (
                (refuse("closed"), "refused-by-hook", "not-allowed"),
                (refuse("closed", code="revoked"), "revoked", "revoked"),
                (False, "refused-by-hook", "not-allowed"),
            ):
                hook = Slow()
                conversation = self.asking(version, role, hook)
                conversation.advance(2)
                hook.answer(answer)
                conversation.flush()
                codes = {role: code, OTHER[role]: heard}
                self.assertCodes(conversation, codes["client"], codes["server"])
                for side in (conversation.client, conversation.server):
                    self.assertEqual(side.events, ["refused"])

    def test_failed(self) -> None:
        """A Deferred that fails is hook-failed, and the log has the exception with its traceback."""
        for version, role in everywhere():
            hook = Slow()
            conversation = self.asking(version, role, hook)
            hook.answers[0].errback(ZeroDivisionError("in the database"))
            conversation.flush()
            side = getattr(conversation, role)
            self.assertEqual(side.failure.code, "hook-failed")
            self.assertIn("in the database", str(side.failure))
            (logged,) = self.flushLoggedErrors(ZeroDivisionError)
            self.assertEqual(str(logged.value), "in the database")
            self.assertOver(conversation)

    def test_raisedAtOnce(self) -> None:
        """What a hook raises at once is in the log as well."""
        conversation = self.asking("1.3", "server", Asked(ZeroDivisionError("at once")))
        self.assertEqual(conversation.server.failure.code, "hook-failed")
        (logged,) = self.flushLoggedErrors(ZeroDivisionError)
        self.assertIn("hooks.py", logged.getTraceback())

    def test_noAnswer(self) -> None:
        """A late answer that is none refuses."""
        for version, role in everywhere():
            hook = Slow()
            conversation = self.asking(version, role, hook)
            hook.answer(None)
            conversation.flush()
            self.assertEqual(getattr(conversation, role).failure.code, "hook-failed")
            self.assertOver(conversation)

    def test_alreadyAnswered(self) -> None:
        """A Deferred that has fired already is no detour."""
        for version, role in everywhere():
            self.assertIn("made", self.asking(version, role, Asked(succeed(accept()))).client.events)
        for version, role in everywhere():
            conversation = self.asking(version, role, Asked(succeed(False)))
            self.assertEqual(getattr(conversation, role).failure.code, "refused-by-hook")
        conversation = self.asking("1.3", "server", Asked(fail(ZeroDivisionError())))
        self.assertEqual(conversation.server.failure.code, "hook-failed")
        self.flushLoggedErrors(ZeroDivisionError)
        self.assertOver(*self._conversations[-5:])

    def test_coroutine(self) -> None:
        """A hook may be a coroutine, and await Deferreds; what it raises refuses."""
        for version, role in everywhere():
            for answer in (True, False):
                database = Deferred[bool]()

                async def hook(_: object, database: Deferred[bool] = database) -> bool:
                    if not await database:
                        raise LookupError("no such account")
                    return True

                conversation = self.asking(version, role, hook)
                self.assertHeld(conversation, role)
                database.callback(answer)
                conversation.flush()
                if answer:
                    self.assertEqual(conversation.server.events[-1], "made")
                else:
                    self.assertEqual(getattr(conversation, role).failure.code, "hook-failed")
                    self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_both(self) -> None:
        """Both sides may ask at once, and answer in any order."""
        for version in VERSIONS:
            client, server = Slow(), Slow()
            conversation = self.conversation(
                version, client={"hook": client}, server={"hook": server}, deadlines=PATIENT
            )
            conversation.flush()
            self.assertEqual((len(client.questions), len(server.questions)), (1, 0))
            client.answer()
            conversation.flush()
            self.assertHeld(conversation, "server")
            server.answer()
            conversation.flush()
            self.assertEqual(conversation.client.events[-1], "made")

    def test_overruled(self) -> None:
        """A late answer overrules too."""
        for version in VERSIONS:
            hook = Slow()
            conversation = self.asking(version, "client", hook, client={"serverName": "other.example"})
            self.assertEqual(hook.questions[0].problems[0].code, "name-mismatch")
            hook.answer(accept("name-mismatch"))
            conversation.flush()
            self.assertEqual(conversation.client.events[-1], "made")


class EarlyData(WaitingCase):
    """What a TLS 1.3 client says before it is accepted."""

    def eager(self, hook: Any) -> Conversation:
        """Return a server that asks a hook about a client which says much at once, and closes."""
        peer = self.pythonPeer(serverSide=False)
        peer.words = b"one "
        conversation = self.conversation(client=peer, server={"hook": hook})
        conversation.flush()
        for word in (b"two ", b"three " * 5000):
            peer.say(word)
        peer.close()
        return conversation

    def test_arrivesInOrder(self) -> None:
        """It is delivered when the hook has accepted, whole and in order, and so is the end."""
        hook = Slow()
        conversation = self.eager(hook)
        conversation.flush()
        self.assertEqual(conversation.server.events, [])
        hook.answer()
        conversation.flush()
        self.assertEqual(conversation.server.received, b"one two " + b"three " * 5000)
        self.assertEqual(conversation.server.failures, [None])

    def test_isNeverSeen(self) -> None:
        """It is delivered to nobody when the hook refuses."""
        hook = Slow()
        conversation = self.eager(hook)
        hook.answer(False)
        conversation.advance(1.1)
        self.assertEqual((conversation.server.events, conversation.server.received), (["refused"], b""))

    def test_staysWithTCP(self) -> None:
        """A client that says more and more fills no memory of ours: nothing is read."""
        peer = self.pythonPeer(serverSide=False)
        conversation = self.conversation(client=peer, server={"hook": Slow()})
        conversation.flush()
        peer.say(b"x" * 1_000_000)
        conversation.flush()
        self.assertGreater(len(conversation.link.client.written), 1_000_000)

    def test_ourClient(self) -> None:
        """A protocol that speaks first has its first words heard."""
        for version, role in everywhere():
            hook = Slow()
            conversation = self.asking(version, role, hook, clientProtocol=Eager, serverProtocol=Eager)
            self.assertHeld(conversation, role)
            hook.answer()
            conversation.flush()
            self.assertEqual(conversation.server.received, b"first words")
            self.assertEqual(conversation.client.received, b"first words")


class Flights(WaitingCase):
    """What is on the wire."""

    def test_nothingThatCouldMeanYes(self) -> None:
        """A client sends nothing but its hello, and a server nothing after its own Finished or ServerHelloDone."""
        for version, role in everywhere():
            hook, quick = Slow(), Asked()
            sent = {}
            for each in (hook, quick):
                conversation = self.conversation(version, deadlines=PATIENT, **{role: {"hook": each}})
                flights: list[bytes] = []
                for _ in range(6):
                    toServer, toClient = conversation.link.toServer(), conversation.link.toClient()
                    flights += [toServer if role == "client" else toClient]
                sent[each] = Records(b"".join(flights)).types
            self.assertLess(len(sent[hook]), len(sent[quick]))
            self.assertEqual(sent[hook], sent[quick][: len(sent[hook])])
            if role == "client":
                self.assertEqual(sent[hook], [22])
            elif version == "1.2":
                self.assertEqual(set(sent[hook]), {22})

    def test_theRefusalIsSealed(self) -> None:
        """Under TLS 1.3 the alert is a sealed record like any other, and under 1.2 an alert in the clear."""
        for version, role in everywhere():
            hook = Slow()
            conversation = self.asking(version, role, hook)
            hook.answer(False)
            words = bytes(getattr(conversation.link, role).written)
            self.assertEqual(Records(words).types, [21 if version == "1.2" else 23])


class Deadline(WaitingCase):
    """A hook does not keep anybody for ever."""

    def test_hook(self) -> None:
        """After its own deadline the peer is refused, and hears an alert; the Deferred is cancelled."""
        for version, role in everywhere():
            hook = Slow()
            conversation = self.asking(version, role, hook, deadlines=Deadlines(hook=3, acceptance=8))
            conversation.advance(2.9)
            self.assertHeld(conversation, role)
            conversation.advance(0.2)
            side, peer = getattr(conversation, role), getattr(conversation, OTHER[role])
            self.assertEqual(side.failure.code, "hook-timeout")
            self.assertIn("3 s", str(side.failure))
            self.assertEqual((peer.failure.side, peer.failure.alert.direction), ("remote", "received"))
            self.assertEqual(hook.cancelled, 1)
            self.assertOver(conversation)

    def test_handshake(self) -> None:
        """The handshake's deadline holds for it too, and the failure says how long the hook had."""
        for version, role in everywhere():
            for own in (None, 60.0):
                hook = Slow()
                deadlines = {role: {"deadlines": Deadlines(handshake=4, hook=own, acceptance=4)}}
                conversation = self.asking(version, role, hook, **deadlines)
                conversation.advance(4.1)
                side = getattr(conversation, role)
                self.assertEqual(side.failure.code, "hook-timeout")
                self.assertIn("4 s", str(side.failure))
                self.assertEqual(hook.cancelled, 1)
                self.assertOver(conversation)

    def test_none(self) -> None:
        """Without any deadline it has all the time there is."""
        hook = Slow()
        conversation = self.asking("1.2", "server", hook, deadlines=Deadlines(handshake=None, hook=None))
        conversation.advance(100_000)
        self.assertHeld(conversation, "server")
        hook.answer()
        conversation.flush()
        self.assertEqual(conversation.server.events[-1], "made")

    def test_theHandshakeGoesOn(self) -> None:
        """The time that the hook took is part of the handshake's: who is silent afterwards is cut off."""
        hook = Slow()
        conversation = self.asking("1.2", "client", hook, deadlines=Deadlines(handshake=6))
        conversation.advance(4)
        hook.answer()
        conversation.clock.advance(1.9)
        self.assertEqual(conversation.client.failures, [])
        conversation.clock.advance(0.2)
        conversation.flush()
        self.assertEqual(conversation.client.failure.code, "handshake-timeout")

    def test_aLateAnswer(self) -> None:
        """An answer after the end does nothing, also of a Deferred that does not let itself be cancelled."""
        for version, role in everywhere():
            stubborn = Deferred[bool](lambda _: None)
            conversation = self.asking(version, role, Asked(stubborn))
            conversation.advance(5.1)
            self.assertEqual(getattr(conversation, role).failure.code, "hook-timeout")
            self.assertTrue(stubborn.called)
            late = Deferred[bool](lambda answer: answer.callback(True))
            conversation = self.asking(version, role, Asked(late))
            conversation.advance(5.1)
            self.assertEqual(getattr(conversation, role).failure.code, "hook-timeout")
            self.assertOver(conversation)

    def test_aCancelThatRaises(self) -> None:
        """A hook that fails when it is cancelled is in the log, and keeps nobody from the end."""

        def broken(_: object) -> None:
            raise ZeroDivisionError

        for version, role in everywhere():
            conversation = self.asking(version, role, Asked(Deferred[bool](broken)))
            connecting = conversation.client.transport.whenAccepted()
            conversation.advance(5.1)
            self.assertEqual(getattr(conversation, role).failure.code, "hook-timeout")
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
            self.assertOver(conversation)
            self.failureResultOf(connecting)
            conversation = self.asking(version, role, Asked(Deferred[bool](broken)))
            connecting = conversation.client.transport.whenAccepted()
            conversation.link.cut()
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
            self.failureResultOf(connecting)
            # Strangers can have it cancelled often, and each traceback is long.
            conversation = self.asking(version, role, Asked(Deferred[bool](broken)))
            while getattr(conversation, role).factory.hookTracebacks.allows():
                pass
            conversation.link.cut()
            self.assertEqual(self.flushLoggedErrors(ZeroDivisionError), [])


class Ends(WaitingCase):
    """The connection ends while the hook is asked."""

    def test_lost(self) -> None:
        """TCP is lost: the Deferred is cancelled, the failure is that of the connection."""
        for version, role in everywhere():
            hook = Slow()
            conversation = self.asking(version, role, hook)
            connecting = conversation.client.transport.whenAccepted()
            conversation.link.cut()
            self.assertEqual(hook.cancelled, 1)
            self.assertEqual(getattr(conversation, role).failure.code, "reset")
            self.failureResultOf(connecting)
            self.assertOver(conversation)

    def test_streamEnded(self) -> None:
        """The peer's stream ends, where TCP tells of it: nothing leaves, and the Deferred is cancelled."""
        for version, role in everywhere():
            hook = Slow()
            conversation = self.asking(version, role, hook, deadlines=Deadlines(handshake=None, acceptance=8))
            getattr(conversation, role).transport.readConnectionLost()
            self.assertEqual((hook.cancelled, getattr(conversation.link, role).written), (1, b""))
            conversation.link.flush()
            conversation.advance(1.1)
            self.assertEqual(getattr(conversation, role).failure.code, "closed-in-handshake")
            self.assertOver(conversation)

    def test_aborted(self) -> None:
        """Whoever ends the connection, by whatever name, cancels the Deferred."""
        for version, role in everywhere():
            for end in ("abortConnection", "loseConnection", "stopProducing"):
                hook = Slow()
                conversation = self.asking(version, role, hook)
                connecting = conversation.client.connect().addErrback(lambda reason: reason)
                getattr(getattr(conversation, role).transport, end)()
                self.assertEqual(hook.cancelled, 1)
                conversation.flush()
                self.assertOver(conversation)
                self.assertNotIn("built", getattr(conversation, role).events)
                self.successResultOf(connecting)

    def test_connectCancelled(self) -> None:
        """Who cancels connect() cancels the hook's Deferred with it."""
        for version in VERSIONS:
            hook = Slow()
            conversation = self.asking(version, "client", hook)
            connecting = conversation.client.transport.whenAccepted()
            connecting.cancel()
            self.assertEqual(hook.cancelled, 1)
            conversation.flush()
            self.failureResultOf(connecting)
            self.assertOver(conversation)

    def test_aHookThatEndsIt(self) -> None:
        """A hook that ends the connection itself has ended it, whatever it answers."""
        for version, role in everywhere():
            for end in ("abortConnection", "loseConnection"):
                for answer in (True, False, succeed(True), Deferred()):
                    sides: dict[str, Side] = {}

                    def hook(_: object, sides: Any = sides, role: str = role, end: str = end, it: Any = answer) -> Any:
                        getattr(sides[role].transport, end)()
                        return it

                    conversation = self.conversation(version, **{role: {"hook": hook}})
                    sides.update(client=conversation.client, server=conversation.server)
                    conversation.flush()
                    conversation.advance(12)
                    self.assertOver(conversation)
                    self.assertNotIn("built", sides[role].events)
                    self.assertNotIn("built", sides["server"].events)

    def test_anAnswerThatEndsIt(self) -> None:
        """A hook that ends the connection when it is about to accept has ended it."""

        def end(answer: bool, asked: list[Conversation], role: str) -> bool:
            getattr(asked[0], role).transport.abortConnection()
            return answer

        for version, role in everywhere():
            asked: list[Conversation] = []
            answer = Deferred[bool]().addCallback(end, asked, role)
            asked.append(self.asking(version, role, Asked(answer)))
            answer.callback(True)
            asked[0].flush()
            self.assertNotIn("built", getattr(asked[0], role).events)
            self.assertOver(*asked)


class Crowd(ConversationCase):
    """Many at once."""

    def test_others(self) -> None:
        """While a hook leaves a hundred hanging, a hundred others come in, and the hundred are refused in time."""
        clock, count = Clock(), 100
        waiting: list[Deferred[bool]] = []

        def hook(question: Any) -> Any:
            if question.peer.commonName == "slow":
                waiting.append(Deferred())
                return waiting[-1]
            return True

        server = Side(serverConfiguration(hook=hook, deadlines=Deadlines(hook=5)), Recorder, clock)
        server.factory.forget(server.transport)
        slow = clientConfiguration(credential=AUTHORITY.issue("slow", role="client"), deadlines=PATIENT)
        quick = clientConfiguration(deadlines=PATIENT)
        conversations = []
        for number in range(2 * count):
            client = Side(slow if number % 2 else quick, Recorder, clock)
            transport = server.factory.buildProtocol(None)
            conversation = Conversation(client, transport, clock)
            conversation.link.flush()
            conversations.append(conversation)
        self.assertEqual(len(waiting), count)
        self.assertEqual(server.events.count("made"), count)
        clock.advance(5.1)
        for conversation in conversations:
            conversation.link.flush()
        self.assertEqual([each.code for each in server.failures if each], ["hook-timeout"] * count)
        self.assertEqual(len(server.factory.connections), count)
        for conversation in conversations:
            conversation.link.cut()
        self.assertEqual((server.factory.connections, clock.getDelayedCalls()), (set(), []))


class Aborted(WaitingCase):
    def test_reason(self) -> None:
        """A connect() that the service's end has broken off says so."""
        hook = Slow()
        conversation = self.asking("1.3", "client", hook)
        connecting = conversation.client.transport.whenAccepted()
        conversation.client.transport.loseConnection()
        conversation.flush()
        self.failureResultOf(connecting, ConnectionAborted)
