"""One connection of a probe: shake hands, and leave."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from tlscomm._dataclasses import dataclass
from tlscomm.configuration import ClientConfiguration
from tlscomm.endpoints import TLSClientEndpoint
from tlscomm.failures import Problem, TLSFailure
from tlscomm.tls import TLSFacts
from tlscomm.tracing import Trace, Tracing
from tlscomm.transport import describeAddress
from tlscomm.verification import Answer, Question, insecurelyAccept

__all__ = ["Visit", "visit"]


#: Seconds in which the rest of a connection ends.
_PATIENCE = 10.0

#: Seconds in which a server may answer our close_notify; there is nothing more to learn from it.
_CLOSE_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What one connection has shown.

    Attributes:
        trace: what was seen of it, None where there was no TCP connection.
        facts: what was agreed, None where the two have not accepted each other.
        failure: why they have not, or None.
        address: the server's, as text; empty where there was no connection.
        problems: what a client that trusts the given authorities would refuse the server for.
        wasJudged: whether the server's certificate was looked at.
    """

    trace: Trace | None = None
    facts: TLSFacts | None = None
    failure: TLSFailure | None = None
    address: str = ""
    problems: tuple[Problem, ...] = ()
    wasJudged: bool = False


class _Notes:
    """What is heard during a visit.

    Attributes:
        questions: what was asked about the server.
        over: fires with the trace when nothing is left of the connection.
    """

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.over: Deferred[Trace | None] = Deferred()

    def ended(self, trace: Trace) -> None:
        if not self.over.called:
            self.over.callback(trace)

    def insecurelyLook(self, question: Question) -> Answer:
        """Accept whatever is shown, because it is only looked at."""
        self.questions.append(question)
        return insecurelyAccept()


class _Leaving(Protocol):
    """Ends in order as soon as both sides have accepted each other."""

    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred(lambda _: cast(Any, self.transport).abortConnection())

    def connectionMade(self) -> None:
        cast(Any, self.transport).loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.ended.called:
            self.ended.callback(None)


async def visit(
    reactor: Any, below: IStreamClientEndpoint, configuration: ClientConfiguration, *, insecurely: bool = True
) -> Visit:
    """Connect, and return what was seen; whether the handshake fails or not.

    Args:
        reactor: tells the time.
        below: makes the TCP connection.
        configuration: the client's.
        insecurely: whether its hook is replaced by one that accepts any certificate, so as to look at it. A credential
            is shown only without.
    """
    notes = _Notes()
    deadlines = replace(configuration.deadlines, close=_CLOSE_SECONDS)
    looking = replace(configuration, deadlines=deadlines, resumption=False, revalidation=False)
    if insecurely:
        # What is shown to a server that was not verified could be shown to anyone.
        looking = replace(looking, hook=notes.insecurelyLook, credential=None, others=())
    endpoint = TLSClientEndpoint(reactor, below, looking, tracing=Tracing(observer=notes, connections=1))
    facts, failure, address, trace = None, None, "", None
    try:
        visitor: Any = await endpoint.connect(Factory.forProtocol(_Leaving))
        facts = visitor.transport.tls
        address = describeAddress(visitor.transport.getPeer()) or ""
        await visitor.ended
    except TLSFailure as refused:
        failure, address = refused, refused.peer or ""
    if failure is None or failure.stage != "connect":
        # The connection that was refused is about to be gone.
        notes.over.addTimeout(_PATIENCE, reactor, lambda result, timeout: None)
        trace = await notes.over
    return Visit(
        trace=trace,
        facts=facts,
        failure=failure,
        address=address,
        problems=notes.questions[0].problems if notes.questions else (),
        wasJudged=bool(notes.questions),
    )
