"""The two sides of a connection."""

from __future__ import annotations

from typing import Literal

__all__ = ["ROLES", "Role", "otherRole"]

Role = Literal["client", "server"]
"""A side of a connection, by what it does in the handshake (RFC 8446, section 2)."""

ROLES: tuple[Role, ...] = ("server", "client")


def otherRole(role: Role) -> Role:
    """Return the role of the peer of a side."""
    return "client" if role == "server" else "server"
