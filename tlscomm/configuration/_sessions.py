"""The sessions that a client may resume.

A session belongs to one configuration: to one server's name, one set of authorities and one credential, so that it can
never stand for another one of these. Few are kept, because each holds the server's certificates, and a server takes
each one back once (RFC 8446, appendix C.4).

A client that resumes a session sees no certificate and no OCSP response. So those of the first time are kept with it,
and what would be refused now is not resumed at all: a handshake in full may bring something better, or says why not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from cryptography import x509
from OpenSSL import SSL

from tlscomm._openssl.contexts import sessionOf

__all__ = ["Sessions"]

_MOST = 8


class _Kept(NamedTuple):
    session: SSL.Session
    presented: Sequence[x509.Certificate]
    staple: bytes | None
    wasAsked: bool


class Sessions:
    """Keeps the latest sessions of one configuration."""

    def __init__(self, context: SSL.Context) -> None:
        """
        Args:
            context: that of all connections when they begin.
        """
        self._context = context
        self._kept: deque[_Kept] = deque(maxlen=_MOST)
        self._resumed: WeakKeyDictionary[SSL.Connection, _Kept] = WeakKeyDictionary()

    def keep(
        self, connection: SSL.Connection, presented: Sequence[x509.Certificate], staple: bytes | None, wasAsked: bool
    ) -> None:
        """Keep the session of a connection that was accepted.

        Args:
            connection: the connection.
            presented: what the server has sent, its own certificate first.
            staple: the OCSP response that came with it.
            wasAsked: whether the server has asked for a certificate.
        """
        if (session := sessionOf(connection, self._context)) is not None:
            self._kept.append(_Kept(session, presented, staple, wasAsked))

    def resume(
        self, connection: SSL.Connection, isGood: Callable[[Sequence[x509.Certificate], bytes | None], bool]
    ) -> None:
        """Have a new connection offer the latest good session, which is then spent.

        Args:
            connection: the connection.
            isGood: returns whether a server would still be accepted.
        """
        while self._kept:
            kept = self._kept.pop()
            if isGood(kept.presented, kept.staple):
                connection.set_session(kept.session)
                self._resumed[connection] = kept
                return

    def forget(self) -> None:
        """Offer none of the sessions that were kept."""
        self._kept.clear()

    def stapleOf(self, connection: SSL.Connection) -> bytes | None:
        """Return the OCSP response that came with the session that a connection offers."""
        kept = self._resumed.get(connection)
        return None if kept is None else kept.staple

    def wasAsked(self, connection: SSL.Connection) -> bool:
        """Return whether the server asked for a certificate when the session began that a connection offers."""
        kept = self._resumed.get(connection)
        return kept is not None and kept.wasAsked
