"""Why a server cannot start, where another process has found that out and has said all of it."""

from __future__ import annotations

from twisted.python.usage import UsageError

__all__ = ["RefusedStart"]


class RefusedStart(UsageError):
    """A server of these settings cannot start. The message is whole, with a next step."""
