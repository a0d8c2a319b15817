"""The supervisor's logic: which workers are started, replaced and ended, and when. No process is started here."""

import json
import os
import signal
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.processes._connectionnumbers import SharedNumbers, newNumbersFile
from tlscomm.processes._workerchannel import LONGEST_MESSAGE, NoAnswer, RefusedRequest, WorkerChannel
from tlscomm.processes._workerlog import LinesOfWorker
from tlscomm.processes._workerprocess import WorkerProcess, WorkerState
from tlscomm.processes._workers import Workers
from tlscomm.server._person import Person


class Channel:
    """A channel to a process that answers as the test wants it."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.asked: list[tuple[str, dict[str, Any], Deferred[Any]]] = []
        self.answers: dict[str, Any] = {"alive": True}

    def tell(self, notice: str, **facts: Any) -> None:
        self.told.append(notice)

    def ask(self, request: str, seconds: float, **facts: Any) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        self.asked.append((request, facts, answer))
        given = self.answers.get(request)
        if isinstance(given, Exception):
            answer.errback(given)
        elif given is not None:
            answer.callback(given)
        return answer


class Case(SynchronousTestCase):
    """Workers whose processes are in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.launched: list[WorkerProcess] = []
        self.channels: list[Channel] = []
        self.signals: list[tuple[int, signal.Signals]] = []
        self.served: list[int] = []
        self.failed: list[str] = []
        self.workers = Workers(
            self.clock,
            2,
            self.launch,
            passOn=lambda line: None,
            serving=lambda worker: self.served.append(worker.serial),
            failed=self.failed.append,
            drainSeconds=10.0,
            jitter=lambda: 1.0,
        )

    def launch(self, worker: WorkerProcess) -> None:
        channel: Any = Channel()
        self.launched.append(worker)
        self.channels.append(channel)
        worker.launched(1000 + worker.serial, channel, lambda number: self.signals.append((worker.serial, number)))

    def start(self) -> None:
        self.workers.start()
        for worker in self.launched:
            worker.told("ready", {})


class Starting(Case):
    """The start of workers, and of those that take others' place."""

    def test_asManyAsWanted(self) -> None:
        """As many processes are started as there are to be workers, and each is told of when it takes connections."""
        self.start()
        self.assertEqual([each.number for each in self.launched], [1, 2])
        self.assertEqual(self.served, [1, 2])

    def test_killed(self) -> None:
        """A worker that has served and is killed is replaced at once, and the others are left alone."""
        self.start()
        self.launched[0].ended(None, signal.SIGKILL)
        self.clock.advance(0)
        self.assertEqual([each.number for each in self.launched], [1, 2, 1])
        self.assertEqual(self.channels[1].told, [])
        self.assertEqual(self.launched[0].ending, "was ended by SIGKILL")

    def test_pauses(self) -> None:
        """A worker that dies again and again is started after pauses that double, up to half a minute."""
        self.start()
        pauses = []
        for _ in range(10):
            count = len(self.launched)
            self.launched[-1].told("ready", {})
            self.launched[-1].ended(1, None)
            pauses.append(0.0)
            self.clock.advance(0)
            while len(self.launched) == count:
                self.clock.advance(0.5)
                pauses[-1] += 0.5
        self.assertEqual(pauses, [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0])

    def test_settled(self) -> None:
        """A worker that has lived a while is replaced at once, however many have died before."""
        self.start()
        for _ in range(3):
            self.launched[-1].told("ready", {})
            self.clock.advance(6)
            self.launched[-1].ended(None, signal.SIGSEGV)
            count = len(self.launched)
            self.clock.advance(0)
            self.assertEqual(len(self.launched), count + 1)

    def test_neverServed(self) -> None:
        """Where no worker has ever served and one has died three times, the start has failed, with its message."""
        self.workers.start()
        for _ in range(3):
            worker = [each for each in self.launched if each.number == 1][-1]
            worker.told("failed", {"message": "credential-not-found: no file\nNext step: name one"})
            worker.ended(1, None)
            self.clock.advance(2)
        self.assertEqual(self.failed, ["credential-not-found: no file\nNext step: name one"])

    def test_lastLines(self) -> None:
        """Of a worker that dies without a message, what it wrote last on standard error is said."""
        self.workers.start()
        for _ in range(3):
            worker = [each for each in self.launched if each.number == 1][-1]
            worker.output.received(2, b"Fatal Python error: \xff\n")
            worker.ended(None, signal.SIGABRT)
            self.clock.advance(2)
        self.assertIn("was ended by SIGABRT before it could serve:\n  Fatal Python error: ", self.failed[0])

    def test_othersServe(self) -> None:
        """Where another worker serves, one that cannot start is tried again, and the server goes on."""
        self.workers.start()
        self.launched[0].told("ready", {})
        for _ in range(5):
            worker = [each for each in self.launched if each.number == 2][-1]
            worker.ended(1, None)
            self.clock.advance(31)
        self.assertEqual(self.failed, [])
        self.assertEqual([each.number for each in self.workers], [1])
        self.assertEqual(self.workers.slots[1].restarts, 5)

    def test_toldBySignal(self) -> None:
        """A worker that ends because of a signal of its own is replaced at once, however long its connections take."""
        self.start()
        self.launched[0].told("leaving", {})
        self.assertEqual([each.number for each in self.launched], [1, 2, 1])
        self.launched[2].told("ready", {})
        self.launched[0].ended(0, None)
        self.clock.advance(10)
        self.assertEqual((len(self.launched), [each.serial for each in self.workers]), (3, [2, 3]))

    def test_tooLateToStart(self) -> None:
        """A process that does not serve within a minute is killed."""
        self.workers.start()
        self.launched[0].told("ready", {})
        self.clock.advance(61)
        self.assertEqual(self.signals, [(2, signal.SIGKILL)])


class Silent(Case):
    """Workers that do not answer."""

    def test_killed(self) -> None:
        """A worker that has left six questions in a row unanswered is killed, to be replaced."""
        self.start()
        self.channels[0].answers["alive"] = NoAnswer("no answer")
        self.clock.pump([5] * 5)
        self.assertEqual((self.launched[0].unanswered, self.signals), (5, []))
        self.clock.advance(5)
        self.assertEqual(self.signals, [(1, signal.SIGKILL)])

    def test_answersAgain(self) -> None:
        """An answer ends the count of unanswered questions."""
        self.start()
        self.channels[0].answers["alive"] = NoAnswer("no answer")
        self.clock.pump([5] * 5)
        self.channels[0].answers["alive"] = True
        self.clock.pump([5] * 5)
        self.assertEqual((self.launched[0].unanswered, self.signals), (0, []))

    def test_channelEnded(self) -> None:
        """A process whose channel has ended is killed, because it cannot be supervised."""
        self.start()
        self.launched[0].channelEnded()
        self.assertEqual(self.signals, [(1, signal.SIGKILL)])

    def test_saidWhy(self) -> None:
        """A process that has said why it cannot serve is left to end by itself, with its own exit status."""
        self.workers.start()
        self.launched[0].told("failed", {"message": "no identity"})
        self.launched[0].channelEnded()
        self.assertEqual(self.signals, [])


class Replacing(Case):
    """New processes in the place of all, without a moment in which fewer serve."""

    def test_oneAfterTheOther(self) -> None:
        """A new process serves before the one that it replaces is told to end, and then it is the next one's turn."""
        self.start()
        replacing = ensureDeferred(self.workers.replaceAll())
        self.assertEqual((len(self.launched), self.channels[0].told), (3, []))
        self.launched[2].told("ready", {})
        self.assertEqual((len(self.launched), self.channels[0].told, self.channels[1].told), (4, ["drain"], []))
        self.launched[3].told("ready", {})
        self.assertEqual(self.successResultOf(replacing), ())
        for worker in self.launched[:2]:
            worker.ended(0, None)
        self.assertEqual([each.serial for each in self.workers], [3, 4])
        self.assertEqual([slot.restarts for slot in self.workers.slots], [0, 0])

    def test_newOneFails(self) -> None:
        """Where a new process cannot serve, the former ones stay."""
        self.start()
        replacing = ensureDeferred(self.workers.replaceAll())
        self.launched[2].ended(1, None)
        self.assertEqual(self.successResultOf(replacing), (1, 2))
        self.assertEqual([each.serial for each in self.workers], [1, 2])
        self.assertEqual(self.channels[0].told, [])

    def test_formerDiesMeanwhile(self) -> None:
        """Where the former process dies before its successor serves, no third one is started for it."""
        self.start()
        ensureDeferred(self.workers.replaceAll())
        self.launched[0].ended(None, signal.SIGKILL)
        self.clock.advance(1)
        self.launched[2].told("ready", {})
        self.assertEqual(sorted(each.number for each in self.workers.processes if each.serial != 2), [1, 2])

    def test_whileStarting(self) -> None:
        """Workers that are starting, and those before which a pause is made, have to serve before all were replaced."""
        self.start()
        self.launched[1].ended(None, signal.SIGKILL)
        self.clock.advance(0)
        self.launched[2].ended(1, None)
        replacing = ensureDeferred(self.workers.replaceAll())
        self.launched[3].told("ready", {})
        self.assertNoResult(replacing)
        self.assertEqual([each.number for each in self.launched], [1, 2, 2, 1, 2])
        self.launched[4].told("ready", {})
        self.assertEqual(self.successResultOf(replacing), ())

    def test_startingFails(self) -> None:
        """Where a worker that is starting cannot serve, those that were not replaced are named."""
        self.workers.start()
        replacing = ensureDeferred(self.workers.replaceAll())
        self.launched[0].ended(1, None)
        self.assertEqual(self.successResultOf(replacing), (1, 2))

    def test_saysWhy(self) -> None:
        """A worker that has said why it cannot serve is told of with that, in one line, until one serves again."""
        self.start()
        self.launched[0].ended(None, signal.SIGKILL)
        self.clock.advance(0)
        self.launched[2].told("failed", {"message": "no key\nNext step: name one"})
        with capturedLogs() as logs:
            self.launched[2].ended(None, signal.SIGKILL)
        said = "".join(map(str, map(formatEvent, logs)))
        self.assertIn("cannot serve", said)
        self.assertNotIn("SIGKILL", said)
        self.assertEqual(self.workers.slots[0].problem, "no key Next step: name one")
        self.clock.advance(1)
        self.launched[3].told("ready", {})
        self.assertEqual(self.workers.slots[0].problem, "")


class Stopping(Case):
    """The end of all."""

    def test_inOrder(self) -> None:
        """All are told to end at once, and it was in order where each of them ends with exit status 0."""
        self.start()
        stopping = self.workers.stop()
        self.assertEqual([each.told for each in self.channels], [["drain"], ["drain"]])
        self.launched[0].ended(0, None)
        self.assertNoResult(stopping)
        self.launched[1].ended(0, None)
        self.assertEqual(self.successResultOf(stopping), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_tooLate(self) -> None:
        """One that takes longer than the drain may is killed, and it was not in order."""
        self.start()
        stopping = self.workers.stop()
        self.launched[0].ended(0, None)
        self.clock.advance(16)
        self.assertEqual(self.signals, [(2, signal.SIGKILL)])
        self.launched[1].ended(None, signal.SIGKILL)
        self.assertEqual(self.successResultOf(stopping), 1)

    def test_whileStarting(self) -> None:
        """Workers that have not served yet, and pauses before others, end as well."""
        self.workers.start()
        self.launched[0].ended(1, None)
        stopping = self.workers.stop()
        self.launched[1].ended(0, None)
        self.assertEqual(self.successResultOf(stopping), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertIs(self.launched[1].state, WorkerState.ENDED)


class User:
    """Uses an end of a channel."""

    def __init__(self) -> None:
        self.notices: list[tuple[str, dict[str, Any]]] = []
        self.hasEnded = False

    def told(self, notice: str, facts: dict[str, Any]) -> None:
        self.notices.append((notice, facts))

    def asked(self, request: str, facts: dict[str, Any]) -> Any:
        if request == "no":
            raise RefusedRequest("I cannot")
        return {request: facts}

    def channelEnded(self) -> None:
        self.hasEnded = True


class Talking(SynchronousTestCase):
    """The channel between two processes."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.users = [User(), User()]
        self.ends = [WorkerChannel(self.clock, user) for user in self.users]
        self.transports = [StringTransport(), StringTransport()]
        for end, transport in zip(self.ends, self.transports, strict=True):
            end.makeConnection(transport)

    def pump(self) -> None:
        for _ in range(2):
            for number, transport in enumerate(self.transports):
                content = transport.value()
                transport.clear()
                self.ends[1 - number].dataReceived(content)

    def test_telling(self) -> None:
        """What one end says is told at the other."""
        self.ends[0].tell("ready", pid=7)
        self.pump()
        self.assertEqual(self.users[1].notices, [("ready", {"pid": 7})])

    def test_asking(self) -> None:
        """A request has an answer, or the reason why there is none."""
        answers = [self.ends[0].ask("yes", 5, what=[1]), self.ends[0].ask("no", 5)]
        self.pump()
        self.assertEqual(self.successResultOf(answers[0]), {"yes": {"what": [1]}})
        self.assertEqual(str(self.failureResultOf(answers[1], RefusedRequest).value), "I cannot")

    def test_late(self) -> None:
        """An answer that does not come in time has failed, and what comes later changes nothing."""
        answer = self.ends[0].ask("yes", 5)
        self.clock.advance(5)
        self.failureResultOf(answer, NoAnswer)
        self.pump()

    def test_ended(self) -> None:
        """When the other process has gone, no request waits for it."""
        answer = self.ends[0].ask("yes", 5)
        self.ends[0].connectionLost()
        self.failureResultOf(answer, NoAnswer)
        self.assertTrue(self.users[0].hasEnded)
        self.failureResultOf(self.ends[0].ask("yes", 5), NoAnswer)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_tooLong(self) -> None:
        """An answer that is longer than a message may be is refused, and the channel stays."""
        self.users[1].asked = lambda request, facts: "x" * LONGEST_MESSAGE  # type: ignore[method-assign]
        answer = self.ends[0].ask("page", 5)
        self.pump()
        self.failureResultOf(answer, RefusedRequest)
        self.assertFalse(self.users[0].hasEnded)

    def test_nonsense(self) -> None:
        """What is no message, or larger than a message may be, ends the channel."""
        for content in (b"\0\0\0\2{}", b"\0\0\0\1x", b"\0\0\0\2[]", b"\xff\xff\xff\xff", b"\0\0\0\4null"):
            end = WorkerChannel(self.clock, User())
            transport = StringTransport()
            end.makeConnection(transport)
            end.dataReceived(content)
            self.assertTrue(transport.disconnecting or transport.disconnected, content)


class Numbers(SynchronousTestCase):
    """The numbers of connections of several processes."""

    def test_unique(self) -> None:
        """No two connections of any workers have the same number, one that took another's place included."""
        with newNumbersFile() as shared:
            first, second = (SharedNumbers(shared.fileno()) for _ in range(2))
            numbers = [next(first) for _ in range(1500)] + [next(second) for _ in range(1500)]
            numbers += [next(SharedNumbers(shared.fileno()))]
        self.assertEqual(len(set(numbers)), 3001)
        self.assertEqual((numbers[0], numbers[:1500]), (1, sorted(numbers[:1500])))


class Secrets(SynchronousTestCase):
    """Pass phrases that a person has said to one process."""

    def test_handedOver(self) -> None:
        """A pass phrase out of a pipe is known to another process, which neither reads nor asks for anything itself."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.write(writing, b"secret\n")
        os.close(writing)
        first = Person()
        self.assertEqual(first.pipe(reading)("a.key"), b"secret")
        second = Person(json.loads(json.dumps(first.said)))
        self.assertEqual(second.pipe(reading)("a.key"), b"secret")
        self.assertEqual((second.ask("b.key"), second.pipe(reading + 1000)("b.key")), (None, None))


class Output(SynchronousTestCase):
    """What workers write."""

    def test_lines(self) -> None:
        """Lines are passed on as they are, however they were cut."""
        lines: list[bytes] = []
        pipe = LinesOfWorker(lines.append)
        for piece in (b"a", b"b\nc\n\n", b"d"):
            pipe.received(piece)
        self.assertEqual(lines, [b"ab", b"c", b""])
        pipe.ended()
        self.assertEqual(lines[-1], b"d")

    def test_endless(self) -> None:
        """Of a line that is too long nothing is kept, and the next one is passed on."""
        lines: list[bytes] = []
        pipe = LinesOfWorker(lines.append)
        for _ in range(20):
            pipe.received(bytes(100_000))
        pipe.received(b"end\nnext\n")
        self.assertEqual(lines, [b"next"])
