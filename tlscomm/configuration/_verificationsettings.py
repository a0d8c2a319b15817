"""What a peer has to be. Part of the table of settings."""

from __future__ import annotations

from tlscomm.configuration._settingtypes import (
    CLIENTS,
    SERVERS,
    STRINGS,
    AccessRuleText,
    Interface,
    PinText,
    Setting,
    Text,
    Word,
    YesNo,
)

__all__ = ["VERIFICATION"]

_TWISTD = Interface.TWISTD
_CONNECT = Interface.CONNECT
_VERIFY = Interface.VERIFY
_INSPECT = Interface.INSPECT
_CLIENT_STRING = Interface.CLIENT_STRING
_ANALYZE = Interface.ANALYZE
#: Where it is said how peers are verified.
_JUDGES = SERVERS | CLIENTS | _VERIFY
_ONE_FILE = "a file or a folder, ``store:LOCATION/NAME``, or ``system``"

VERIFICATION = (
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
        "The name or address that the server's certificate must be for, and that the client asks for. Or a SPIFFE id "
        "that the certificate must have, ``spiffe://example.org/billing``, or its trust domain, "
        "``spiffe://example.org``; then the client asks for no name.",
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
        SERVERS | _CLIENT_STRING | Interface.TUNNEL,
        "The folder for revocation lists that are fetched in the background, from where the {peer}'s certificates say "
        "that they are published.",
        otherwise="nothing is fetched",
    ),
    Setting(
        "fetchFromPrivateAddresses",
        YesNo(),
        SERVERS | _CLIENT_STRING | Interface.TUNNEL,
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
)
