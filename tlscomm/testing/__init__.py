"""What tests of programs with TLS need: both sides in memory, credentials good and bad, and peers that misbehave.

Nothing here needs a network, and nothing waits: time is a ``twisted.internet.task.Clock`` that the test advances. It
works under pytest and under trial.

*Credentials*: `Authority` makes any certificate, `Gallery` one for each way in which a certificate can be wrong, and
`insecurelyPresenting` gets one past our own checks, so that the peer has to find it out.

*Sides*: `handshake` and `pump` are enough to ask what a handshake comes to. `Pair` connects whole transports with
protocols above them. `MemoryLink` is the TCP connection between two protocols of any kind.

*Peers that misbehave*: `StallingPeer`, `CuttingPeer`, `ResettingPeer`, `CorruptingPeer`, `DeafPeer`, `SlowPeer` and
`Speaker` take one side of a `Pair`, or of a real socket.
"""

from __future__ import annotations

from tlscomm.configuration import insecurelyPresenting
from tlscomm.issuing import Authority, Exhibit, Gallery
from tlscomm.testing._memory import MemoryLink, MemoryTransport
from tlscomm.testing._pairs import Pair, Recorder, Side
from tlscomm.testing._peers import (
    GARBAGE,
    HTTP_REQUEST,
    HTTP_RESPONSE,
    SSH_BANNER,
    CorruptingPeer,
    CuttingPeer,
    DeafPeer,
    HonestPeer,
    Point,
    ResettingPeer,
    SlowPeer,
    Speaker,
    StallingPeer,
)
from tlscomm.tls import handshake, pump

__all__ = [
    "GARBAGE",
    "HTTP_REQUEST",
    "HTTP_RESPONSE",
    "SSH_BANNER",
    "Authority",
    "CorruptingPeer",
    "CuttingPeer",
    "DeafPeer",
    "Exhibit",
    "Gallery",
    "HonestPeer",
    "MemoryLink",
    "MemoryTransport",
    "Pair",
    "Point",
    "Recorder",
    "ResettingPeer",
    "Side",
    "SlowPeer",
    "Speaker",
    "StallingPeer",
    "handshake",
    "insecurelyPresenting",
    "pump",
]
