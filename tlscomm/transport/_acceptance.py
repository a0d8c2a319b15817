"""How long a client waits for a server's verdict on its certificate, and what it learns of the server by it.

A server that has accepted a client mostly shows it at once: by a session ticket, under TLS 1.2 by its Finished. Two
kinds of server do not fit. Some show nothing, and some, nginx above all, give that sign to every client and refuse
closely after it. So silence is waited for, and a sign is doubted for a short while; less of either where the server has
been seen to be of one kind.
"""

from __future__ import annotations

from typing import Literal

from tlscomm.configuration import Deadlines
from tlscomm.configuration._base import AcceptanceHistory

__all__ = ["DOUBT_SECONDS", "VERDICT_SECONDS", "doubtPatience", "learn", "silencePatience"]

#: How long a server is waited for that showed nothing the last time, and had accepted us.
_BRIEF_SILENCE = 1.0

#: How long a refusal may follow a sign of acceptance before the sign is believed. nginx sends both without waiting for
#: anything in between, so they arrive within a millisecond of each other, but for what a loaded machine and the network
#: put between them. That grows with the time that the handshake took.
DOUBT_SECONDS = 0.05
_DOUBT_SHARE = 0.25
_MOST_DOUBT_SECONDS = 0.5
#: The same for a server whose last sign was true: its next one may be false all the same, once our certificate expires.
_BRIEF_DOUBT_SECONDS = 0.005

#: For how long after the acceptance an orderly end without any data is a verdict. It is less than the time that servers
#: of tlscomm give a client to send its first message (5 s).
VERDICT_SECONDS = 4.0


def silencePatience(deadlines: Deadlines, history: AcceptanceHistory, elapsed: float) -> float:
    """Return how many seconds a server that shows nothing is waited for.

    Args:
        deadlines: of the client.
        history: what it knows of its server.
        elapsed: the seconds since TCP was connected: less than the network needs is not enough.
    """
    patience = min(deadlines.acceptance, _BRIEF_SILENCE) if history.isUsuallySilent else deadlines.acceptance
    return max(patience, 2 * elapsed)


def doubtPatience(history: AcceptanceHistory, elapsed: float) -> float:
    """Return for how many seconds a refusal may follow a sign of acceptance.

    Args:
        history: what the client knows of its server.
        elapsed: the seconds since TCP was connected.
    """
    if history.keepsItsWord:
        return _BRIEF_DOUBT_SECONDS
    return max(DOUBT_SECONDS, min(_MOST_DOUBT_SECONDS, _DOUBT_SHARE * elapsed))


def learn(
    history: AcceptanceHistory, acceptance: Literal["seen", "assumed"], *, hasSentData: bool, hasFailed: bool
) -> None:
    """Remember what the server's sign of acceptance was worth, or that it gave none.

    Args:
        history: what the client knows of its server.
        acceptance: whether there was a sign.
        hasSentData: whether the server has sent application data.
        hasFailed: whether the connection has ended in a failure.
    """
    if acceptance == "assumed":
        history.isUsuallySilent = history.isUsuallySilent or hasSentData
    elif hasSentData or hasFailed:
        history.keepsItsWord = hasSentData
