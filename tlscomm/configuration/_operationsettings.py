"""How one process, or several that are one server, are operated. Part of the table of settings."""

from __future__ import annotations

from tlscomm.configuration._settingtypes import Setting

__all__ = ["OPERATION"]

OPERATION: tuple[Setting, ...] = ()
