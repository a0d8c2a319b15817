"""How times are written in messages: everywhere in the same way."""

from __future__ import annotations

from datetime import datetime, timezone

__all__ = ["timeText"]


def timeText(time: datetime) -> str:
    """Return a time as everywhere else in failures and JSON: ISO 8601 in UTC, to the second."""
    return time.astimezone(timezone.utc).isoformat(timespec="seconds")
