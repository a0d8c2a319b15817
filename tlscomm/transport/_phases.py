"""The phases of a transport, from TCP's beginning to its end.

    phase        means                                              goes on to
    -----------  -------------------------------------------------  ---------------------------------------------------
    HANDSHAKE    the handshake is under way, or has yet to begin    ASKING, UNCONFIRMED, OPEN, LINGERING, ABORTED, LOST
    ASKING       a hook was asked about the peer, and has yet to    HANDSHAKE, LINGERING, ABORTED, LOST
                 answer; the peer has to wait
    UNCONFIRMED  we have accepted the peer, and give it some time   OPEN, LINGERING, ABORTED, LOST
                 to show that it has accepted us
    OPEN         the protocol above has the connection              FLUSHING, LINGERING, ABORTED, LOST
    FLUSHING     an end was asked for; what was written before      CLOSING, LINGERING, ABORTED, LOST
                 goes out
    CLOSING      close_notify is sent; the peer's is awaited, then  LINGERING, ABORTED, LOST
                 the end of TCP
    LINGERING    TLS has failed; our alert goes out, and what the   ABORTED, LOST
                 peer still sends is thrown away
    ABORTED      TCP is cut, and nothing more is sent or received   LOST
    LOST         TCP is gone                                        none

A transport is `connected` from OPEN until LOST, and `disconnecting` from FLUSHING, LINGERING or ABORTED on. Three
things are independent of the phase: whether the protocol above has paused, whether the peer has ended its side, and
whether we have ended ours and go on receiving, as a connection that is OPEN may.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["GOES_ON_TO", "Phase"]


class Phase(Enum):
    """Where a transport is in its life."""

    HANDSHAKE = "handshake"
    ASKING = "asking"
    UNCONFIRMED = "unconfirmed"
    OPEN = "open"
    FLUSHING = "flushing"
    CLOSING = "closing"
    LINGERING = "lingering"
    ABORTED = "aborted"
    LOST = "lost"

    # There is one object for each. Enum's own is a function in Python.
    __hash__ = object.__hash__


#: How every phase may end early.
_ENDS = (Phase.LINGERING, Phase.ABORTED, Phase.LOST)

#: The phases that each one goes on to; every other transition is a mistake of the transport.
GOES_ON_TO: dict[Phase, tuple[Phase, ...]] = {
    Phase.HANDSHAKE: (Phase.ASKING, Phase.UNCONFIRMED, Phase.OPEN, *_ENDS),
    Phase.ASKING: (Phase.HANDSHAKE, *_ENDS),
    Phase.UNCONFIRMED: (Phase.OPEN, *_ENDS),
    Phase.OPEN: (Phase.FLUSHING, *_ENDS),
    Phase.FLUSHING: (Phase.CLOSING, *_ENDS),
    Phase.CLOSING: _ENDS,
    Phase.LINGERING: (Phase.ABORTED, Phase.LOST),
    Phase.ABORTED: (Phase.LOST,),
    Phase.LOST: (),
}
