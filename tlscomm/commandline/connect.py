"""``tlscomm connect``: talk to a server, or learn exactly why that is not possible.

Its output, its exit status and its one JSON object are interfaces that other programs rely on.
"""

from __future__ import annotations

import math
import os
import stat
import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

import click

from tlscomm.commandline._groupedhelp import GroupedCommand
from tlscomm.commandline._messages import Sending
from tlscomm.commandline._options import addressArgument, outputOptions, settingOptions
from tlscomm.commandline._passphrases import personalPrompt
from tlscomm.commandline._plan import Address, EndpointText, Plan, planFor
from tlscomm.commandline._printing import isTerminal, remark, sayingWarnings
from tlscomm.commandline._verbosity import verbosity
from tlscomm.configuration._settingtypes import Interface
from tlscomm.failures import TLSFailure
from tlscomm.messages import Framing, framingNamed

if TYPE_CHECKING:
    from tlscomm.commandline._report import Report
    from tlscomm.commandline._tracedisplay import TraceDisplay
    from tlscomm.tracing import TraceObserver

__all__ = ["command"]


@click.command("connect", cls=GroupedCommand)
@addressArgument
@click.option("--message", "messages", multiple=True, metavar="TEXT", help="Send TEXT and await the reply; repeatable.")
@click.option(
    "--message-file",
    "messageFile",
    type=click.File("rb"),
    metavar="FILE",
    help="Send the messages in FILE, or in standard input for '-': with eof and line all that stand between "
    "delimiters, with netstring and int32 the whole file as one. Default: standard input, where it is a file or a pipe "
    "and there is no --message.",
)
@click.option("--greeting", "isGreeted", is_flag=True, help="Await the server's first message before sending any.")
@click.option(
    "--no-reply", "noReply", is_flag=True, help="Await no replies: send all, and show what comes until the server ends."
)
@click.option(
    "--listen",
    "listenSeconds",
    type=click.FloatRange(min=0, min_open=True),
    is_flag=False,
    flag_value=math.inf,
    metavar="[SECONDS]",
    help="Go on listening when all is sent: for SECONDS, or until the server ends or Ctrl-C.",
)
@click.option("--resume", "isResuming", is_flag=True, help="Connect twice, and say whether the session was resumed.")
@click.option("--no-history", "noHistory", is_flag=True, help="Keep no history of what is typed.")
@click.option(
    "--raw",
    is_flag=True,
    help="Write replies as --message-file reads messages, each with its delimiter, instead of one a line.",
)
@settingOptions(Interface.CONNECT)
@outputOptions
def command(
    address: Address | EndpointText,
    *,
    settings: dict[str, Any],
    messages: Sequence[str],
    messageFile: IO[bytes] | None,
    isGreeted: bool,
    noReply: bool,
    listenSeconds: float | None,
    isResuming: bool,
    noHistory: bool,
    raw: bool,
    asJSON: bool,
) -> None:
    """Talk to the server at ADDRESS: send what is typed or given, and print what comes.

    ADDRESS is HOST:PORT, or a client endpoint string of Twisted's such as unix:PATH, with --server-name.

    On a terminal, and without messages, it is a conversation: type a message and see what comes. Without messages and
    with an empty standard input, connect, say what was agreed and whom with, and close. The exit status is 0 where all
    went well and 1 where something failed, whose name and next step are then on standard error.
    """
    settings["trace"] = settings["trace"] or (verbosity() > 1 and not asJSON)
    _refuseUseless(settings, messageFile, raw=raw, asJSON=asJSON)
    isSaid = bool(messages) or messageFile is not None or isGreeted or noReply or listenSeconds is not None
    isTyped = not (isSaid or raw or asJSON or isResuming) and isTerminal(sys.stdin) and isTerminal(sys.stdout)
    if messageFile is None and not messages and _isPiped():
        messageFile = sys.stdin.buffer
    listening = 0.0 if listenSeconds is None else None if math.isinf(listenSeconds) else listenSeconds
    framing = framingNamed(settings["framing"])
    report = _reportFor(framing, settings, raw=raw, isResuming=isResuming, asJSON=asJSON)
    display = _display(isQuiet=asJSON) if settings["trace"] else None
    failure = None
    try:
        plan = _planned(address, settings, display)
        sending = Sending(messages, messageFile, framing, settings["maximumMessage"])
        sending.refuseUnsendable()
        if isTyped:
            from tlscomm.commandline._talking import talkTo

            talkTo(plan, sending, report, keepsHistory=not noHistory)
        else:
            from tlscomm.commandline._conversation import Manner
            from tlscomm.commandline._exchanging import exchange

            manner = Manner(isGreeted, not noReply, listening, plan.endSeconds)
            exchange(plan, sending, manner, report, isResuming=isResuming)
    except TLSFailure as named:
        failure = named
    report.ended(failure, None if display is None else display.trace)
    if failure is not None:
        click.get_current_context().exit(1)


def _refuseUseless(settings: dict[str, Any], messageFile: IO[bytes] | None, *, raw: bool, asJSON: bool) -> None:
    if raw and asJSON:
        raise click.UsageError("--raw and --json exclude each other")
    if "traceApplicationData" in settings and not (asJSON and settings["trace"]):
        raise click.UsageError("--trace-application-data is for --trace with --json, whose object has it")
    if messageFile is not None and messageFile.isatty():
        raise click.UsageError("--message-file takes a file or a pipe, not a terminal; use --message")


def _isPiped() -> bool:
    """Return whether standard input is what a program or a file gives; /dev/null is neither."""
    try:
        kind = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False
    return stat.S_ISREG(kind) or stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)


def _reportFor(framing: Framing, settings: dict[str, Any], *, raw: bool, isResuming: bool, asJSON: bool) -> Report:
    from tlscomm.commandline._report import JSONReport, TextReport

    if asJSON:
        return JSONReport(isTraced=settings["trace"])
    return TextReport(framing, raw=raw, isResuming=isResuming)


def _display(*, isQuiet: bool) -> TraceDisplay:
    from tlscomm.commandline._tracedisplay import TraceDisplay

    return TraceDisplay(isQuiet=isQuiet)


def _planned(address: Address | EndpointText, settings: dict[str, Any], observer: TraceObserver | None) -> Plan:
    try:
        with sayingWarnings():
            plan = planFor(address, settings, prompt=personalPrompt(), observer=observer)
        for warning in () if plan.tracing is None else plan.tracing.warnings:
            remark(f"Warning: {warning}")
        return plan
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None
