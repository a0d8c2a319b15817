"""``tlscomm connect``: talk to a server, or learn exactly why that is not possible.

Its output, its exit status and its one JSON object are interfaces that other programs rely on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

import click

from tlscomm.commandline._groupedhelp import GroupedCommand
from tlscomm.commandline._options import outputOptions, settingOptions
from tlscomm.commandline._passphrases import personalPrompt
from tlscomm.commandline._plan import Address, Plan, addressIn, planFor
from tlscomm.commandline._printing import remark, sayingWarnings
from tlscomm.configuration._settingtypes import Interface
from tlscomm.failures import TLSFailure, Unreadable, printable
from tlscomm.messages import Framing, framingNamed

if TYPE_CHECKING:
    from tlscomm.commandline._messages import Read
    from tlscomm.commandline._report import Report
    from tlscomm.commandline._tracedisplay import TraceDisplay
    from tlscomm.tracing import TraceObserver

__all__ = ["command"]

#: How many messages of a file are under way.
_MANY = 64


def _address(_context: click.Context, _argument: click.Parameter, text: str) -> Address:
    try:
        return addressIn(text)
    except ValueError as wrong:
        raise click.BadParameter(str(wrong)) from None


@click.command("connect", cls=GroupedCommand)
@click.argument("address", metavar="HOST:PORT", callback=_address)
@settingOptions(Interface.CONNECT)
@click.option("--message", "messages", multiple=True, metavar="TEXT", help="Send TEXT and await the reply; repeatable.")
@click.option(
    "--message-file",
    "messageFile",
    type=click.File("rb"),
    metavar="FILE",
    help="Send the messages in FILE, or in standard input for '-': with eof and line all that stand between "
    "delimiters, with netstring and int32 the whole file as one.",
)
@click.option(
    "--raw",
    is_flag=True,
    help="Write replies as --message-file reads messages, each with its delimiter, instead of one a line.",
)
@outputOptions
def command(
    address: Address,
    *,
    settings: dict[str, Any],
    messages: Sequence[str],
    messageFile: IO[bytes] | None,
    raw: bool,
    asJSON: bool,
) -> None:
    """Connect to HOST:PORT, send each message, and print each reply.

    Without messages, connect, say what was agreed and whom with, and close. The exit status is 0 where all went well
    and 1 where something failed, whose name and next step are then on standard error.
    """
    from tlscomm.commandline._report import JSONReport, TextReport

    if raw and asJSON:
        raise click.UsageError("--raw and --json exclude each other")
    if "traceApplicationData" in settings and not (asJSON and settings["trace"]):
        raise click.UsageError("--trace-application-data is for --trace with --json, whose object has it")
    if messageFile is not None and messageFile.isatty():
        raise click.UsageError("--message-file takes a file or a pipe, not a terminal; use --message")
    chosen, maximum = framingNamed(settings["framing"]), settings["maximumMessage"]
    report = JSONReport(isTraced=settings["trace"]) if asJSON else TextReport(chosen, raw=raw)
    display = _display(isQuiet=asJSON) if settings["trace"] else None
    failure = None
    try:
        plan = _planned(address, settings, display)
        for text in messages:
            # What cannot be sent is better refused before anything is.
            chosen.encode(text, maximum)
        _carryOut(plan, chosen, maximum=maximum, texts=messages, file=messageFile, report=report)
    except TLSFailure as named:
        failure = named
    report.ended(failure, None if display is None else display.trace)
    if failure is not None:
        click.get_current_context().exit(1)


def _display(*, isQuiet: bool) -> TraceDisplay:
    from tlscomm.commandline._tracedisplay import TraceDisplay

    return TraceDisplay(isQuiet=isQuiet)


def _planned(address: Address, settings: dict[str, Any], observer: TraceObserver | None) -> Plan:
    try:
        with sayingWarnings():
            plan = planFor(address, settings, prompt=personalPrompt(), observer=observer)
        for warning in () if plan.tracing is None else plan.tracing.warnings:
            remark(f"Warning: {warning}")
        return plan
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None


def _carryOut(
    plan: Plan,
    framing: Framing,
    *,
    maximum: int,
    texts: Sequence[str],
    file: IO[bytes] | None,
    report: Report,
) -> None:
    # Late, so that help, wrong usage and broken credentials do not wait for Twisted's reactor.
    from tlscomm.commandline._conversation import Conversation, Window, converse
    from tlscomm.commandline._messages import outgoing
    from tlscomm.commandline._reaching import endpointTo
    from tlscomm.commandline._running import run
    from tlscomm.messages import MessageFactory

    factory = MessageFactory(Conversation, framing=framing, maximumMessage=maximum, readTimeout=plan.replySeconds)
    window = Window(1 if file is None else _MANY)

    async def work(reactor: Any) -> None:
        messages = outgoing(texts, None if file is None else _reader(reactor, file), framing, maximum)
        await converse(reactor, endpointTo(reactor, plan), factory, messages=messages, window=window, report=report)

    try:
        run(work)
    except TLSFailure as failure:
        failure.peer = failure.peer or str(plan.address)
        raise


def _reader(reactor: Any, file: IO[bytes]) -> Read:
    from tlscomm.commandline._streams import InputStream

    stream = InputStream(reactor, file.fileno())

    async def read() -> bytes:
        try:
            return await stream.read()
        except OSError as broken:
            raise Unreadable(f"{printable(str(file.name))}: {broken.strerror}", stage="message") from None

    return read
