"""The states of a connection, and what was agreed when it is open.

    state          means                                     goes on to
    -------------  ----------------------------------------  --------------------------------------------------------
    HANDSHAKE      the handshake is under way                 PENDING, UNCONFIRMED, OPEN, FAILED
    PENDING        a hook was asked about the peer, and has   HANDSHAKE, UNCONFIRMED, OPEN, FAILED
                   yet to answer; our next flight is held
    UNCONFIRMED    we have accepted the peer, and wait for    OPEN (a ticket or data came, or `confirm`), FAILED
                   a sign that it has accepted us
    OPEN           both sides have accepted each other        CLOSED, FAILED
    CLOSED         the peer has sent its close_notify         none
    FAILED         `failure` says why                         none

UNCONFIRMED exists because of TLS 1.3. A client has finished its handshake when the server has yet to look at its
certificate (RFC 8446, section 4.4.2), so a handshake that is done says nothing. OpenSSL, Go, GnuTLS and Python send a
session ticket once they have accepted and none when they refuse. Application data leaves `receive` only in the states
OPEN and CLOSED.

A ticket, and under TLS 1.2 the Finished of the server, is a sign and no proof. nginx sends it, looks at the certificate
then, and refuses by an orderly close. So what comes in the same read counts before the sign; `isConfirmed` tells
whether a refusal may still follow closely; and a server that ends the connection before it has sent any data has
refused us, however orderly the end is.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from enum import Enum
from typing import Literal

from tlscomm._dataclasses import dataclass
from tlscomm.credentials import CredentialChoice

__all__ = ["Acceptance", "State", "TLSFacts"]

Acceptance = Literal["seen", "assumed"]


class State(Enum):
    """Where a connection is in its life."""

    HANDSHAKE = "handshake"
    PENDING = "pending"
    UNCONFIRMED = "unconfirmed"
    OPEN = "open"
    CLOSED = "closed"
    FAILED = "failed"


@dataclass(frozen=True)
class TLSFacts:
    """What was agreed in the handshake.

    Attributes:
        version: ``TLSv1.2`` or ``TLSv1.3``.
        cipher: the cipher suite in OpenSSL's name.
        group: the key exchange group, or None where the version or the resumption has none.
        alpn: the application protocol, or None where none was negotiated.
        resumed: whether an earlier session was resumed.
        serverName: the name that the client asked for (RFC 6066), or None.
        acceptance: ``seen`` where the peer has shown that it accepted us, ``assumed`` where it gave no sign in time.
        choice: which of several credentials of ours was shown, and why; None where there was nothing to choose.
        ja4: the JA4 fingerprint of the client's first message, where a server works it out (`ServerConfiguration.ja4`).
    """

    version: str
    cipher: str
    group: str | None
    alpn: str | None
    resumed: bool
    serverName: str | None
    acceptance: Acceptance
    choice: CredentialChoice | None = None
    ja4: str | None = None

    def toJSON(self) -> dict[str, object]:
        # Not by asdict alone, which would go on into the credential and its private key.
        choice = None if self.choice is None else self.choice.toJSON()
        return {**asdict(replace(self, choice=None)), "choice": choice}
