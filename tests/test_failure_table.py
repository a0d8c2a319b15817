"""Both sides name every failure as the table says, and no protocol hears of a connection that was refused."""

from __future__ import annotations

import json
from collections.abc import Callable

from failuretable import CONNECT_ROWS, ROWS, VERSIONS, ConnectRow, Row, Stage, Verdict
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tlscomm.configuration import Version
from tlscomm.endpoints import TLSClientEndpoint
from tlscomm.failures import CODES, Alert, TLSFailure
from tlscomm.testing import Recorder, Side


class Table(SynchronousTestCase):
    """One test for each row and version; they are added below."""

    def play(self, row: Row, version: Version) -> None:
        pair = row.scene(Stage(version))
        pair.flush()
        row.ending(pair)
        for (played, role), verdict in row.verdicts.items():
            if played == version:
                self.assertVerdict(row, pair.client if role == "client" else pair.server, verdict)

    def assertVerdict(self, row: Row, side: Side, verdict: Verdict) -> None:
        failure = side.failure
        assert failure is not None, "it names no failure"
        self.assertEqual((failure.code, failure.side), (verdict.code, verdict.side), repr((failure, failure.evidence)))
        direction = "sent" if verdict.side == "local" else "received"
        self.assertEqual(failure.alert, None if verdict.alert is None else Alert(verdict.alert, direction))
        self.assertIn(verdict.says, failure.message)
        self.assertIsNotNone(failure.peer)
        if row.depth is not None and verdict.side == "local":
            self.assertEqual(failure.depth, row.depth)
        self.assertUseful(failure)
        self.assertEqual(side.isAccepted, row.group == "After acceptance")
        self.assertEqual(side.protocol is not None, side.isAccepted)

    def assertUseful(self, failure: TLSFailure) -> None:
        said = json.dumps(failure.toJSON(), ensure_ascii=False)
        self.assertTrue(said.isprintable() and str(failure).isprintable() and repr(failure).isprintable(), said)
        self.assertTrue(failure.nextStep)


def _played(row: Row, version: Version) -> Callable[[Table], None]:
    return lambda self: self.play(row, version)


for _row in ROWS:
    for _version in VERSIONS:
        if any(version == _version for version, _ in _row.verdicts):
            setattr(Table, f"test_{_row.case} ({_version})", _played(_row, _version))


@implementer(IStreamClientEndpoint)
class FailingEndpoint:
    """An endpoint that makes no connection."""

    def __init__(self, problem: Exception) -> None:
        self.problem = problem

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        return fail(self.problem)


class ConnectionsThatCannotBeMade(SynchronousTestCase):
    def assertNamed(self, row: ConnectRow) -> None:
        endpoint = TLSClientEndpoint(Clock(), FailingEndpoint(row.problem), Stage("1.3").client())
        failure = self.failureResultOf(endpoint.connect(Factory.forProtocol(Recorder)), TLSFailure).value
        self.assertEqual((failure.code, failure.stage), ("connect-failed", "connect"))
        self.assertIn(row.says, failure.message)

    def test_eachIsNamed(self) -> None:
        for row in CONNECT_ROWS:
            self.assertNamed(row)


class TheTable(SynchronousTestCase):
    def test_everyCodeIsOnTheList(self) -> None:
        self.assertLessEqual({verdict.code for row in ROWS for verdict in row.verdicts.values()}, set(CODES))

    def test_noTwoRowsAreTheSame(self) -> None:
        self.assertEqual(len({row.case for row in ROWS}), len(ROWS))

    def test_aLocalVerdictSendsWhatARemoteOneReceives(self) -> None:
        for row in ROWS:
            for version in VERSIONS:
                alerts = {verdict.alert for (played, _), verdict in row.verdicts.items() if played == version}
                self.assertLessEqual(len(alerts), 1, row.case)
