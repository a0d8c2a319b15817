"""What several workers have in common: a configuration that all take or none does, numbers, status, readiness."""

from typing import Any

from test_workers import Case

from tlscomm.operation._counts import Counts
from tlscomm.processes._commonoperation import CommonNumbers, CommonReadiness, CommonStatus
from tlscomm.processes._commonreload import CommonReload
from tlscomm.processes._workerchannel import NoAnswer
from tlscomm.serving._phases import ServerPhase
from tlscomm.transport._eventlog import EventLog
from tlscomm.watching._reloadresult import ReloadResult

PROBLEM = {"message": "unknown-format: no PEM", "code": "unknown-format", "nextStep": "Name a certificate."}


class Reloading(Case):
    """Two workers that read their configuration again."""

    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.results: list[ReloadResult] = []
        self.reload = CommonReload(self.clock, self.workers.__iter__, self.results.append)

    def asked(self) -> list[list[str]]:
        return [[request for request, _, _ in channel.asked] for channel in self.channels]

    def answer(self, number: int, problem: Any = None, **facts: Any) -> None:
        answer = {"problem": problem, "isChange": True, "isPartial": False, "changed": ["a.pem"], **facts}
        self.channels[number].asked[-1][2].callback(answer)

    def test_allTake(self) -> None:
        """Nothing is used before all workers are ready to use it, and then all use it."""
        self.reload.begin("signal")
        self.answer(0)
        self.assertEqual(self.asked(), [["prepare"], ["prepare"]])
        self.answer(1)
        self.assertEqual(self.asked(), [["prepare", "commit"], ["prepare", "commit"]])
        self.answer(0)
        self.answer(1)
        self.assertEqual([(each.isTaken, each.trigger) for each in self.results], [(True, "signal")])

    def test_oneRefuses(self) -> None:
        """Where one worker cannot use what it has read, none does, and it is said once what is wrong."""
        self.reload.begin("signal")
        self.answer(0)
        self.answer(1, PROBLEM)
        self.assertEqual(self.asked(), [["prepare", "abort"], ["prepare", "abort"]])
        problem: Any = self.results[0].problem
        self.assertEqual(
            (str(problem), problem.code, problem.nextStep),
            ("unknown-format: no PEM", "unknown-format", "Name a certificate."),
        )
        self.assertEqual(self.signals, [])

    def test_oneIsSilent(self) -> None:
        """Where one worker does not answer, none uses anything, and the problem names the worker."""
        self.reload.begin("signal")
        self.answer(0)
        self.channels[1].asked[-1][2].errback(NoAnswer("no answer within 15 s"))
        self.assertEqual(str(self.results[0].problem), "worker 2 (pid 1002): no answer within 15 s")

    def test_oneDoesNotTake(self) -> None:
        """A worker that does not use what it was ready to use is killed: another one reads what the others have."""
        self.reload.begin("signal")
        self.answer(0)
        self.answer(1)
        self.answer(0)
        self.answer(1, PROBLEM)
        self.assertEqual((self.results[0].isTaken, [serial for serial, _ in self.signals]), (True, [2]))

    def test_again(self) -> None:
        """What is asked for while files are read is one more reading, after it, however often it is asked for."""
        first = self.reload.begin("signal")
        others = [self.reload.begin("files") for _ in range(3)]
        for _ in range(4):
            self.answer(0)
            self.answer(1)
        self.assertEqual([each.trigger for each in self.results], ["signal", "files"])
        for each in (first, *others):
            self.assertTrue(self.successResultOf(each))
        self.assertEqual(self.reload.generation, 2)

    def test_nothingChanged(self) -> None:
        """That nothing has changed after all is not told."""
        self.reload.begin("files")
        for _ in range(2):
            self.answer(0, isChange=False)
            self.answer(1, isChange=False)
        self.assertEqual(self.results, [])

    def test_workerStarted(self) -> None:
        """That all read again because a worker has started is told only where something has changed, as of files."""
        for changed in ([], ["a.pem"]):
            self.reload.begin("worker")
            for _ in range(2):
                self.answer(0, changed=changed)
                self.answer(1, changed=changed)
        self.assertEqual([(each.trigger, each.changed) for each in self.results], [("files", ("a.pem",))])

    def test_listsCountByThemselves(self) -> None:
        """A revocation list that cannot be used keeps no other from being used, and no worker is replaced for it."""
        self.reload.begin("files")
        self.answer(0)
        self.answer(1)
        self.answer(0, PROBLEM, isPartial=True)
        self.answer(1, PROBLEM, isPartial=True)
        self.assertEqual(([each.isPartial for each in self.results], self.signals), ([True], []))

    def test_noWorker(self) -> None:
        """Without a worker that takes connections, nothing is read, and the result says so."""
        for worker in list(self.workers):
            worker.ended(1, None)
        result = self.successResultOf(self.reload.begin("signal"))
        self.assertEqual(str(result.problem), "no worker takes connections")


class Watching(Case):
    """What an operator sees of two workers."""

    def setUp(self) -> None:
        super().setUp()
        self.numbers = CommonNumbers(self.clock, lambda: self.workers)
        self.workers._counted = self.numbers.counted
        self.workers._ended = self.numbers.ended
        self.start()

    def counts(self, handshakes: int) -> dict[str, Any]:
        counts = Counts()
        counts.add("tlscomm_connections_closed_total", ("in-order", ""), handshakes)
        counts.set("tlscomm_queue_bytes", (), handshakes)
        return counts.toJSON()

    def gather(self) -> tuple[float, float]:
        found = self.successResultOf(self.numbers.gather())
        return found.value("tlscomm_connections_closed_total", ("in-order", "")), found.value("tlscomm_queue_bytes")

    def test_sum(self) -> None:
        """The numbers of all workers are added up."""
        for number, channel in enumerate(self.channels, 1):
            channel.answers["counts"] = self.counts(number)
        self.assertEqual(self.gather(), (3, 3))

    def test_neverBack(self) -> None:
        """What a worker has counted stays when it has ended; what was only its state goes with it."""
        self.channels[0].answers["counts"] = self.counts(5)
        self.channels[1].answers["counts"] = self.counts(7)
        self.gather()
        self.launched[0].ended(None, 9)
        self.assertEqual(self.gather(), (12, 7))
        self.launched[1].asked("ended", {"counts": self.counts(8)})
        self.launched[1].ended(0, None)
        self.assertEqual(self.gather(), (13, 0))
        counts = self.successResultOf(self.numbers.gather())
        self.assertEqual(counts.value("tlscomm_worker_restarts_total"), 2)

    def test_silent(self) -> None:
        """Of a worker that does not answer, or answers nonsense, what it said last counts."""
        self.channels[0].answers["counts"] = self.counts(5)
        self.channels[1].answers["counts"] = self.counts(7)
        self.gather()
        self.channels[0].answers["counts"] = NoAnswer("no answer")
        for nonsense in ("x", {"numbers": []}, {"numbers": {"tlscomm_queue_bytes": 3}, "histograms": {}}, [], {}):
            self.channels[1].answers["counts"] = nonsense
            self.assertEqual(self.gather()[0], 12, nonsense)

    def test_readiness(self) -> None:
        """The server is ready while one worker takes connections and has nothing against it."""
        readiness = CommonReadiness(lambda: self.workers)
        self.assertFalse(readiness.toJSON()["ready"])
        readiness.entered(ServerPhase.READY)
        self.launched[0].life = {"reasons": ["the identity has expired"]}
        self.assertTrue(readiness.toJSON()["ready"])
        self.launched[1].ended(1, None)
        self.assertEqual(readiness.toJSON()["reasons"], ["the identity has expired"])
        self.launched[0].ended(1, None)
        self.assertEqual(readiness.toJSON()["reasons"], ["no worker takes connections"])
        readiness.entered(ServerPhase.DRAINING)
        self.assertEqual(readiness.toJSON()["reasons"], ["the server is draining"])

    def test_status(self) -> None:
        """The status has a line for each worker, that of one that has died says why, and no worker is waited for."""
        log = EventLog(lambda event: None, self.clock)
        status = CommonStatus(self.clock, log, lambda: self.workers, dict)
        self.launched[1].ended(None, 9)
        self.channels[0].answers["status"] = NoAnswer("no answer")
        snapshot = status.snapshot()
        self.clock.pump([0.01] * 5)
        told = self.successResultOf(snapshot)
        self.assertEqual(
            [(each["worker"], each["phase"], each["restarts"], each["problem"]) for each in told["workers"]],
            [(1, "silent", 0, None), (2, "starting", 1, "was ended by SIGKILL")],
        )
