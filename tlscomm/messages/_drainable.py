"""What a protocol has that can be asked to end when nothing is under way."""

from __future__ import annotations

from zope.interface import Interface

__all__ = ["IDrainable"]


class IDrainable(Interface):
    """A protocol that a server, when it stops, asks to come to an end.

    A server waits for such protocols up to its drain limit. What does not provide this is left alone until then.
    """

    def drain() -> None:
        """End the connection (``transport.loseConnection``) as soon as nothing is under way on it; now, if nothing is.

        What is under way is what the peer counts on: a message that has come, or half of it, and the reply. Nothing new
        is begun. It is called at most once, after ``connectionMade``.
        """
