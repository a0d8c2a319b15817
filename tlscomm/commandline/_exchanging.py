"""Carrying out what `tlscomm connect` was asked for: connect, send what there is, and show what comes."""

from __future__ import annotations

from typing import IO, Any

import click
from twisted.internet.interfaces import IStreamClientEndpoint

from tlscomm.commandline._conversation import Conversation, Manner, Window, converse
from tlscomm.commandline._messages import Read, Sending, outgoing
from tlscomm.commandline._plan import Plan
from tlscomm.commandline._reaching import endpointTo
from tlscomm.commandline._report import Report
from tlscomm.commandline._resuming import resuming
from tlscomm.commandline._running import run
from tlscomm.commandline._streams import InputStream
from tlscomm.failures import TLSFailure, Unreadable, printable
from tlscomm.messages import MessageFactory

__all__ = ["endpointFor", "exchange"]

#: How many messages of a file are under way.
_MANY = 64


def exchange(plan: Plan, sending: Sending, manner: Manner, report: Report, *, isResuming: bool) -> None:
    """Connect and have the conversation, in a reactor that runs for it.

    Args:
        plan: where to, and as whom.
        sending: what is sent.
        manner: how the conversation goes.
        report: is told of the connection and of each message that comes.
        isResuming: whether another connection comes before it, whose session it may resume.

    Raises:
        TLSFailure: there was no connection, or it did not end well.
        click.UsageError: the plan's endpoint string describes no endpoint.
    """
    factory = MessageFactory(
        Conversation, framing=sending.framing, maximumMessage=sending.maximum, readTimeout=plan.replySeconds
    )
    window = Window(1 if sending.file is None else _MANY)

    async def work(reactor: Any) -> None:
        read = None if sending.file is None else _reader(reactor, sending.file)
        messages = outgoing(sending.texts, read, sending.framing, sending.maximum)
        endpoint = endpointFor(reactor, plan)
        if isResuming:
            await resuming(endpoint)
        await converse(reactor, endpoint, factory, messages=messages, window=window, report=report, manner=manner)

    try:
        run(work)
    except TLSFailure as failure:
        failure.peer = failure.peer or str(plan.address)
        raise


def endpointFor(reactor: Any, plan: Plan) -> IStreamClientEndpoint:
    """Return the endpoint of a plan.

    Raises:
        click.UsageError: its endpoint string describes no endpoint.
        TLSFailure: a file that the string names cannot be used.
    """
    try:
        return endpointTo(reactor, plan)
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None


def _reader(reactor: Any, file: IO[bytes]) -> Read:
    stream = InputStream(reactor, file.fileno())

    async def read() -> bytes:
        try:
            return await stream.read()
        except OSError as broken:
            raise Unreadable(f"{printable(str(file.name))}: {broken.strerror}", stage="message") from None

    return read
