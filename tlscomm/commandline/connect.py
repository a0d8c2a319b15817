"""``tlscomm connect``: talk to a server, or learn exactly why that is not possible.

Its output, its exit status and its one JSON object are interfaces that other programs rely on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

import click

from tlscomm.commandline._chain import chainOptions
from tlscomm.commandline._identity import identityOptions
from tlscomm.commandline._plan import Address, Plan, addressIn, planFor
from tlscomm.failures import TLSFailure, Unreadable, printable
from tlscomm.framing import FRAMINGS, Framing, framingNamed

if TYPE_CHECKING:
    from tlscomm.commandline._messages import Read
    from tlscomm.commandline._report import Report

__all__ = ["command"]

_VERSIONS = click.Choice(["1.2", "1.3"])
#: How many messages of a file are under way.
_MANY = 64


def _address(_context: click.Context, _argument: click.Parameter, text: str) -> Address:
    try:
        return addressIn(text)
    except ValueError as wrong:
        raise click.BadParameter(str(wrong)) from None


@click.command("connect")
@click.argument("address", metavar="HOST:PORT", callback=_address)
@identityOptions
@click.option(
    "--roots",
    multiple=True,
    metavar="SOURCE",
    help="Who may issue the server's certificate: a file or a folder with authorities, store:... or 'system', which "
    "is the default; repeatable.",
)
@chainOptions
@click.option(
    "--crl",
    multiple=True,
    metavar="SOURCE",
    help="A revocation list of an authority, PEM or DER, or a folder with lists; repeatable.",
)
@click.option(
    "--revocation",
    type=click.Choice(["off", "soft", "required"]),
    help="Where nothing tells whether the server's certificate was revoked: off does not ask, soft warns, required "
    "refuses.  [default: required with --crl]",
)
@click.option("--allow", multiple=True, metavar="RULE", help="Which valid servers are talked to; repeatable.")
@click.option("--deny", multiple=True, metavar="RULE", help="Which of them are not; repeatable.")
@click.option("--server-name", "serverName", metavar="NAME", help="Whom the certificate must be for, if not HOST.")
@click.option(
    "--framing",
    type=click.Choice(list(FRAMINGS)),
    default="eof",
    show_default=True,
    help="How messages are told apart.",
)
@click.option("--minimum-tls", "minimumTLS", type=_VERSIONS, default="1.2", show_default=True)
@click.option("--maximum-tls", "maximumTLS", type=_VERSIONS, default="1.3", show_default=True)
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
    "--timeout",
    metavar="S",
    help="Seconds for TCP, for the handshake and for each reply, 0 for no limit.  [default: 10, 10 and 5]",
)
@click.option(
    "--maximum-message",
    "maximumMessage",
    type=click.IntRange(min=1),
    default=1 << 20,
    show_default=True,
    metavar="BYTES",
    help="The longest message, either way.",
)
@click.option(
    "--raw",
    is_flag=True,
    help="Write replies as --message-file reads messages, each with its delimiter, instead of one a line.",
)
@click.option("--json", "asJSON", is_flag=True, help="Print one JSON object, whatever happens.")
def command(
    address: Address,
    *,
    framing: str,
    messages: Sequence[str],
    messageFile: IO[bytes] | None,
    timeout: str | None,
    maximumMessage: int,
    raw: bool,
    asJSON: bool,
    **settings: Any,
) -> None:
    """Connect to HOST:PORT, send each message, and print each reply.

    Without messages, connect, say what was agreed and whom with, and close. The exit status is 0 where all went well
    and 1 where something failed, whose name and next step are then on standard error.
    """
    from tlscomm.commandline._report import JSONReport, TextReport

    if raw and asJSON:
        raise click.UsageError("--raw and --json exclude each other")
    if messageFile is not None and messageFile.isatty():
        raise click.UsageError("--message-file takes a file or a pipe, not a terminal; use --message")
    chosen = framingNamed(framing)
    report = JSONReport() if asJSON else TextReport(chosen, raw=raw)
    failure = None
    try:
        plan = _planned(address, timeout, **settings)
        for text in messages:
            # What cannot be sent is better refused before anything is.
            chosen.encode(text, maximumMessage)
        _carryOut(plan, chosen, maximum=maximumMessage, texts=messages, file=messageFile, report=report)
    except TLSFailure as named:
        failure = named
    report.ended(failure)
    if failure is not None:
        click.get_current_context().exit(1)


def _planned(address: Address, timeout: str | None, **settings: Any) -> Plan:
    try:
        return planFor(address, timeout, **settings)
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
    from tlscomm.protocol import MessageFactory

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
