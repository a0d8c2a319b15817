"""From what was seen of a connection to its trace."""

from __future__ import annotations

from collections.abc import Sequence

from tlscomm._capture.packets import Address
from tlscomm._wire.events import Event
from tlscomm.failures import TLSFailure
from tlscomm.tracing._trace import Side, Trace, Verdict
from tlscomm.verification import Verifier

__all__ = ["assemble"]


def assemble(
    events: Sequence[Event],
    *,
    number: int = 1,
    client: Address | None = None,
    server: Address | None = None,
    side: Side | None = None,
    failure: TLSFailure | None = None,
    isFinished: bool = True,
    hasSecrets: bool = False,
    clientVerifier: Verifier | None = None,
    serverVerifier: Verifier | None = None,
) -> Trace:
    """Return the trace of one connection.

    Args:
        events: what was seen.
        number: of the connection.
        client: its address.
        server: the same.
        side: the side that traced itself, None for a capture.
        failure: of a live trace, what the connection ended with.
        isFinished: whether nothing more will come.
        hasSecrets: whether sealed records could be opened.
        clientVerifier: what the client's certificates are judged by; by themselves and the time alone where None.
        serverVerifier: the same for the server's.
    """
    return Trace(number, client, server, side, tuple(events), Verdict("unfinished"), failure, hasSecrets=hasSecrets)
