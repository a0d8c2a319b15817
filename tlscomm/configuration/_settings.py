"""Every setting of a server and of a client, once.

The options of ``twistd tlscomm`` and of the ``tlscomm`` commands, the arguments of endpoint strings and the tables of
the documentation are made from this table, in its order. A new setting is one entry here.
"""

from __future__ import annotations

from typing import Any

from tlscomm.configuration._settingtypes import (
    CLIENTS,
    SERVERS,
    STRINGS,
    AccessRuleText,
    Interface,
    PinText,
    Seconds,
    Setting,
    Text,
    Whole,
    Word,
    YesNo,
)

__all__ = ["SETTINGS", "defaultsOn", "formerNamesOn", "settingsOn"]

_TWISTD, _CONNECT, _VERIFY, _INSPECT = Interface.TWISTD, Interface.CONNECT, Interface.VERIFY, Interface.INSPECT
_SERVER_STRING, _CLIENT_STRING = Interface.SERVER_STRING, Interface.CLIENT_STRING
_ADD, _EXPORT, _ANALYZE = Interface.STORE_ADD, Interface.STORE_EXPORT, Interface.ANALYZE
#: Where a credential of our own is named.
_OURS = SERVERS | CLIENTS
#: Where it is said how peers are verified.
_JUDGES = SERVERS | CLIENTS | _VERIFY

_VERSIONS = Word(("1.2", "1.3"))

_ONE_FILE = "a file or a folder, ``store:LOCATION/NAME``, or ``system``"

SETTINGS = (
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
    Setting(
        "identity",
        Text("SOURCE"),
        _OURS,
        "Our certificate with its chain and private key: a PEM or PFX file, or "
        "``store:LOCATION/NAME:FIELD=VALUE``. A server's string must have one. Of several, the one is shown that the "
        "peer can use.",
        isRepeatable=True,
        separator=";",
        see=":ref:`several`",
        differing={
            _TWISTD: {
                "about": "The server's certificate with its chain and private key: a PEM or PFX file, or "
                "``store:LOCATION/NAME:FIELD=VALUE``. Of several, each client is shown the one for the name that it "
                "asks for and with a key that it can verify; the first where none fits.",
                "otherwise": "a development identity",
            },
            _CONNECT: {
                "about": "Our certificate with its chain and private key: a PEM, PFX or DER file, or "
                "``store:LOCATION/NAME:FIELD=VALUE``. It is shown only to a server that asks for one. Of several, the "
                "one is shown that the server accepts, by its list of authorities and the signatures that it can "
                "verify."
            },
        },
    ),
    Setting(
        "key",
        Text("FILE"),
        _OURS | _VERIFY | _INSPECT | _ADD,
        "The file with the private key, where ``{identity}`` has none. Of several, each is that of the certificate "
        "that it fits.",
        isRepeatable=True,
        separator=";",
        differing={
            _VERIFY: {"about": "The private key, where CREDENTIAL has none.", "isRepeatable": False},
            _INSPECT: {
                "about": "The private key, where it is kept apart: says whether each FILE's certificate is its. Keys "
                "that are in FILE are then not looked at.",
                "isRepeatable": False,
            },
            _ADD: {"about": "The private key, where FILE has none.", "isRepeatable": False},
        },
    ),
    Setting(
        "passphraseFile",
        Text("FILE"),
        _OURS | _VERIFY | _INSPECT | _ADD | _EXPORT | _ANALYZE,
        "The file whose first line is the pass phrase of what is encrypted, authorities included. Of several pass "
        "phrases, in files, in environment variables and in open files, all are tried.",
        isRepeatable=True,
        separator=";",
        differing={
            _EXPORT: {
                "about": "The file whose first line becomes the new file's pass phrase. It comes from one place.",
                "isRepeatable": False,
            }
        },
    ),
    Setting(
        "passphraseEnv",
        Text("VAR"),
        _OURS | _VERIFY | _INSPECT | _ADD | _EXPORT | _ANALYZE,
        "The environment variable that holds a pass phrase.",
        isRepeatable=True,
        separator=";",
        differing={
            _EXPORT: {"about": "The environment variable that holds the new file's pass phrase.", "isRepeatable": False}
        },
    ),
    Setting(
        "passphraseFD",
        Whole(0),
        _OURS | _VERIFY | _INSPECT | _ADD | _EXPORT | _ANALYZE,
        "The number of an open file whose first line is a pass phrase. Where no option names a pass phrase, it is "
        "systemd's credential ``tlscomm.passphrase``; where there is none, the person at the terminal is asked.",
        isRepeatable=True,
        separator=";",
        differing={
            STRINGS: {
                "about": "The number of an open file whose first line is a pass phrase. Where no argument names a pass "
                "phrase, it is systemd's credential ``tlscomm.passphrase``, if there is one."
            },
            _EXPORT: {
                "about": "The number of an open file whose first line becomes the new file's pass phrase. Where no "
                "option names one, the person at the terminal is asked.",
                "isRepeatable": False,
            },
        },
    ),
    Setting(
        "insecureAllowReadableKey",
        YesNo(),
        _OURS | _VERIFY,
        "Accept a private key in a file that other users of the machine can read. Such a key is otherwise refused "
        "(``unsafe-permissions``).",
        default=False,
    ),
    Setting(
        "clientCertificates",
        Word(("none", "requested", "required")),
        SERVERS,
        "Whether clients must present a certificate. ``none``: they are not asked for one. ``required``: a client "
        "without one is refused (``no-certificate``). ``requested``: a client without one is accepted. A certificate "
        "that a client presents is always verified.",
        otherwise="``required`` with ``{clientRoots}``, else ``none``",
        differing={
            _TWISTD: {
                "otherwise": "``required`` with ``{clientRoots}`` and with the development identity, else ``none``"
            }
        },
    ),
    Setting(
        "clientRoots",
        Text("SOURCE"),
        SERVERS | _ANALYZE,
        f"The authorities that may issue client certificates: {_ONE_FILE}. The server sends their names to clients, "
        "which choose their certificate by them, unless they have more than 64 kilobytes.",
        default=(),
        isRepeatable=True,
        differing={
            _ANALYZE: {"about": f"The authorities that clients' certificates are judged by: {_ONE_FILE}."},
        },
    ),
    Setting(
        "roots",
        Text("SOURCE"),
        CLIENTS | _VERIFY | _INSPECT | _ANALYZE,
        f"The authorities that may issue the server's certificate: {_ONE_FILE}. Where any are named, no others are "
        "trusted.",
        default=(),
        otherwise="``system``",
        isRepeatable=True,
        differing={
            _VERIFY: {
                "about": f"The authorities that the other side trusts: {_ONE_FILE}. For a client's credential they "
                "must be named.",
                "otherwise": "``system`` for a server's credential",
            },
            _INSPECT: {
                "about": f"The authorities that peers trust: {_ONE_FILE}. A chain then has to lead to one of them.",
                "isRepeatable": False,
                "default": None,
                "otherwise": "",
            },
            _ANALYZE: {
                "about": f"The authorities that servers' certificates are judged by: {_ONE_FILE}.",
                "otherwise": "",
            },
        },
    ),
    Setting(
        "serverName",
        Text("NAME"),
        CLIENTS | _VERIFY,
        "The name or address that the server's certificate must be for, and that the client asks for.",
        otherwise="HOST",
        differing={
            _CLIENT_STRING: {"otherwise": "HOST; with ``{endpoint}`` it must be given"},
            _VERIFY: {"about": "The name that clients ask for.", "otherwise": "the certificate's own"},
        },
    ),
    Setting(
        "crl",
        Text("SOURCE"),
        _JUDGES,
        "A file with certificate revocation lists, in any form, or a folder with such files, which are read again when "
        "they change. With one, every certificate of the {peer}'s chain needs a valid list of its issuer.",
        default=(),
        isRepeatable=True,
        separator=",",
        see=":doc:`revocation`",
        differing={
            _VERIFY: {"about": "A revocation list that the other side has, PEM or DER, or a folder with such files."}
        },
    ),
    Setting(
        "revocation",
        Word(("off", "soft", "required")),
        _JUDGES,
        "What happens where nothing tells whether a certificate of the {peer}'s chain was revoked: ``required`` "
        "refuses the {peer} (``revocation-unknown``), ``soft`` warns, ``off`` does not look.",
        otherwise="``required`` with ``{crl}`` or ``{fetchCRLs}``, else ``soft``",
        differing={
            _CONNECT: {"otherwise": "``required`` with ``{crl}``, else ``soft``"},
            _VERIFY: {
                "about": "What the other side does where nothing tells whether a certificate was revoked: ``required`` "
                "refuses the credential (``revocation-unknown``), ``soft`` warns, ``off`` does not look.",
                "otherwise": "``required`` with ``{crl}``, else ``soft``",
            },
        },
    ),
    Setting(
        "fetchCRLs",
        Text("FOLDER"),
        SERVERS | _CLIENT_STRING,
        "The folder for revocation lists that are fetched in the background, from where the {peer}'s certificates say "
        "that they are published.",
        otherwise="nothing is fetched",
    ),
    Setting(
        "fetchFromPrivateAddresses",
        YesNo(),
        SERVERS | _CLIENT_STRING,
        "Fetch revocation lists, and the response to staple, from private, loopback and link-local addresses too. "
        "Otherwise an authority could name programs that answer on this machine or in its network alone.",
        default=False,
        see=":doc:`revocation`",
    ),
    Setting(
        "staple",
        Text("SOURCE"),
        SERVERS | _VERIFY,
        "An OCSP response (DER) for the server's certificate, which the server sends along with it: a file, which is "
        "read again when it changes, or ``fetch``, to fetch it in the background from the responder that the "
        "certificate names.",
        default=(),
        isRepeatable=True,
        separator=",",
        differing={
            _VERIFY: {
                "about": "An OCSP response (DER) that the server sends along with CREDENTIAL.",
                "isRepeatable": False,
                "default": None,
            }
        },
    ),
    Setting(
        "intermediates",
        Text("SOURCE"),
        _JUDGES,
        "Authorities that are known and not trusted by themselves, for {peer}s that do not send them: a file or a "
        "folder.",
        default=(),
        isRepeatable=True,
        separator=",",
    ),
    Setting(
        "pin",
        PinText(),
        _JUDGES,
        "A certificate or a key that must be in the {peer}'s chain: ``fingerprint=sha256:DIGEST`` or "
        "``spki=sha256:DIGEST``. Of several, one is enough.",
        default=(),
        isRepeatable=True,
        separator=",",
        differing={
            STRINGS: {
                "about": "A certificate or a key that must be in the {peer}'s chain: ``fingerprint=sha256DIGEST`` or "
                "``spki=sha256DIGEST``, without the colon after ``sha256``, which would end the argument. Of several, "
                "one is enough."
            },
            _VERIFY: {
                "about": "A certificate or a key that the other side wants in the chain: "
                "``fingerprint=sha256:DIGEST`` or ``spki=sha256:DIGEST``. Of several, one is enough."
            },
        },
    ),
    Setting(
        "profile",
        Word(("compatible", "strict")),
        _JUDGES,
        "How many of the rules for certificates are enforced. ``compatible``: those that make a chain secure. "
        "``strict``: those of form in RFC 5280 and the Web PKI's as well.",
        default="compatible",
        see=":doc:`verification`",
    ),
    Setting(
        "allow",
        AccessRuleText(),
        _JUDGES,
        "Accept only {peer}s that match this rule, of those with a valid certificate: ``cn=``, ``ou=``, ``o=``, "
        "``dns=``, ``ip=``, ``uri=``, ``trust-domain=``, ``email=``, ``issuer=``, ``authority=sha256:``, "
        "``authority-spki=sha256:``, ``spki=sha256:`` or ``fingerprint=sha256:`` and a value, with ``*`` for any part "
        "of one label; joined with ``&`` (and), ``|`` (or), ``!`` (not) and parentheses. Of several rules, one that "
        "matches is enough.",
        default=(),
        otherwise="every {peer} with a valid certificate",
        isRepeatable=True,
        separator=",",
        see=":doc:`access`",
        differing={
            _VERIFY: {
                "about": "An access rule of the other side, which accepts only credentials that match one.",
                "otherwise": "",
            }
        },
    ),
    Setting(
        "deny",
        AccessRuleText(),
        _JUDGES,
        "Refuse {peer}s that match this rule, whatever ``{allow}`` says. It is written as ``{allow}`` is.",
        default=(),
        isRepeatable=True,
        separator=",",
        differing={_VERIFY: {"about": "A rule of the other side, which refuses credentials that match it."}},
    ),
    Setting(
        "application",
        Text("NAME"),
        _TWISTD,
        "What is done with the messages: ``echo`` returns each, ``greet`` answers each with a greeting, and "
        "``package.module:name`` is a class that extends ``tlscomm.messages.MessageProtocol``, or any protocol factory "
        "of Twisted's, to which ``{framing}``, ``{maximumMessage}`` and ``{readTimeout}`` do not apply.",
        default="echo",
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
        "resumption",
        YesNo(),
        SERVERS | _CLIENT_STRING,
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
        SERVERS | _CLIENT_STRING,
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
        SERVERS | _CLIENT_STRING,
        "Seconds in which some of the bytes that are queued for the {peer} must move (``write-timeout``); 0 for no "
        "limit.",
        default=5,
    ),
    Setting(
        "closeTimeout",
        Seconds(),
        SERVERS | _CLIENT_STRING,
        "Seconds for the {peer}'s answer to the end of a connection (``close-timeout``); 0 for no limit.",
        default=5,
        differing={
            _TWISTD: {
                "about": "Seconds for a client's answer to the end of a connection (``close-timeout``), and for all "
                "connections to end when the server stops; 0 for no limit, except that a stop takes 5 seconds at most."
            }
        },
    ),
    Setting(
        "maximumConnections",
        Whole(),
        SERVERS,
        "The most connections at a time. One more is closed at once (``too-many-connections``).",
        otherwise="no limit",
        differing={
            _TWISTD: {
                "about": "The most connections at a time, on all ports together. One more is closed at once "
                "(``too-many-connections``).",
                "default": 10000,
                "otherwise": "",
            }
        },
    ),
    Setting(
        "trace",
        Text("FOLDER"),
        SERVERS | CLIENTS,
        "Write the trace of each connection into this folder: all messages of TLS each way, those that are encrypted "
        "included, and why it ended, as a file ``CONNECTION-OUTCOME-CODE.json``. The folder keeps the last thousand, "
        "100 MB together.",
        see=":ref:`live`",
        differing={
            _CONNECT: {
                "type": YesNo(),
                "about": "Show on standard error what passes while it passes, all messages of TLS each way, those that "
                "are encrypted included; then the whole handshake as a diagram. With ``--json`` the object has it as "
                "``trace``.",
                "default": False,
            }
        },
    ),
    Setting(
        "capture",
        Text("FILE"),
        SERVERS | CLIENTS,
        "Write all connections into this capture (pcapng), which Wireshark and ``tlscomm analyze`` open. It holds the "
        "secrets that decrypt them: who can read it can read what was said. Files that are full are kept as "
        "``FILE.1`` to ``FILE.4``.",
        see=":ref:`live`",
    ),
    Setting(
        "captureSize",
        Whole(1 << 19, metavar="BYTES"),
        SERVERS | CLIENTS,
        "How large each file of ``{capture}`` becomes.",
        otherwise=f"``{100 << 20}``",
    ),
    Setting(
        "keylog",
        Text("FILE"),
        SERVERS | CLIENTS,
        "Write the secrets of all connections into this file (``SSLKEYLOGFILE``, RFC 9850), for captures of others. "
        "Who can read it can decrypt them. No environment variable turns this on.",
        see=":ref:`live`",
    ),
    Setting(
        "refusedTraces",
        Whole(most=10_000),
        SERVERS,
        "Keep the traces of so many connections in memory that were refused last, in 4 MB at most. SIGUSR2 writes "
        "them into the log.",
        otherwise="none is kept",
        see=":ref:`live`",
        differing={
            _SERVER_STRING: {
                "about": "Keep the traces of so many connections in memory that were refused last, in 4 MB at most, "
                "as ``refusedTraces`` of the endpoint's factory."
            }
        },
    ),
    Setting(
        "traceApplicationData",
        Whole(most=1 << 20, metavar="BYTES"),
        SERVERS | CLIENTS,
        "Have so many bytes of application data, of each connection and direction, in ``{trace}``. Otherwise they are "
        "only counted.",
        otherwise="none",
        see=":ref:`live`",
        differing={
            _CONNECT: {
                "about": "Have so many bytes of application data, of each direction, in the ``trace`` of ``--json``. "
                "Otherwise they are only counted."
            }
        },
    ),
    Setting(
        "logFormat",
        Word(("text", "json")),
        _TWISTD,
        "``text``: events are lines of Twisted's log. ``json``: each is one line of JSON on standard output, and "
        "Twisted's log goes to standard error; a daemon has its lines in the log file.",
        default="text",
        see=":ref:`log`",
    ),
)


def settingsOn(interface: Interface) -> tuple[Setting, ...]:
    """Return the settings of an interface, or of any of several, each as it is there."""
    return tuple(setting.on(interface & setting.interfaces) for setting in SETTINGS if interface & setting.interfaces)


def defaultsOn(interface: Interface) -> dict[str, Any]:
    """Return the values of what is not said, by name. What has no default is not among them."""
    settings = settingsOn(interface)
    found = {each.name: each.type.parse(each.default, each.name) for each in settings if _hasDefault(each)}
    return {**{each.name: each.default or () for each in settings if each.isRepeatable}, **found}


def _hasDefault(setting: Setting) -> bool:
    return setting.default is not None and not setting.isRepeatable


def formerNamesOn(interface: Interface) -> dict[str, str]:
    """Return how the interface spells what was spelled otherwise before, by the former spelling."""
    isString = interface in STRINGS
    return {
        former: each.spelled(interface)
        for each in settingsOn(interface)
        for former in each.formerly
        if former.endswith("=") == isString
    }
