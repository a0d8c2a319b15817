"""Where a server listens. Part of the table of settings."""

from __future__ import annotations

from tlscomm.configuration._settingtypes import SERVERS, STRINGS, Interface, NetworkText, Setting, Text, Word, YesNo

__all__ = ["PLACES"]

_TWISTD = Interface.TWISTD
_TUNNEL = Interface.TUNNEL
_SERVER_STRING = Interface.SERVER_STRING

PLACES = (
    Setting(
        "listen",
        Text("ENDPOINT"),
        _TWISTD | _TUNNEL,
        "Where to listen: a Twisted server endpoint string for the TCP side, ``tcp:8443`` or ``tcp6:8443`` for "
        "example. ``tlscomm:`` and ``ssl:`` are refused, because the server adds the TLS itself.",
        default=("tcp:8443:interface=127.0.0.1",),
        isRepeatable=True,
        differing={
            _TUNNEL: {
                "about": "Where to listen without TLS: a Twisted server endpoint string, "
                "``tcp:5432:interface=127.0.0.1`` or ``unix:/run/service.sock`` for example. Every program that can "
                "connect there speaks with the identity of the tunnel. A Unix socket is its user's alone, unless the "
                "string has a ``mode=``.",
                "default": (),
                "otherwise": "must be given",
            }
        },
    ),
    Setting(
        "insecureListenPlain",
        YesNo(),
        _TUNNEL,
        "Listen for other machines too: what they send here can be read and changed on the way, and each machine that "
        "reaches the port speaks with the identity of the tunnel.",
        default=False,
        see=":doc:`operation-tunnel`",
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
    Setting(
        "proxyFrom",
        NetworkText(),
        SERVERS,
        "A proxy, or a network of proxies, whose connections begin with a header of the PROXY protocol, which says who "
        "the client is: ``10.0.0.0/8``, ``2001:db8::1``, or ``unix`` for those that come to a UNIX socket. Their "
        "headers are believed, and one that is missing or broken is refused (``bad-proxy-header``). From any other "
        "address none is accepted.",
        default=(),
        isRepeatable=True,
        separator=",",
        see=":doc:`operation-proxy`",
    ),
    Setting(
        "proxyProtocol",
        Word(("v1", "v2", "any")),
        SERVERS,
        "Which versions of the PROXY protocol are accepted from ``{proxyFrom}``.",
        otherwise="``any``",
        see=":doc:`operation-proxy`",
    ),
)
