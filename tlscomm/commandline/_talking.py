"""The conversation of a person at a terminal: type a message, and see what comes whenever it comes.

prompt_toolkit edits the line, and keeps what is printed above it. It runs on asyncio, so Twisted's reactor is the one
on asyncio's loop here, and both see to their own in it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from twisted.internet import asyncioreactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from tlscomm.commandline._conversation import ENDED
from tlscomm.commandline._messages import Sending
from tlscomm.commandline._plan import Plan
from tlscomm.commandline._printing import remark, say
from tlscomm.commandline._report import Report, harmless
from tlscomm.failures import TLSFailure, printable
from tlscomm.messages import Message, MessageFactory, MessageProtocol

__all__ = ["Talk", "historyFile", "statusLine", "talkTo"]

_HINT = "Enter sends, Alt-Enter begins another line, Ctrl-D ends in order, Ctrl-C breaks off."

_LONGEST_NAME = 40

_INTERRUPTED = 130


class Talk(MessageProtocol):
    """Shows each message that comes, and says when the connection is over.

    Attributes:
        over: fires when the connection has ended in order, and fails with why otherwise.
        show: is given each message. What it returns is awaited before the next one, so that a server which says more
            than a terminal shows is slowed down.
    """

    def __init__(self) -> None:
        self.over: Deferred[None] = Deferred(lambda _: self._transport.abortConnection())
        self.show: Callable[[Message], Awaitable[object] | None] = lambda message: None

    @property
    def isAwaiting(self) -> bool:
        return False

    def messageReceived(self, message: Message) -> Awaitable[object] | None:
        return self.show(message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        if self.over.called:
            return
        if reason.check(ConnectionDone):
            self.over.callback(None)
        else:
            self.over.errback(reason)


def talkTo(plan: Plan, sending: Sending, report: Report, *, keepsHistory: bool) -> None:
    """Connect, and have a person talk.

    Args:
        plan: where to, and as whom.
        sending: how messages are told apart, and how long one may be.
        report: is told of the connection.
        keepsHistory: whether what is typed is kept in `historyFile`.

    Raises:
        TLSFailure: there was no connection, or it did not end well.
        click.UsageError: the plan's endpoint string describes no endpoint.
    """
    asyncioreactor.install(asyncio.new_event_loop())
    # They import the reactor that is installed.
    from tlscomm.commandline._exchanging import endpointFor
    from tlscomm.commandline._running import run
    from tlscomm.transport import describeAddress

    factory = MessageFactory(
        Talk, framing=sending.framing, maximumMessage=sending.maximum, readTimeout=plan.replySeconds
    )
    session: PromptSession[str] = PromptSession(history=_history(isKept=keepsHistory), key_bindings=_keys())

    async def work(reactor: Any) -> None:
        client: Any = await endpointFor(reactor, plan).connect(factory)
        transport = client.transport
        report.accepted(describeAddress(transport.getPeer()) or "", transport.tls, transport.peer)
        remark(_HINT)
        began = time.monotonic()
        await _typed(session, client, lambda: statusLine(plan, transport, time.monotonic() - began))
        client.loseConnection()
        await client.over

    try:
        run(work)
    except TLSFailure as failure:
        failure.peer = failure.peer or str(plan.address)
        raise


async def _typed(session: PromptSession[str], client: Talk, status: Callable[[], str]) -> None:
    """Send what is typed, until the person or the peer ends."""
    client.show = _show
    ends: list[TLSFailure | None] = []
    client.whenEnded().addCallback(ends.append).addCallback(lambda _: _endPrompt(session))
    while not ends:
        prompt = session.prompt_async("> ", bottom_toolbar=status, refresh_interval=1.0)
        try:
            text = await Deferred.fromFuture(asyncio.ensure_future(prompt))
        except EOFError:
            break
        except KeyboardInterrupt:
            raise click.exceptions.Exit(_INTERRUPTED) from None
        try:
            client.sendMessage(text)
        except TLSFailure as refused:
            # The connection stands, and the person can say it otherwise.
            say(f"{refused.code}: {refused.message}", error=True)
    if ends and ends[0] is None:
        remark(ENDED)


def _endPrompt(session: PromptSession[str]) -> None:
    if session.app.is_running:
        session.app.exit(exception=EOFError())


def _keys() -> KeyBindings:
    bindings = KeyBindings()

    @bindings.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.newline()

    return bindings


def _show(message: Message) -> Deferred[None]:
    """Print a message above the line that is typed."""
    content = message.encode() if isinstance(message, str) else message
    text = harmless(content).decode()

    async def printed() -> None:
        await run_in_terminal(lambda: say(text))

    return Deferred.fromFuture(asyncio.ensure_future(printed()))


def statusLine(plan: Plan, transport: Any, seconds: float) -> str:
    """Return one line about a connection: whom it is with, how it is protected, and how old it is."""
    tls, peer = transport.tls, transport.peer
    name = "" if peer is None else printable(peer.commonName or peer.facts.subject, _LONGEST_NAME)
    minutes, rest = divmod(int(seconds), 60)
    age = f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
    return " " + "  ".join(
        part for part in (name, str(plan.address), tls.version, tls.group or tls.cipher, age) if part
    )


def historyFile() -> Path:
    """Return where what is typed is kept (XDG Base Directory Specification, ``XDG_STATE_HOME``)."""
    state = os.environ.get("XDG_STATE_HOME", "")
    folder = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    return folder / "tlscomm" / "history"


def _history(*, isKept: bool) -> History:
    """Return the history; one in memory where it is not to be kept, or cannot be."""
    if not isKept:
        return InMemoryHistory()
    path = historyFile()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # What is typed may be confidential. prompt_toolkit would create the file for all to read.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600))
    except OSError as problem:
        remark(f"What is typed is not kept: {printable(str(path))}: {problem.strerror}")
        return InMemoryHistory()
    return FileHistory(str(path))
