"""The supervisor of several processes as a service: its phases, what it is told, and how it ends, all in memory."""

import os
import signal
import socket
from typing import Any

from test_workers import Channel
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.processes._supervisor import Supervisor
from tlscomm.processes._workerprocess import WorkerProcess
from tlscomm.serving._phases import ServerPhase
from tlscomm.serving._ports import CannotListen
from tlscomm.serving._sockets import ListeningSockets
from tlscomm.watching._reloadresult import ReloadResult


class Observer:
    """Is told what becomes of the server."""

    def __init__(self) -> None:
        self.phases: list[ServerPhase] = []
        self.reloads: list[ReloadResult] = []
        self.places: list[str | None] = []

    def entered(self, phase: ServerPhase) -> None:
        self.phases.append(phase)

    def reloaded(self, result: ReloadResult) -> None:
        self.reloads.append(result)

    def listening(self, address: str | None) -> None:
        self.places.append(address)

    def flush(self) -> None: ...


class Supervising(SynchronousTestCase):
    """A supervisor of two workers in memory. Its sockets are real."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.observer: Any = Observer()
        self.launched: list[WorkerProcess] = []
        self.channels: list[Any] = []
        self.said: list[str] = []
        self.statuses: list[int] = []
        self.killed: list[int] = []
        self.sockets = ListeningSockets()
        self.addCleanup(self.sockets.close)

    def supervisor(self, *places: str, **more: Any) -> Supervisor:
        made = Supervisor(
            self.clock,
            places or ("tcp:0:interface=127.0.0.1",),
            self.sockets,
            self.launch,
            self.observer,
            count=2,
            passOn=lambda line: None,
            complain=self.said.append,
            endProgram=self.statuses.append,
            **more,
        )
        self.addCleanup(made._signals.release)
        return made

    def launch(self, worker: WorkerProcess) -> None:
        self.launched.append(worker)
        self.channels.append(Channel())
        worker.launched(worker.serial, self.channels[-1], lambda _: self.killed.append(worker.serial))

    def started(self, **more: Any) -> Supervisor:
        made = self.supervisor(**more)
        made.privilegedStartService()
        made.startService()
        for worker in self.launched:
            worker.told("ready", {})
        return made

    def requests(self) -> list[list[str]]:
        return [[request for request, _, _ in channel.asked] for channel in self.channels]

    def test_ready(self) -> None:
        """The server is ready, and says where it listens, when the first worker takes connections."""
        made = self.supervisor()
        made.privilegedStartService()
        made.startService()
        self.assertEqual((made.phase, self.observer.places), (ServerPhase.STARTING, []))
        self.launched[0].told("ready", {})
        port = next(iter(self.sockets)).socket.getsockname()[1]
        self.assertEqual((made.phase, self.observer.places), (ServerPhase.READY, [f"127.0.0.1:{port}"]))
        self.launched[1].told("ready", {})
        self.assertEqual(self.observer.phases, [ServerPhase.READY])

    def test_portInUse(self) -> None:
        """A port that cannot be opened is named, no worker is started, and the other ports are closed again."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            place = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
            made = self.supervisor("tcp:0:interface=127.0.0.1", place)
            self.assertRaises(CannotListen, made.privilegedStartService)
        self.assertEqual((list(self.sockets), self.launched), ([], []))
        self.assertIn(f"cannot listen on {place}: Address already in use", self.said[0])

    def test_neverServed(self) -> None:
        """Where no worker can start, the program ends with exit status 1 and says what the worker said."""
        made = self.supervisor()
        made.startService()
        for _ in range(3):
            worker = [each for each in self.launched if each.number == 1][-1]
            worker.told("failed", {"message": "wrong-passphrase: for a.pfx"})
            worker.ended(1, None)
            self.clock.advance(2)
        self.assertEqual((self.said, self.statuses), (["wrong-passphrase: for a.pfx"], [1]))
        stopping = made.stopService()
        self.launched[1].ended(1, None)
        self.successResultOf(stopping)
        # What ends the program has said its status already.
        self.assertEqual(made.unfinished, 0)

    def test_signals(self) -> None:
        """SIGHUP has all workers read, SIGUSR2 has them write traces, SIGRTMIN starts a new process for the first."""
        self.started()
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(self.requests(), [["prepare"], ["prepare"]])
        os.kill(os.getpid(), signal.SIGUSR2)
        self.assertEqual([channel.told for channel in self.channels], [["logTraces"], ["logTraces"]])
        os.kill(os.getpid(), signal.SIGRTMIN)
        self.assertEqual([each.number for each in self.launched], [1, 2, 1])

    def test_reloading(self) -> None:
        """While workers read, the phase says so, and what came of it is told once."""
        made = self.started()
        made.reload("signal")
        self.assertIs(made.phase, ServerPhase.RELOADING)
        for _ in range(2):
            for channel in self.channels:
                channel.asked[-1][2].callback({"problem": None, "isChange": True, "changed": ["a.pem"]})
        self.assertIs(made.phase, ServerPhase.READY)
        self.assertEqual([(bool(each), each.changed) for each in self.observer.reloads], [(True, ("a.pem",))])

    def test_startedMeanwhile(self) -> None:
        """A worker that starts while others read has all read once more, for it may have read something else."""
        made = self.started()
        self.launched[1].ended(None, signal.SIGKILL)
        self.clock.advance(0)
        made.reload("signal")
        self.launched[2].told("ready", {})
        for _ in range(2):
            self.channels[0].asked[-1][2].callback({"problem": None, "isChange": True})
        self.assertEqual(self.requests(), [["prepare", "commit", "prepare"], [], ["prepare"]])

    def test_halfWritten(self) -> None:
        """What a change of files brings and cannot be used is told when nothing better has come for a while."""
        self.started()
        self.launched[0].told("changed", {})
        for channel in self.channels:
            channel.asked[-1][2].callback({"problem": {"message": "half"}, "isChange": True})
        self.assertEqual(self.observer.reloads, [])
        self.clock.advance(3)
        self.assertEqual([str(each.problem) for each in self.observer.reloads], ["half"])

    def test_mended(self) -> None:
        """A worker that could not start with broken files is started at once when the files have been mended."""
        made = self.started()
        self.launched[1].ended(None, signal.SIGKILL)
        for _ in range(5):
            self.clock.advance(31)
            for channel in self.channels:
                channel.answers["alive"] = {}
            self.launched[-1].ended(1, None)
        count = len(self.launched)
        made.reload("files")
        for _ in range(2):
            self.channels[0].asked[-1][2].callback({"problem": None, "isChange": True})
        self.assertEqual((len(self.launched), self.launched[-1].number), (count + 1, 2))

    def test_changedOften(self) -> None:
        """However often workers say that files have changed while they read, they read once more."""
        self.started()
        for _ in range(100):
            for worker in self.launched:
                worker.told("changed", {})
        for _ in range(6):
            for channel in self.channels:
                if channel.asked and not channel.asked[-1][2].called:
                    channel.asked[-1][2].callback({"problem": None, "isChange": False})
        self.assertEqual(self.requests(), [["prepare", "commit"] * 2] * 2)

    def test_stop(self) -> None:
        """The sockets are closed before the workers are told to end, and the exit status says whether all did."""
        made = self.started()
        stopping = made.stopService()
        self.assertEqual((made.phase, list(self.sockets)), (ServerPhase.DRAINING, []))
        self.launched[0].ended(0, None)
        self.launched[1].ended(3, None)
        self.successResultOf(stopping)
        self.assertEqual((made.phase, made.unfinished), (ServerPhase.STOPPED, 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_drainDelay(self) -> None:
        """For the drain delay workers go on to take connections, and the server is not ready."""
        made = self.started(drainDelay=5.0)
        made.stopService()
        self.assertEqual((made.phase, self.channels[0].told, len(list(self.sockets))), (ServerPhase.DRAINING, [], 1))
        self.clock.advance(5)
        self.assertEqual((self.channels[0].told, list(self.sockets)), (["drain"], []))

    def test_secondSignal(self) -> None:
        """A second signal has workers end at once, and kills those that do not."""
        made = self.started(drainDelay=5.0)
        stopping = made.stopService()
        made._hurry()
        self.assertEqual(self.channels[0].told, ["drain", "hurry"])
        made._hurry()
        self.clock.advance(2)
        self.assertEqual(self.killed, [1, 2])
        for worker in self.launched:
            worker.ended(None, signal.SIGKILL)
        self.successResultOf(stopping)
        self.assertEqual(made.unfinished, 2)
