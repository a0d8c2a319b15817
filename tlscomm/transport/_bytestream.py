"""Protocols above that take the end of a connection for the end of what is said on it."""

from __future__ import annotations

from typing import Any

from zope.interface import Interface

__all__ = ["IByteStream", "isByteStream"]


class IByteStream(Interface):
    """A protocol that passes bytes on, and does not know where in them anything ends.

    An end in order is for such a protocol alone to ask for. What ends its connection from elsewhere, a limit, a verdict
    or a server that stops, cuts it, so that neither side takes what it has for all that there is.
    """


def isByteStream(protocol: Any) -> bool:
    """Return whether a protocol is one of these."""
    return bool(IByteStream.providedBy(protocol))
