"""What is told about the connections of a server: one event, one line, with the same names in text and in JSON.

Programs read the JSON lines and people read the text, and both come from the same facts, so that what is seen in one is
found in the other. An event carries the objects that know the facts. They are asked by who writes it, and only for what
is written: to describe the certificates of a chain takes a good part of the time of a handshake.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from operator import itemgetter
from time import time
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger, LogLevel, globalLogPublisher

from tlscomm._clocks import timeOfDay
from tlscomm.access import Peer
from tlscomm.credentials import CredentialChoice
from tlscomm.failures import TLSFailure, printable
from tlscomm.tls import TLSFacts
from tlscomm.transport._address import describeAddress
from tlscomm.transport._observer import isHealthCheck
from tlscomm.transport._refusallimit import Event, RefusalLimit, networkOf
from tlscomm.transport._transport import TLSTransport
from tlscomm.x509._facts import certificateFacts

if TYPE_CHECKING:
    from tlscomm.tracing._trace import Trace

__all__ = ["Event", "EventLog", "Moment", "sentenceOf", "writeText"]

_log = Logger(namespace="tlscomm")

#: Ends that the operator has asked for.
_WANTED_ENDS = frozenset({"idle-timeout", "lifetime-over"})

_LEVELS = {level.name: level for level in LogLevel.iterconstants()}


class Moment:
    """When an event happened. It is written as text where it is wanted as that."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        """
        Args:
            seconds: since 1970.
        """
        self.seconds = seconds

    def toJSON(self) -> str:
        return datetime.fromtimestamp(self.seconds, timezone.utc).isoformat(timespec="milliseconds")


class EventLog:
    """Writes an event for each connection that begins, is refused or ends: an `Observer` of a server's connections.

    Attributes:
        numbers: those of the connections that are to come.
        lastRefused: the number of the connection that was refused last, 0 before that.
        lost: returns how many events could not be written.
    """

    def __init__(
        self,
        write: Callable[[Event], object],
        clock: IReactorTime,
        *,
        finish: Callable[[], object] = lambda: None,
        lost: Callable[[], int] = lambda: 0,
    ) -> None:
        """
        Args:
            write: takes the events.
            clock: tells the time of each, in seconds since 1970.
            finish: is called when the server has stopped.
            lost: returns how many events could not be written.
        """
        self._write = write
        self._finish = finish
        self.lost = lost
        self._now = timeOfDay(clock)
        self._refusals = RefusalLimit(write, clock)
        self.numbers: Iterator[int] = itertools.count(1)
        self.lastRefused = 0
        self._numbers: dict[TLSTransport, int] = {}

    def listening(self, address: str | None) -> None:
        """The server listens.

        Args:
            address: where, as ``host:port``.
        """
        self._write({"event": "listening", "level": "info", "time": Moment(self._now()), "address": address})

    def accepted(self, transport: TLSTransport) -> None:
        number = self._numbers[transport] = self._number(transport)
        # Each time that it is asked for, it is put together anew.
        peer = transport.peer
        self._write(
            {
                **self._event("accepted" if peer is None else "authenticated", number, transport),
                "tls": transport.tls,
                "certificate": peer,
                "clientCertificates": _asked(transport),
            }
        )

    def refused(self, transport: TLSTransport, failure: TLSFailure) -> None:
        address = transport.getPeer()
        self.lastRefused = number = self._number(transport)
        event = {**self._event("refused", number, transport), "failure": failure}
        if (fingerprint := transport.ja4) is not None:
            event["ja4"] = fingerprint
        event["level"] = "debug" if isHealthCheck(failure, hasHeard=transport.hasHeard) else "warn"
        self._refusals.refused(event, networkOf(address))

    def closed(self, transport: TLSTransport, failure: TLSFailure | None) -> None:
        # A protocol that does not speak in messages has none to count.
        protocol: Any = transport.protocol
        event = {
            **self._event("closed", self._numbers.pop(transport), transport),
            "failure": failure,
            "bytesReceived": transport.bytesReceived,
            "bytesSent": transport.bytesSent,
            "messagesReceived": getattr(protocol, "messagesReceived", None),
            "messagesSent": getattr(protocol, "messagesSent", None),
        }
        self._write(event if failure is None or failure.code in _WANTED_ENDS else {**event, "level": "warn"})

    def traced(self, trace: Trace) -> None:
        """Write the trace of a connection.

        Args:
            trace: of one that was refused, mostly.
        """
        client = None if trace.client is None else str(trace.client)
        event = {"event": "trace", "level": "info", "time": Moment(self._now())}
        self._write({**event, "connection": trace.number, "peer": client, "trace": trace})

    def tunnelled(
        self,
        peer: str | None,
        server: str,
        failure: TLSFailure | None,
        *,
        tls: TLSFacts | None,
        bytesReceived: int,
        bytesSent: int,
    ) -> None:
        """Write how a connection through a tunnel has ended.

        Args:
            peer: the program that had connected to the tunnel, as ``host:port``.
            server: what the tunnel connects to.
            failure: None where both sides have ended in order.
            tls: what was agreed with the server, or None where there was no connection.
            bytesReceived: from the program, for the server.
            bytesSent: from the server, for the program.
        """
        event: Event = {
            **{"event": "tunnelled", "level": "info", "time": Moment(self._now()), "connection": next(self.numbers)},
            **{"peer": peer, "server": server, "tls": tls, "failure": failure},
            **{"bytesReceived": bytesReceived, "bytesSent": bytesSent},
        }
        if failure is None:
            self._write(event)
        else:
            self._refusals.refused({**event, "level": "warn"}, "this machine")

    def numberOf(self, transport: TLSTransport) -> int | None:
        """Return the number of a connection that is open, None where it is not."""
        return self._numbers.get(transport)

    def flush(self) -> None:
        """Write now what is still counted, because the server stops."""
        self._refusals.flush()
        self._finish()

    def _number(self, transport: TLSTransport) -> int:
        # A connection that is traced has one from its beginning.
        return next(self.numbers) if transport.recorder is None else transport.recorder.number

    def _event(self, name: str, number: int, transport: TLSTransport) -> Event:
        peer = describeAddress(transport.getPeer())
        moment = Moment(self._now())
        event: Event = {"event": name, "level": "info", "time": moment, "connection": number, "peer": peer}
        if name := transport.factory.name:
            event["listener"] = name
        if (header := transport.proxied) is not None:
            event["proxied"] = header
        return event


def writeText(event: Event) -> None:
    """Write an event as a line of Twisted's log, in the namespace ``tlscomm`` and with its facts as named fields.

    Not by Twisted's `Logger.emit`, which makes and sorts a list of the levels for each event.
    """
    say, facts = _SENTENCES[event["event"]]
    record = {
        **event,
        "log_logger": _log,
        "log_level": _LEVELS[event["level"]],
        "log_namespace": _log.namespace,
        "log_source": None,
        "log_format": "{sentence}",
        "log_time": time(),
        "sentence": _Sentence(say, facts(event)),
    }
    # Twisted has a time of its own, which older observers look for under the same name.
    record.pop("time", None)
    del record["level"]
    globalLogPublisher(record)


def sentenceOf(event: Event) -> str:
    """Return what an event says in words."""
    say, facts = _SENTENCES[event["event"]]
    return say(*facts(event))


class _Sentence:
    """What an event says in words, made when it is asked for: mostly no observer wants it, or one wants it once.

    It keeps what the words are made of and not the event, because Twisted keeps the latest 65,536 events of a program
    that writes no log.
    """

    __slots__ = ("_facts", "_say")

    def __init__(self, say: Callable[..., str], facts: tuple[Any, ...]) -> None:
        self._say = say
        self._facts = facts

    def __str__(self) -> str:
        return self._say(*self._facts)


def _asked(transport: TLSTransport) -> str | None:
    """Return whether client certificates were asked for, where that is known: a context of others' does not say."""
    return getattr(transport.factory.configuration, "clientCertificates", None)


def _listening(address: str, _: str) -> str:
    return f"listening on {address}"


def _accepted(number: int, peer: str, name: str, *facts: Any) -> str:
    certificate: Peer | None
    tls: TLSFacts
    certificate, tls, asked = facts
    how = "authenticated" if name == "authenticated" else "accepted without authentication"
    stranger = "no client certificate is asked for" if asked == "none" else "the client showed no certificate"
    who = stranger if certificate is None else _who(certificate)
    return (
        f"{_connection(number, peer)} {how}: {who}, {tls.version}, {tls.cipher}{_program(tls.ja4)}{_shown(tls.choice)}"
    )


def _refused(number: int, peer: str, failure: TLSFailure) -> str:
    outcome = _outcome(failure)
    # The word is also the code of a refusal that does not say why.
    return f"{_connection(number, peer)} {outcome if outcome.startswith('refused: ') else f'refused, {outcome}'}"


def _refusals(number: int, peer: str, failure: TLSFailure, count: int, network: str) -> str:
    last = f"{_connection(number, peer)}: {_outcome(failure)}"
    return f"{count} more connections from {network} refused; the last one, {last}"


def _closed(number: int, peer: str, failure: TLSFailure | None, *traffic: Any) -> str:
    bytesReceived, bytesSent, messagesReceived, messagesSent = traffic
    received, sent = _amount(bytesReceived, messagesReceived), _amount(bytesSent, messagesSent)
    return f"{_connection(number, peer)} closed ({received} received, {sent} sent), {_outcome(failure)}"


def _tunnelled(number: int, peer: str, failure: TLSFailure | None, server: str, *facts: Any) -> str:
    tls, received, sent = facts
    version = "" if tls is None else f", {tls.version}"
    traffic = f"{received} bytes there, {sent} bytes back"
    return f"{_connection(number, peer)} to {server}{version} ended ({traffic}), {_outcome(failure)}"


def _traced(number: int, peer: str, trace: Trace) -> str:
    from tlscomm.drawing import drawDiagram

    return f"{_connection(number, peer)} was traced:\n{drawDiagram(trace)}"


_ACCEPTED = _accepted, itemgetter("connection", "peer", "event", "certificate", "tls", "clientCertificates")
_TRAFFIC = "bytesReceived", "bytesSent", "messagesReceived", "messagesSent"

#: By the event's name, what says it in words, and the facts that it makes them of.
_SENTENCES: dict[str, tuple[Callable[..., str], Callable[[Event], tuple[Any, ...]]]] = {
    "listening": (_listening, itemgetter("address", "event")),
    "authenticated": _ACCEPTED,
    "accepted": _ACCEPTED,
    "refused": (_refused, itemgetter("connection", "peer", "failure")),
    "refusals": (_refusals, itemgetter("connection", "peer", "failure", "count", "network")),
    "trace": (_traced, itemgetter("connection", "peer", "trace")),
    "tunnelled": (
        _tunnelled,
        itemgetter("connection", "peer", "failure", "server", "tls", "bytesReceived", "bytesSent"),
    ),
    "closed": (_closed, itemgetter("connection", "peer", "failure", *_TRAFFIC)),
}


def _connection(number: int, peer: str) -> str:
    return f"connection {number} from {peer}"


def _outcome(failure: TLSFailure | None) -> str:
    return "in order" if failure is None else f"{failure.code}: {failure.message} {failure.nextStep}"


def _program(fingerprint: str | None) -> str:
    return "" if fingerprint is None else f", {fingerprint}"


def _shown(choice: CredentialChoice | None) -> str:
    # Which of several credentials was shown is the first question when it was the wrong one.
    if choice is None or choice.credential is None:
        return ""
    return f"; we showed {certificateFacts(choice.credential.certificate).subject}, {choice.reason}"


def _who(peer: Peer) -> str:
    rule = "" if peer.rule is None else f" (by {printable(str(peer.rule))})"
    return f"{peer.facts.subject}{rule}"


def _amount(size: int, count: int | None) -> str:
    return f"{size} bytes" if count is None else f"{size} bytes in {count} message{'s' if count != 1 else ''}"
