"""What `tlscomm connect` says: lines for people, or one object for programs.

Replies are what was asked for, so they alone go to standard output. Facts and failures go to standard error. The object
holds all three, and there is one whatever happens.
"""

from __future__ import annotations

import base64
import sys
from typing import TYPE_CHECKING, Protocol

from tlscomm.access import Peer
from tlscomm.commandline._messages import Outgoing
from tlscomm.commandline._printing import Row, isTerminal, remark, say, sayFailure, table, warningText, writeJSON
from tlscomm.commandline._verbosity import verbosity
from tlscomm.failures import TLSFailure
from tlscomm.messages import Framing, Message
from tlscomm.tls import TLSFacts
from tlscomm.x509._facts import certificateFacts

if TYPE_CHECKING:
    from tlscomm.tracing import Trace

__all__ = ["JSONReport", "Report", "TextReport", "harmless"]


def _more(tls: TLSFacts, peer: Peer) -> list[Row]:
    """Return what a person is told of a connection with ``--verbose``."""
    rows: list[Row] = [("Names", ", ".join(peer.facts.names) or "none")]
    for issuer in peer.chain[1:]:
        facts = certificateFacts(issuer)
        rows += [("Issuer", f"{facts.subject}, until {facts.notAfter}"), ("", facts.fingerprint)]
    rows.append(("Asked for", tls.serverName or "no name"))
    if tls.choice is not None:
        rows.append(("Shown", tls.choice.reason))
    return rows


_NOT_RESUMED = "no: the server gave the first connection no session, or would not go on with it"


class Report(Protocol):
    """Is told of everything, in the order in which it happens."""

    def accepted(self, address: str, tls: TLSFacts, peer: Peer | None) -> None:
        """Both sides have accepted each other."""

    def received(self, message: Message, request: Outgoing | None) -> bytes:
        """A message has come, a reply where there is a request; return what standard output shows of it."""

    def ended(self, failure: TLSFailure | None, trace: Trace | None = None) -> None:
        """It is over, in order where there is no failure; it was traced where there is a trace."""


class TextReport:
    """Lines for people."""

    def __init__(self, framing: Framing, *, raw: bool, isResuming: bool = False) -> None:
        """
        Args:
            framing: that of the connection.
            raw: whether replies are written as the messages of a file are read, instead of one a line.
            isResuming: whether a session was to be resumed, so that a full handshake needs a word.
        """
        self._isResuming = isResuming
        # The only thing that the encoding of an empty text message holds.
        self._delimiter = framing.encode("", 1) if framing.isText else b""
        self._raw = raw
        self._forTerminal = not raw and isTerminal(sys.stdout)

    def accepted(self, address: str, tls: TLSFacts, peer: Peer | None) -> None:
        seen = {"seen": "seen", "assumed": "assumed: the server gave no sign in time"}[tls.acceptance]
        spoken = (tls.version, tls.cipher, tls.group, tls.alpn, "resumed" if tls.resumed else None)
        rows: list[Row] = [("Connected", f"{address}, {', '.join(fact for fact in spoken if fact)}")]
        if peer is not None:
            rows += [("Server", f"{peer.facts.subject}, until {peer.facts.notAfter}"), ("", peer.fingerprint)]
            rows += [("Let in by", str(peer.rule))] if peer.rule is not None else []
            rows += [("Warning", warningText(warning)) for warning in peer.warnings]
            rows += _more(tls, peer) if verbosity() > 0 else []
        if self._isResuming:
            rows.append(("Resumed", "yes" if tls.resumed else _NOT_RESUMED))
        remark(table([*rows, ("Acceptance", seen)]))

    def received(self, message: Message, request: Outgoing | None) -> bytes:
        content = message.encode() if isinstance(message, str) else message
        if self._raw:
            return content + (self._delimiter if request is None or request.isDelimited else b"")
        return (harmless(content) if self._forTerminal else content) + b"\n"

    def ended(self, failure: TLSFailure | None, trace: Trace | None = None) -> None:
        if trace is not None:
            from tlscomm.commandline._analysis import drawn

            say("", *drawn(trace), error=True)
        if failure is not None:
            sayFailure(failure)


class JSONReport:
    """One object for programs."""

    def __init__(self, *, isTraced: bool = False) -> None:
        """
        Args:
            isTraced: whether the connection is traced.
        """
        self._isTraced = isTraced
        self._tls: dict[str, object] | None = None
        self._peer: dict[str, object] | None = None
        self._replies: list[object] = []
        self._unasked: list[object] = []

    def accepted(self, address: str, tls: TLSFacts, peer: Peer | None) -> None:
        self._tls = tls.toJSON()
        self._peer = None if peer is None else peer.toJSON()

    def received(self, message: Message, request: Outgoing | None) -> bytes:
        (self._unasked if request is None else self._replies).append(_asJSON(message))
        return b""

    def ended(self, failure: TLSFailure | None, trace: Trace | None = None) -> None:
        tls = dict(self._tls or {})
        acceptance = tls.pop("acceptance", None)
        writeJSON(
            {
                "outcome": "accepted" if failure is None else "failed",
                "failure": None if failure is None else failure.toJSON(),
                "tls": tls or None,
                "peer": self._peer,
                "acceptance": acceptance,
                "replies": self._replies,
                "unasked": self._unasked,
                **({"trace": trace and trace.toJSON(applicationData=True)} if self._isTraced else {}),
            }
        )


def _asJSON(message: Message) -> object:
    """Return a message as a string, or as an object where it is not UTF-8."""
    try:
        return message if isinstance(message, str) else message.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(message).decode()}  # type: ignore[arg-type]


def harmless(content: bytes) -> bytes:
    """Return what a server sent without anything that a terminal would obey."""
    text = content.decode(errors="backslashreplace")
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text).encode()
