"""A client that stays connected, and stops trying where trying again cannot help.

Twisted's ``ClientService`` connects again whatever has happened. A client whose certificate has expired then knocks at
the server's door for ever, and its operator sees a service that is up. Which failures are worth another try is known
here: each says whether it is ``permanent``.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from tlscomm.failures import TLSFailure
from tlscomm.failures._loggedfailure import logFailure

__all__ = ["TLSClientService"]

_log = Logger(namespace="tlscomm")


class TLSClientService(ClientService):
    """Twisted's ``ClientService``, which gives up on a permanent failure and says so.

    A failure that may pass, a server that is restarting for one, is retried as the retry policy says.
    """

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        factory: IProtocolFactory,
        *,
        clock: IReactorTime | None = None,
        **more: Any,
    ) -> None:
        """
        Args:
            endpoint: connects, a `TLSClientEndpoint` as a rule.
            factory: makes the protocols.
            clock: tells the time; the reactor where None.
            more: ``retryPolicy`` and ``prepareConnection`` of ``ClientService``.
        """
        if clock is None:
            from twisted.internet import reactor

            clock = cast(IReactorTime, reactor)
        super().__init__(_Watched(endpoint, self._attemptFailed), factory, clock=clock, **more)
        self._time = clock
        self.failure: TLSFailure | None = None
        self._waiting: list[Deferred[TLSFailure]] = []

    def whenGivenUp(self) -> Deferred[TLSFailure]:
        """Return the permanent failure that ended the service, when one has."""
        waiting: Deferred[TLSFailure] = Deferred()
        if self.failure is not None:
            waiting.callback(self.failure)
        else:
            self._waiting.append(waiting)
        return waiting

    def startService(self) -> None:
        """Begin to connect; after a failure, try once more from the start."""
        self.failure = None
        super().startService()

    def _attemptFailed(self, failure: TLSFailure) -> None:
        _log.error("not connected: {problem} {step}", problem=str(failure), step=failure.nextStep)
        if failure.permanent:
            # ClientService is in the middle of its own step when it hears of the failure.
            self._time.callLater(0, self._giveUp, failure)

    def _giveUp(self, failure: TLSFailure) -> None:
        self.failure = failure
        stopping: Any = self.stopService()
        if stopping is not None:
            stopping.addErrback(lambda reason: logFailure(_log, "the service did not stop", reason))
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(failure)


@implementer(IStreamClientEndpoint)
class _Watched:
    """An endpoint that tells of its failures."""

    def __init__(self, endpoint: IStreamClientEndpoint, failed: Any) -> None:
        self._endpoint = endpoint
        self._failed = failed

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        return self._endpoint.connect(protocolFactory).addErrback(self._tell)

    def _tell(self, reason: Failure) -> Failure:
        if isinstance(reason.value, TLSFailure):
            self._failed(reason.value)
        return reason
