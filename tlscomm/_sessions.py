"""The sessions that a client may resume.

A session belongs to one configuration: to one server's name, one set of authorities and one credential, so that it can
never stand for another one of these. Few are kept, because each holds the server's certificates, and a server takes
each one back once (RFC 8446, appendix C.4).
"""

from __future__ import annotations

from collections import deque

from OpenSSL import SSL

__all__ = ["Sessions"]

_MOST = 8


class Sessions:
    """Keeps the latest sessions of one configuration."""

    def __init__(self) -> None:
        self._kept: deque[SSL.Session] = deque(maxlen=_MOST)

    def keep(self, connection: SSL.Connection) -> None:
        """Keep the session of a connection that was accepted."""
        if (session := connection.get_session()) is not None:
            self._kept.append(session)

    def resume(self, connection: SSL.Connection) -> None:
        """Have a new connection offer the latest session, which is then spent."""
        if self._kept:
            connection.set_session(self._kept.pop())
