"""Where a server listens. Part of the table of settings."""

from __future__ import annotations

from tlscomm.configuration._settingtypes import STRINGS, Interface, Setting, Text

__all__ = ["PLACES"]

_TWISTD = Interface.TWISTD
_SERVER_STRING = Interface.SERVER_STRING

PLACES = (
    Setting(
        "listen",
        Text("ENDPOINT"),
        _TWISTD,
        "Where to listen: a Twisted server endpoint string for the TCP side, ``tcp:8443`` or ``tcp6:8443`` for "
        "example. ``tlscomm:`` and ``ssl:`` are refused, because the server adds the TLS itself.",
        default=("tcp:8443:interface=127.0.0.1",),
        isRepeatable=True,
    ),
    Setting(
        "endpoint",
        Text("ENDPOINT"),
        STRINGS,
        r"The endpoint string to run over instead of TCP, ``endpoint=unix\:/run/my.sock`` for example.",
        otherwise="TCP",
    ),
    Setting(
        "interface",
        Text("ADDRESS", mayBeEmpty=True),
        _SERVER_STRING,
        "The address to listen on.",
        otherwise="all IPv4 addresses",
    ),
)
