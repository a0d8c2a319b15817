"""The secrets of connections, in the form that NSS made and RFC 9850 describes (``SSLKEYLOGFILE``)."""

from __future__ import annotations

import re
from hashlib import blake2b
from itertools import islice

__all__ = ["Secrets"]

#: So many are kept at once, some twenty megabytes, enough for twenty thousand connections under TLS 1.3.
_MOST = 100_000

#: So many sessions up to TLS 1.2 are remembered.
_MOST_SESSIONS = 10_000

#: The labels that open records (RFC 9850, section 2), each with a number for its place in a key. Others, those of
#: exporters and of ECH, open none.
_LABELS = {
    b"CLIENT_RANDOM": b"\0",
    b"CLIENT_EARLY_TRAFFIC_SECRET": b"\1",
    b"CLIENT_HANDSHAKE_TRAFFIC_SECRET": b"\2",
    b"SERVER_HANDSHAKE_TRAFFIC_SECRET": b"\3",
    b"CLIENT_TRAFFIC_SECRET_0": b"\4",
    b"SERVER_TRAFFIC_SECRET_0": b"\5",
}

#: A master secret has 48 bytes, a traffic secret as many as the hash of its suite: 32 or 48. The sizes are bounded, so
#: a line that goes on for ever is left early.
_LINE = re.compile(
    rb"^(%s)[ \t]+([0-9A-Fa-f]{64})[ \t]+([0-9A-Fa-f]{64}(?:[0-9A-Fa-f]{32})?)[ \t]*\r?$" % b"|".join(_LABELS),
    re.MULTILINE,
)


class Secrets:
    """Secrets of many connections, found by label and client random. Their number is bounded.

    Attributes:
        taken: how many lines of key logs were taken.
        areUsed: whether one of the secrets was looked for and found.
    """

    def __init__(self) -> None:
        self.taken = 0
        self.areUsed = False
        # One short key for each is a third of the memory of a tuple with a label.
        self._found: dict[bytes, bytes] = {}
        self._sessions: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, lines: bytes) -> None:
        """Take lines of a key log. What is no such line is passed over. Of one label and random, the last one holds.

        Where there are more than can be kept, the oldest are given up.
        """
        for line in _LINE.finditer(lines):
            self.taken += 1
            label, random, secret = line.groups()
            self._found[_LABELS[label] + bytes.fromhex(random.decode())] = bytes.fromhex(secret.decode())
            if len(self._found) > _MOST:
                self._found = dict(islice(self._found.items(), _MOST // 2, None))

    def find(self, label: str, clientRandom: bytes) -> bytes | None:
        """Return a secret, ``CLIENT_HANDSHAKE_TRAFFIC_SECRET`` for example, or None where it is not known."""
        found = self._found.get(_LABELS.get(label.encode(), b"") + clientRandom)
        self.areUsed = self.areUsed or found is not None
        return found

    def remember(self, session: bytes, master: bytes) -> None:
        """Keep the master secret of a session up to TLS 1.2, found by its identifier or its ticket.

        Some programs, those in Go for example, write no line for a connection that resumes it.
        """
        self._sessions[_short(session)] = master
        if len(self._sessions) > _MOST_SESSIONS:
            self._sessions = dict(islice(self._sessions.items(), _MOST_SESSIONS // 2, None))

    def recall(self, session: bytes) -> bytes | None:
        """Return the master secret of a session, or None where it is not known."""
        return self._sessions.get(_short(session))


def _short(session: bytes) -> bytes:
    """Return a name for a session; a ticket may have many kilobytes."""
    return blake2b(session, digest_size=16).digest()
