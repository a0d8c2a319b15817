"""How much of a server all its peers, or one of them, may have. Part of the table of settings."""

from __future__ import annotations

from tlscomm.configuration._settingtypes import SERVERS, Interface, Setting, Whole

__all__ = ["LIMITS"]

_TWISTD = Interface.TWISTD

LIMITS = (
    Setting(
        "maximumConnections",
        Whole(),
        SERVERS,
        "The most connections at a time. One more is closed at once (``too-many-connections``).",
        otherwise="no limit",
        isProcessWide=True,
        differing={
            _TWISTD: {
                "about": "The most connections at a time, on all ports together. One more is closed at once "
                "(``too-many-connections``).",
                "default": 10000,
                "otherwise": "",
            }
        },
    ),
)
