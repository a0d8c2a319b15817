"""What a message says, field by field, in the names of RFC 8446, RFC 5246 and the registries of IANA."""

from __future__ import annotations

from tlscomm._wire.events import Event, Field

__all__ = ["decode"]


def decode(event: Event) -> tuple[Field, ...]:
    """Return the fields of a handshake message or an alert, and none of anything else.

    What cannot be read is in a field ``undecodable``, behind those that could. Nothing is raised, whatever the peer has
    sent, and the number of fields is bounded.
    """
    return ()
