"""What is done with connections that are accepted, and how they are made. Part of the table of settings."""

from __future__ import annotations

from tlscomm.configuration._settingtypes import (
    CLIENTS,
    SERVERS,
    GroupsText,
    Interface,
    ProtocolsText,
    ProxyText,
    Seconds,
    Setting,
    Text,
    Whole,
    Word,
    YesNo,
)

__all__ = ["CONNECTIONS"]

_TWISTD = Interface.TWISTD
_CONNECT = Interface.CONNECT
_CLIENT_STRING = Interface.CLIENT_STRING
_TUNNEL = Interface.TUNNEL
_VERSIONS = Word(("1.2", "1.3"))

CONNECTIONS = (
    Setting(
        "application",
        Text("NAME"),
        _TWISTD,
        "What is done with the messages: ``echo`` returns each, ``greet`` answers each with a greeting, and "
        "``package.module:name`` is a class that extends ``tlscomm.messages.MessageProtocol``, or any protocol factory "
        "of Twisted's, to which ``{framing}``, ``{maximumMessage}`` and ``{readTimeout}`` do not apply.",
        otherwise="``echo``",
    ),
    Setting(
        "forward",
        Text("[NAME=]ENDPOINT"),
        _TWISTD,
        "Take the place of an application: make a connection to ENDPOINT, a client endpoint string of Twisted's, for "
        "each client that was accepted, and pass on what comes, both ways. ``tcp:127.0.0.1:5432`` and "
        "``unix:/run/service.sock`` for example, or ``tlscomm:`` with TLS on that side too. With NAME it is for "
        "clients that ask for this server name; the one without is for all others, which are refused "
        "(``unknown-server-name``) where there is none. Clients have to have a certificate unless "
        "``{clientCertificates}`` says otherwise.",
        otherwise="the application",
        isRepeatable=True,
        see=":doc:`operation-tunnel`",
    ),
    Setting(
        "sendProxy",
        Word(("v1", "v2", "v2-ssl", "v2-ssl-cn")),
        _TWISTD,
        "Begin each connection of ``{forward}`` with a header of the PROXY protocol, which tells the server there who "
        "the client is. The words are HAProxy's: ``v2-ssl`` tells of TLS too, and ``v2-ssl-cn`` the common name of the "
        "client's certificate.",
        otherwise="no header",
        see=":doc:`operation-proxy`",
    ),
    Setting(
        "sendProxyOptions",
        Word(("ssl", "cert-cn", "ssl-cipher", "cert-sig", "cert-key", "authority", "crc32c", "unique-id")),
        _TWISTD,
        "What else a header of ``{sendProxy}`` tells, in the words of HAProxy's ``proxy-v2-options``.",
        default=(),
        isRepeatable=True,
        see=":doc:`operation-proxy`",
    ),
    Setting(
        "insecureForwardPlain",
        YesNo(),
        _TWISTD,
        "Have ``{forward}`` pass on in the clear to another machine: what TLS has protected can be read and changed on "
        "the way there.",
        default=False,
        see=":doc:`operation-tunnel`",
    ),
    Setting(
        "connectTimeout",
        Seconds(),
        _TWISTD,
        "Seconds for the connection that ``{forward}`` makes, its handshake included (``backend-unavailable``); 0 for "
        "no limit.",
        default=10,
        see=":doc:`operation-tunnel`",
    ),
    Setting(
        "halfCloseTimeout",
        Seconds(),
        _TWISTD | _TUNNEL,
        "Seconds that a connection of ``{forward}`` may stay without a byte when one side has ended (``close-timeout``)"
        "; 0 for no limit.",
        default=600,
        differing={
            _TUNNEL: {
                "about": "Seconds that a connection may stay without a byte when one side has ended "
                "(``close-timeout``); 0 for no limit."
            }
        },
        see=":doc:`operation-tunnel`",
    ),
    Setting(
        "hook",
        Text("NAME"),
        _TWISTD,
        "``package.module:name``: a function that decides about each client before it is accepted, and may answer "
        "later. It is imported as an application is. Without one, each client is accepted that has a valid certificate "
        "and that ``{allow}`` and ``{deny}`` let pass.",
        see=":doc:`hooks`",
    ),
    Setting(
        "upgrade",
        Word(("postgresql",)),
        SERVERS | CLIENTS,
        "The protocol in which a connection begins in the clear, before it changes to TLS: ``postgresql`` "
        "(``SSLRequest``). Nothing but the change is done in it.",
        otherwise="TLS from the first byte on",
        see=":doc:`upgrading`",
        differing={
            CLIENTS: {
                "type": Word(("imap", "ldap", "pop3", "postgresql", "smtp")),
                "about": "The protocol in which a connection begins in the clear, before it changes to TLS: ``smtp``, "
                "``imap`` and ``pop3`` (``STARTTLS``), ``ldap`` (StartTLS), ``postgresql`` (``SSLRequest``). Nothing "
                "but the change is done in it.",
            }
        },
    ),
    Setting(
        "proxy",
        ProxyText(),
        CLIENTS,
        "The proxy to connect through, which resolves the server's name: ``socks5://HOST:PORT`` or "
        "``http://HOST:PORT``, with ``USER@`` before its host where it asks who we are. The pass word is in the "
        "environment variable ``TLSCOMM_PROXY_PASSWORD``.",
        otherwise="none: straight to the server",
        see=":ref:`proxies`",
    ),
    Setting(
        "alpn",
        ProtocolsText(),
        _CONNECT | _CLIENT_STRING | _TUNNEL,
        "The application protocols to offer (ALPN, RFC 7301), the preferred one first. A server that chooses none of "
        "them and has others is refused (``no-common-protocol``).",
        otherwise="what the protocol above TLS names, or none",
    ),
    Setting(
        "resumption",
        YesNo(),
        SERVERS | _CLIENT_STRING | _TUNNEL,
        "Resume no sessions: each connection costs a full handshake, in which certificates are sent.",
        default=True,
        see=":doc:`sessions`",
    ),
    Setting(
        "revalidation",
        YesNo(),
        SERVERS | CLIENTS,
        "Keep an open connection although its {peer} would not be accepted any more, because a certificate has expired "
        "or was revoked, or because the rules have changed.",
        default=True,
        see=":doc:`sessions`",
        formerly=("judgesAgain=", "--no-judging-again"),
    ),
    Setting(
        "framing",
        Word(("eof", "line", "netstring", "int32")),
        _TWISTD | _CONNECT,
        "How messages are told apart: ``eof``, ``line``, ``netstring`` or ``int32``.",
        default="eof",
        see=":doc:`messages`",
        differing={_CONNECT: {"about": "How messages are told apart; the server must have the same framing."}},
    ),
    Setting(
        "maximumMessage",
        Whole(metavar="BYTES"),
        _TWISTD | _CONNECT,
        "The most bytes that a message may have, either way. A longer one ends the connection (``message-too-long``).",
        default=1 << 20,
    ),
    Setting(
        "minimumTLS",
        _VERSIONS,
        SERVERS | CLIENTS,
        "The oldest version of TLS that is spoken: 1.2 or 1.3.",
        default="1.2",
    ),
    Setting(
        "maximumTLS",
        _VERSIONS,
        SERVERS | CLIENTS,
        "The newest version of TLS that is spoken: 1.2 or 1.3.",
        default="1.3",
    ),
    Setting(
        "groups",
        GroupsText(),
        SERVERS | CLIENTS,
        "The key exchange groups that are accepted, the preferred one first, and no others (``no-common-group``). "
        "``X25519MLKEM768`` alone insists on one that later quantum computers do not break. The names are IANA's and "
        "OpenSSL's, in upper or lower case.",
        otherwise="OpenSSL's, of which ``X25519MLKEM768`` is the first",
        see=":doc:`fingerprints`",
    ),
    Setting(
        "timeout",
        Seconds(),
        CLIENTS,
        "Seconds for the TCP connection; 0 for no limit.",
        default=30,
        differing={
            _CONNECT: {
                "about": "Seconds for the TCP connection, for the handshake and for each reply; 0 for no limit. It "
                "also bounds a write that does not move and the end of the connection, which otherwise have 5 each.",
                "default": None,
                "otherwise": "10, 10 and 5",
            }
        },
    ),
    Setting(
        "handshakeTimeout",
        Seconds(),
        SERVERS | _CLIENT_STRING | _TUNNEL,
        "Seconds from the TCP connection until both sides have accepted each other (``handshake-timeout``); 0 for no "
        "limit.",
        default=10,
    ),
    Setting(
        "hookTimeout",
        Seconds(),
        _TWISTD,
        "Seconds in which the hook must answer (``hook-timeout``); 0 for no limit but the handshake's, which always "
        "holds as well.",
        default=5,
    ),
    Setting(
        "readTimeout",
        Seconds(),
        _TWISTD,
        "Seconds in which the next message must come (``read-timeout``); 0 for no limit, for clients that stay "
        "connected and are silent.",
        default=5,
    ),
    Setting(
        "writeTimeout",
        Seconds(),
        SERVERS | _CLIENT_STRING | _TUNNEL,
        "Seconds in which some of the bytes that are queued for the {peer} must move (``write-timeout``); 0 for no "
        "limit.",
        default=5,
        differing={
            _TWISTD: {"default": None, "otherwise": "5, and 3600 with ``{forward}``"},
            _TUNNEL: {"default": 3600},
        },
    ),
    Setting(
        "closeTimeout",
        Seconds(),
        SERVERS | _CLIENT_STRING | _TUNNEL,
        "Seconds for the {peer}'s answer to the end of a connection (``close-timeout``); 0 for no limit.",
        default=5,
        differing={
            _TWISTD: {
                "about": "Seconds for a client's answer to the end of a connection (``close-timeout``), and for all "
                "connections to end when the server stops; 0 for no limit, except that a stop takes 5 seconds at most."
            }
        },
    ),
)
