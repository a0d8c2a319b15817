"""A page that shows what a server does now: who is connected, who was refused and why, what expires.

It is made of the object that programs get as JSON, so the two cannot tell different things. It is HTML and a style
sheet and nothing else, as the page of a connection is (`tlscomm.drawing._page`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tlscomm.drawing._templates import render, styleHash, styleSheet

__all__ = ["drawStatus"]

#: Days left at which what expires is pointed out, and at which it is a warning.
_SOON, _VERY_SOON = 30, 7
#: Expiries that are shown; those that expire first.
_MOST_EXPIRIES = 50

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))


def drawStatus(status: Mapping[str, Any], *, refresh: int | None = None) -> str:
    """Return the page.

    Args:
        status: the object (`tlscomm.server`); each text in it may come from a peer.
        refresh: after how many seconds the browser asks again; None for never.
    """
    sheet = styleSheet("palette.css", "page.css", "status.css")
    expiries = sorted(status["expiries"], key=_daysLeft)
    return render(
        "status.html",
        status=status,
        refresh=refresh,
        sentence=_sentence(status),
        expiries=expiries[:_MOST_EXPIRIES],
        moreExpiries=max(0, len(expiries) - _MOST_EXPIRIES),
        age=_age,
        size=_size,
        moment=_moment,
        urgency=_urgency,
        shown=_shown,
        several=len(status["listeners"]) > 1,
        style=sheet,
        styleHash=styleHash(sheet),
    )


def _sentence(status: Mapping[str, Any]) -> str:
    """Return what an operator asks first, in a sentence or two."""
    opened = status["connections"]["open"]
    state = {
        "starting": "The server is starting",
        "ready": "The server is ready",
        "reloading": "The server is ready, and reads its configuration again",
        "draining": "The server is stopping, and takes no new connections",
        "stopped": "The server has stopped",
    }[status["phase"]]
    count = "one connection is open" if opened == 1 else f"{opened:,} connections are open"
    return " ".join([f"{state}; {count}.", *_troubles(status)])


def _troubles(status: Mapping[str, Any]) -> list[str]:
    found = []
    if (reloads := status["reloads"]) and not reloads[0]["taken"]:
        found.append("Its last configuration was not taken, and the one before is in use.")
    expired = [each for each in status["expiries"] if each["kind"] == "identity" and _daysLeft(each) < _VERY_SOON]
    if expired:
        first = min(expired, key=_daysLeft)
        left = _daysLeft(first)
        found.append(f"Its certificate {'has expired' if left < 0 else f'expires in {left:.0f} days'}.")
    return found


def _daysLeft(expiry: Mapping[str, Any]) -> float:
    return float("inf") if expiry["daysLeft"] is None else float(expiry["daysLeft"])


def _urgency(expiry: Mapping[str, Any]) -> str:
    left = _daysLeft(expiry)
    return "refused" if left < 0 else "failed" if left < _VERY_SOON else "unfinished" if left < _SOON else "accepted"


def _age(seconds: float) -> str:
    """Return a time in its two largest units."""
    left = int(max(0, seconds))
    parts: list[str] = []
    for unit, name in _UNITS:
        if left >= unit and len(parts) < 2:
            parts.append(f"{left // unit} {name}")
            left %= unit
    return " ".join(parts) or f"{left} s"


def _size(count: int) -> str:
    value = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def _moment(text: str) -> str:
    """Return a moment of the JSON as people write one."""
    return text[:19].replace("T", " ") + " UTC"


def _shown(value: object) -> str:
    """Return a value of a setting as one types it."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value)) or "none"
    return "not set" if value is None else value if isinstance(value, str) else json.dumps(value, default=str)
