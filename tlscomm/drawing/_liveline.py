"""One line for what passes, for a trace that is shown while it comes."""

from __future__ import annotations

from tlscomm._wire.events import Event
from tlscomm.drawing._quantities import durationText, sizeText
from tlscomm.drawing._words import eventName, eventWords
from tlscomm.failures import printable

__all__ = ["liveLine"]

_LONGEST = 400


def liveLine(event: Event, began: int) -> str:
    """Return an event in one printable line: when, which side, its name, what it is for, and its size.

    Args:
        event: what was seen.
        began: when the connection began, in nanoseconds since 1970.
    """
    side = "client" if event.isFromClient else "server"
    about = [eventWords(event), event.detail, f"{sizeText(event.size)} bytes" if event.size else ""]
    said = "; ".join(printable(each, _LONGEST) for each in about if each)
    return f"{durationText(event.time - began):>9}  {side}  {printable(eventName(event))}: {said}"
