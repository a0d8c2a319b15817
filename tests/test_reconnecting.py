"""A service that stays connected gives up exactly where trying again cannot help."""

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tlscomm.endpoints import TLSClientService
from tlscomm.failures import ConnectFailed, Expired, TLSFailure


@implementer(IStreamClientEndpoint)
class _Failing:
    """An endpoint that fails as it is told."""

    def __init__(self, *failures: BaseException) -> None:
        self.failures = list(failures)
        self.attempts = 0

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        self.attempts += 1
        return fail(self.failures.pop(0)) if self.failures else Deferred()


class Reconnecting(SynchronousTestCase):
    def start(self, *failures: BaseException) -> tuple[TLSClientService, _Failing, Clock]:
        clock, endpoint = Clock(), _Failing(*failures)
        service = TLSClientService(endpoint, Factory.forProtocol(Protocol), clock=clock, retryPolicy=lambda _: 1.0)
        self.givenUp: list[TLSFailure] = []
        service.whenGivenUp().addCallback(self.givenUp.append)
        service.startService()
        self.addCleanup(service.stopService)
        clock.pump([1.0] * 5)
        return service, endpoint, clock

    def test_whatMayPassIsTriedAgain(self) -> None:
        service, endpoint, _ = self.start(ConnectFailed(), ConnectFailed())
        self.assertEqual((endpoint.attempts, self.givenUp, service.failure), (3, [], None))
        self.assertTrue(service.running)

    def test_whatIsPermanentIsNot(self) -> None:
        service, endpoint, clock = self.start(ConnectFailed(), Expired(side="remote"), ConnectFailed())
        self.assertEqual((endpoint.attempts, self.givenUp), (2, [Expired()]))
        self.assertFalse(service.running)
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_whoAsksLaterIsToldToo(self) -> None:
        service, _, _ = self.start(Expired())
        self.assertEqual(self.successResultOf(service.whenGivenUp()), Expired())

    def test_itCanBeStartedAgain(self) -> None:
        service, endpoint, _ = self.start(Expired())
        service.startService()
        self.assertEqual((endpoint.attempts, service.failure), (2, None))

    def test_aFailureThatIsNotOursIsLeftToTwisted(self) -> None:
        _, endpoint, _ = self.start(RuntimeError("other"))
        self.assertEqual((endpoint.attempts, self.givenUp), (2, []))
