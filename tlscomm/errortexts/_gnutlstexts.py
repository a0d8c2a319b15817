"""GnuTLS, in whichever program."""

from __future__ import annotations

from tlscomm.errortexts._entries import CHAIN, CONNECT, DATES, INSPECT, ISSUER, JUDGE, MINE, NAMES, PROBE, made
from tlscomm.errortexts._errortext import ErrorText, TextSide

__all__ = ["GNUTLS_TEXTS"]


def _gnutls(
    sentence: str,
    causes: str,
    apart: str,
    command: str = PROBE,
    *also: str,
    side: TextSide = "local",
    isVague: bool = False,
) -> ErrorText:
    return made("GnuTLS,Exim,wget", "GnuTLS 3.7", sentence, causes, apart, command, *also, side=side, isVague=isVague)


GNUTLS_TEXTS: tuple[ErrorText, ...] = (
    _gnutls(
        "The certificate issuer is unknown",
        "unknown-issuer incomplete-chain self-signed",
        ISSUER,
        PROBE,
        "doesn't have a known issuer",
    ),
    _gnutls("The certificate chain uses expired certificate", "expired", DATES),
    _gnutls("The certificate chain uses not yet valid certificate", "not-yet-valid", DATES),
    _gnutls(
        "The certificate chain does not match the intended purpose",
        "wrong-purpose",
        "The extended key usage.",
        INSPECT,
    ),
    _gnutls("The certificate issuer is not a CA", "not-permitted", "The basic constraints of the issuers.", INSPECT),
    _gnutls(
        "The certificate chain violates the signer's constraints",
        "not-permitted chain-too-long",
        "The key usage, the path length and the name constraints of the issuers.",
        INSPECT,
    ),
    _gnutls(
        "The certificate contains an unknown critical extension",
        "not-permitted invalid-certificate",
        "Which of the extensions are marked as critical.",
        INSPECT,
    ),
    _gnutls(
        "The signature in the certificate is invalid",
        "bad-signature",
        "Whether the issuer was made anew with the same name and another key.",
        INSPECT,
    ),
    _gnutls(
        "The certificate chain uses insecure algorithm",
        "key-too-weak",
        "The digests and the keys of the chain.",
        INSPECT,
    ),
    _gnutls("The name in the certificate does not match the expected", "name-mismatch", NAMES),
    _gnutls("The certificate chain is revoked", "revoked", "The lists of each authority.", JUDGE + " --crl LISTS"),
    _gnutls(
        "PKI verification of server certificate failed",
        CHAIN,
        "The line with Status says why.",
        CONNECT,
        isVague=True,
    ),
    _gnutls(
        "Error in the certificate",
        CHAIN,
        "GnuTLS says no more; gnutls-serv and gnutls-cli print a line with Status before it.",
        CONNECT,
        "Error in the certificate verification",
        isVague=True,
    ),
    _gnutls(
        "Certificate is required",
        "no-certificate no-private-key",
        "The client has none, or left it out.",
        MINE,
        "No certificate was found",
        "peer did not send any certificate",
    ),
    _gnutls(
        "A TLS fatal alert has been received",
        CHAIN + " no-certificate refused no-common-version no-common-cipher unknown-server-name",
        "The line with Received alert says which.",
        MINE,
        side="remote",
        isVague=True,
    ),
    _gnutls(
        "An unexpected TLS packet was received",
        "not-tls protocol-violation",
        "The peer's first bytes are no TLS.",
        PROBE,
        "A TLS packet with unexpected length was received",
    ),
    _gnutls(
        "The TLS connection was non-properly terminated",
        "truncated closed-in-handshake refused",
        "The peer closed without close_notify; in the handshake that is a refusal without a word.",
        PROBE,
        side="either",
    ),
    _gnutls(
        "Error in the pull function",
        "reset closed-in-handshake",
        "The connection was cut off.",
        PROBE,
        "The specified session has been invalidated for some reason",
        side="either",
    ),
    _gnutls(
        "A packet with illegal or unsupported version was received",
        "no-common-version not-tls",
        "The versions that each side speaks.",
    ),
)
