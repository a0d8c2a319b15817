"""What is seen of connections, and where it goes. Part of the table of settings."""

from __future__ import annotations

from tlscomm.configuration._settingtypes import CLIENTS, SERVERS, Interface, Setting, Text, Whole, Word, YesNo

__all__ = ["OBSERVATION"]

_TWISTD = Interface.TWISTD
_CONNECT = Interface.CONNECT
_SERVER_STRING = Interface.SERVER_STRING

OBSERVATION = (
    Setting(
        "ja4",
        YesNo(),
        SERVERS,
        "Work out the JA4 fingerprint of each client's first message, by which its program is known again: for log, "
        "status and ``transport.tls.ja4``. Access rules with ``ja4=`` have it worked out by themselves.",
        default=False,
        see=":ref:`ja4`",
    ),
    Setting(
        "trace",
        Text("FOLDER"),
        SERVERS | CLIENTS,
        "Write the trace of each connection into this folder: all messages of TLS each way, those that are encrypted "
        "included, and why it ended, as a file ``CONNECTION-OUTCOME-CODE.json``. The folder keeps the last thousand, "
        "100 MB together.",
        see=":ref:`live`",
        isProcessWide=True,
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
        isProcessWide=True,
    ),
    Setting(
        "captureSize",
        Whole(1 << 19, metavar="BYTES"),
        SERVERS | CLIENTS,
        "How large each file of ``{capture}`` becomes.",
        otherwise=f"``{100 << 20}``",
        isProcessWide=True,
    ),
    Setting(
        "keylog",
        Text("FILE"),
        SERVERS | CLIENTS,
        "Write the secrets of all connections into this file (``SSLKEYLOGFILE``, RFC 9850), for captures of others. "
        "Who can read it can decrypt them. No environment variable turns this on.",
        see=":ref:`live`",
        isProcessWide=True,
    ),
    Setting(
        "refusedTraces",
        Whole(most=10_000),
        SERVERS,
        "Keep the traces of so many connections in memory that were refused last, in 4 MB at most. SIGUSR2 writes "
        "them into the log.",
        otherwise="none is kept",
        see=":ref:`live`",
        isProcessWide=True,
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
        isProcessWide=True,
        differing={
            _CONNECT: {
                "about": "Have so many bytes of application data, of each direction, in the ``trace`` of ``--json``. "
                "Otherwise they are only counted."
            }
        },
    ),
    Setting(
        "logFormat",
        Word(("text", "json", "journal")),
        _TWISTD | Interface.TUNNEL,
        "``text``: events are lines of Twisted's log. ``json``: each is one line of JSON on standard output, and "
        "Twisted's log goes to standard error; a daemon has its lines in the log file. ``journal``: all that is logged "
        "goes into systemd's journal, with its facts as fields.",
        default="text",
        see=":ref:`log`",
        isProcessWide=True,
        differing={
            Interface.TUNNEL: {
                "about": "``text``: events are lines on standard error. ``json``: each is one line of JSON on standard "
                "output. ``journal``: each goes into systemd's journal, with its facts as fields.",
            }
        },
    ),
    Setting(
        "logFile",
        Text("FILE"),
        _TWISTD,
        "Write all that is logged into this file: with ``text`` Twisted's log, with ``json`` the events. When it is "
        "full it becomes ``FILE.1``, and so on, and the oldest is given up.",
        see=":doc:`operation-logs`",
        isProcessWide=True,
    ),
    Setting(
        "logSize",
        Whole(1 << 16, metavar="BYTES"),
        _TWISTD,
        "How large each file of ``{logFile}`` becomes.",
        otherwise=f"``{10 << 20}``",
        see=":doc:`operation-logs`",
        isProcessWide=True,
    ),
    Setting(
        "logFiles",
        Whole(1, 1000),
        _TWISTD,
        "How many files of ``{logFile}`` there are at most.",
        otherwise="``10``",
        see=":doc:`operation-logs`",
        isProcessWide=True,
    ),
)
