"""How much of a server all its peers, or one of them, may have. Part of the table of settings."""

from __future__ import annotations

from tlscomm.configuration._settingtypes import SERVERS, Interface, PrefixLengths, Rate, Seconds, Setting, Whole

__all__ = ["LIMITS"]

_TWISTD = Interface.TWISTD

LIMITS = (
    Setting(
        "maximumConnections",
        Whole(),
        SERVERS | Interface.TUNNEL,
        "The most connections at a time. One more is closed at once (``too-many-connections``).",
        otherwise="no limit",
        isProcessWide=True,
        differing={
            Interface.TUNNEL: {"default": 10000, "otherwise": ""},
            _TWISTD: {
                "about": "The most connections at a time, on all ports together. One more is closed at once "
                "(``too-many-connections``).",
                "default": 10000,
                "otherwise": "",
            },
        },
    ),
    Setting(
        "maximumPending",
        Whole(),
        SERVERS,
        "The most connections at a time that have yet to be accepted. One more is closed at once "
        "(``too-many-handshakes``).",
        otherwise="no limit",
        see=":ref:`limits`",
        isProcessWide=True,
    ),
    Setting(
        "connectionsPerAddress",
        Whole(),
        SERVERS,
        "The most connections at a time of one address. One more is closed at once (``too-many-connections``).",
        otherwise="no limit",
        see=":ref:`limits`",
        isProcessWide=True,
    ),
    Setting(
        "connectionsPerIdentity",
        Whole(),
        SERVERS,
        "The most connections at a time of one client, by the names in its certificate. One more is refused before it "
        "is accepted (``too-many-connections``).",
        otherwise="no limit",
        see=":ref:`limits`",
        isProcessWide=True,
    ),
    Setting(
        "handshakeRate",
        Rate(),
        SERVERS,
        "How many connections may come in a second. Those beyond are closed at once (``too-many-handshakes``).",
        otherwise="no limit",
        see=":ref:`limits`",
        isProcessWide=True,
    ),
    Setting(
        "handshakeRatePerAddress",
        Rate(),
        SERVERS,
        "How many connections of one address may come in a second; ``0.2`` is one in five seconds. Those beyond are "
        "closed at once (``too-many-handshakes``).",
        otherwise="no limit",
        see=":ref:`limits`",
        isProcessWide=True,
    ),
    Setting(
        "refusalsPerAddress",
        Whole(),
        SERVERS,
        "When so many connections of one address were refused in a minute, all others of it are closed at once for a "
        "minute (``too-many-refusals``).",
        otherwise="no limit",
        see=":ref:`limits`",
        isProcessWide=True,
    ),
    Setting(
        "addressPrefix",
        PrefixLengths(),
        SERVERS,
        "How many leading bits of an IPv4 and of an IPv6 address count as one address for the limits.",
        otherwise="``32,64``",
        see=":ref:`limits`",
        isProcessWide=True,
    ),
    Setting(
        "connectionLifetime",
        Seconds(),
        SERVERS,
        "Seconds that an accepted connection may last; then it ends in order (``lifetime-over``). It may be a tenth "
        "less, so that not all end together.",
        otherwise="no limit",
        see=":ref:`limits`",
    ),
    Setting(
        "idleTimeout",
        Seconds(),
        SERVERS,
        "Seconds for which neither side of an accepted connection may send anything; then it ends in order "
        "(``idle-timeout``). It holds for every application, and may be a quarter more.",
        otherwise="no limit",
        see=":ref:`limits`",
    ),
)
