"""What we present. Part of the table of settings."""

from __future__ import annotations

from tlscomm.configuration._settingtypes import (
    CLIENTS,
    SERVERS,
    STRINGS,
    CommandText,
    Interface,
    Setting,
    Text,
    Whole,
    YesNo,
)

__all__ = ["CREDENTIALS"]

_TWISTD = Interface.TWISTD
_CONNECT = Interface.CONNECT
_VERIFY = Interface.VERIFY
_INSPECT = Interface.INSPECT
_ADD = Interface.STORE_ADD
_EXPORT = Interface.STORE_EXPORT
_ANALYZE = Interface.ANALYZE
#: Where a credential of our own is named.
_OURS = SERVERS | CLIENTS

CREDENTIALS = (
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
        "renewCommand",
        CommandText(),
        _TWISTD,
        "The command that renews the identity. The server runs it before the certificate expires, without a shell, and "
        "takes the files that it has written.",
        otherwise="another program renews it",
        see=":doc:`operation-renewal`",
    ),
    Setting(
        "renewBefore",
        Whole(metavar="HOURS"),
        _TWISTD,
        "How many hours before the certificate expires ``{renewCommand}`` is run.",
        otherwise="when a third of its time is left",
        see=":doc:`operation-renewal`",
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
)
