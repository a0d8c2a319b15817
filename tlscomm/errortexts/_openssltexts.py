"""The words of OpenSSL, which most programs pass on: what its verification found, and what its handshake says.

The reasons of verification are in `X509_verify_cert_error_string`, in the same words wherever they are printed:
s_client, Python's ``ssl``, curl, Node, nginx, HAProxy, stunnel, PostgreSQL, Redis.
"""

from __future__ import annotations

from tlscomm.errortexts._errortext import ErrorText, TextSide

__all__ = ["OPENSSL_TEXTS"]

_PROGRAMS = ("OpenSSL", "Python", "curl", "Node", "nginx", "stunnel", "HAProxy", "PostgreSQL", "Redis")
_ALL_CHAIN = (
    "unknown-issuer",
    "incomplete-chain",
    "self-signed",
    "expired",
    "not-yet-valid",
    "wrong-purpose",
    "name-mismatch",
    "not-permitted",
    "bad-signature",
    "key-too-weak",
    "revoked",
    "revocation-unknown",
    "chain-too-long",
    "invalid-certificate",
)
_JUDGE = "tlscomm verify CREDENTIAL --as server --roots AUTHORITIES"
_PROBE = "tlscomm probe HOST:PORT"
_INSPECT = "tlscomm inspect FILE"
_TRACE = "tlscomm analyze CAPTURE"
_CONNECT = "tlscomm connect HOST:PORT --roots AUTHORITIES"
_ISSUER = (
    "Whether the certificate of the issuer was sent. If not, the chain is incomplete and its owner has to add the "
    "intermediate; if so, the authority at its end is not trusted here, perhaps because it was made anew "
    "under its old name."
)


def _found(sentence: str, causes: str, apart: str, command: str = _JUDGE, *also: str) -> ErrorText:
    """Return an entry of what verification found."""
    return ErrorText(
        sentence=sentence,
        programs=_PROGRAMS,
        side="local",
        causes=tuple(dict.fromkeys(causes.split())),
        apart=apart,
        command=command,
        seen="OpenSSL 3.0",
        also=also,
    )


def _said(
    sentence: str,
    side: TextSide,
    causes: str,
    apart: str,
    command: str,
    *also: str,
    isVague: bool = False,
    seen: str = "OpenSSL 3.0",
) -> ErrorText:
    """Return an entry of what the handshake says."""
    return ErrorText(
        sentence=sentence,
        programs=_PROGRAMS,
        side=side,
        causes=tuple(dict.fromkeys(causes.split())),
        apart=apart,
        command=command,
        seen=seen,
        also=also,
        isVague=isVague,
    )


OPENSSL_TEXTS: tuple[ErrorText, ...] = (
    ErrorText(
        sentence="certificate verify failed",
        programs=("OpenSSL", "Python", "Twisted", "Envoy", "MongoDB", "mosquitto", "librdkafka", "Ruby", "PHP"),
        side="local",
        causes=_ALL_CHAIN,
        apart=(
            "The sentence does not say why, as Twisted prints [('SSL routines', '', 'certificate verify "
            "failed')] for each "
            "cause. Judge the chain that the peer sends: a probe of a server saves it, and tlscomm verify names "
            "what is wrong."
        ),
        command=_CONNECT,
        seen="OpenSSL 3.0",
        isVague=True,
    ),
    _found(
        "unable to get local issuer certificate",
        "unknown-issuer incomplete-chain not-permitted",
        _ISSUER,
        _PROBE,
        "unable to get issuer certificate",
        "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    ),
    _found(
        "unable to verify the first certificate",
        "unknown-issuer incomplete-chain not-permitted",
        _ISSUER,
        _PROBE,
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    ),
    _found(
        "self-signed certificate in certificate chain",
        "unknown-issuer self-signed",
        "The chain has its root with it, and that root is not among the trusted ones: look whether it is the "
        "one that you "
        "expect, or that of a proxy that opens connections on the way.",
        _PROBE,
        "SELF_SIGNED_CERT_IN_CHAIN",
    ),
    _found(
        "self-signed certificate",
        "self-signed unknown-issuer",
        "The certificate is its own issuer: trust this very certificate, or have an authority issue one.",
        _PROBE,
        "DEPTH_ZERO_SELF_SIGNED_CERT",
    ),
    _found(
        "certificate has expired",
        "expired",
        "The dates of the whole chain: an issuer may be the one that has expired, or the clock is wrong.",
        _PROBE,
    ),
    _found(
        "certificate is not yet valid",
        "not-yet-valid",
        "The dates of the whole chain, and the clock of the machine that refuses.",
        _PROBE,
    ),
    _found(
        "unsuitable certificate purpose",
        "wrong-purpose not-permitted",
        "The extended key usage of the certificate and of its issuers; without lists nginx says it of an "
        "issuer that is no authority too.",
        _INSPECT,
        "unsupported certificate purpose",
    ),
    _found(
        "invalid CA certificate",
        "not-permitted wrong-purpose",
        "The basic constraints and the key usage of the issuers: one of them is no authority.",
        _INSPECT,
    ),
    _found(
        "key usage does not include certificate signing", "not-permitted", "The key usage of the issuers.", _INSPECT
    ),
    _found(
        "path length constraint exceeded",
        "chain-too-long not-permitted",
        "The path length in the basic constraints of each issuer.",
        _INSPECT,
    ),
    _found(
        "certificate chain too long",
        "chain-too-long",
        "How many issuers there are, and the depth that is allowed (verify_depth).",
        _INSPECT,
    ),
    _found(
        "permitted subtree violation",
        "not-permitted",
        "The name constraints of the issuers, and all names of the certificate.",
        _INSPECT,
    ),
    _found(
        "excluded subtree violation",
        "not-permitted",
        "The name constraints of the issuers, and all names of the certificate.",
        _INSPECT,
    ),
    _found(
        "unhandled critical extension",
        "not-permitted invalid-certificate",
        "Which of the extensions are marked as critical.",
        _INSPECT,
    ),
    _found(
        "certificate signature failure",
        "bad-signature unknown-issuer",
        "Whether the issuer was made anew with the same name and another key; otherwise the certificate is damaged.",
        _INSPECT,
    ),
    _found(
        "asn1 encoding routines:{function}:EVP lib",
        "bad-signature unknown-issuer",
        "A signature on a certificate does not fit: its issuer was made anew with the same name and another "
        "key, or it is damaged.",
        _INSPECT,
        "ERR_SSL_EVP_LIB",
    ),
    _found(
        "EE certificate key too weak",
        "key-too-weak",
        "The kind and the size of the certificate's key.",
        _INSPECT,
        "ee key too small",
    ),
    _found(
        "CA certificate key too weak",
        "key-too-weak",
        "The kind and the size of each issuer's key.",
        _INSPECT,
        "ca key too small",
    ),
    _found(
        "CA signature digest algorithm too weak",
        "key-too-weak",
        "With which digest each certificate is signed; SHA-1 and MD5 are too weak.",
        _INSPECT,
        "ca md too weak",
    ),
    _found(
        "hostname mismatch",
        "name-mismatch",
        "The name that was asked for, and the alternative names of the certificate; a common name does not count.",
        _PROBE,
    ),
    _found(
        "IP address mismatch",
        "name-mismatch",
        "The address has to stand among the alternative names, as an address.",
        _PROBE,
    ),
    _found("certificate revoked", "revoked", "The lists of each authority of the chain.", _JUDGE + " --crl LISTS"),
    _found(
        "unable to get certificate CRL",
        "revocation-unknown unknown-issuer self-signed incomplete-chain expired not-yet-valid not-permitted "
        "bad-signature chain-too-long revoked",
        "A list of each authority is demanded and that of one is missing. It hides what else is wrong: nginx "
        "says it of "
        "self-signed certificates and strange authorities too, whose lists it cannot have.",
        _JUDGE + " --crl LISTS",
    ),
    _found("CRL has expired", "revocation-unknown", "The date of the next update in the list.", "tlscomm inspect LIST"),
    _found(
        "CRL is not yet valid", "revocation-unknown", "The date of the list, and the clock.", "tlscomm inspect LIST"
    ),
    _said(
        "peer did not return a certificate",
        "local",
        "no-certificate no-private-key",
        "The server demands a certificate and its client sent none: none is configured, or the client left "
        "it out because its "
        "issuer is not among the authorities that the server names.",
        _PROBE + " --identity CREDENTIAL",
        "PEER_DID_NOT_RETURN_A_CERTIFICATE",
    ),
    _said(
        "wrong version number",
        "local",
        "not-tls no-common-version",
        "The peer's first bytes are no TLS: a port in the clear, one that wants words first (STARTTLS, "
        "PostgreSQL), or a proxy.",
        _PROBE,
    ),
    _said(
        "packet length too long",
        "local",
        "not-tls protocol-violation",
        "The peer's first bytes are no TLS: a port in the clear.",
        _PROBE,
        "record layer failure",
    ),
    _said(
        "http request",
        "local",
        "not-tls",
        "A client spoke HTTP in the clear at the server's TLS port.",
        _TRACE,
        "HTTP_REQUEST",
    ),
    _said("https proxy request", "local", "not-tls", "A client took the server's TLS port for an HTTP proxy.", _TRACE),
    _said(
        "unsupported protocol",
        "local",
        "no-common-version",
        "The versions that each side speaks; a distribution's settings may forbid old ones.",
        _PROBE,
    ),
    _said(
        "no protocols available",
        "local",
        "no-common-version",
        "The versions that the program allows itself: none is left.",
        _PROBE,
    ),
    _said(
        "no shared cipher",
        "local",
        "no-common-cipher no-private-key no-certificate",
        "The suites that each side allows; a server whose certificate or key is missing says it too, and so "
        "does one whose key is of another kind.",
        _PROBE,
    ),
    _said(
        "no suitable signature algorithm",
        "local",
        "no-common-cipher key-too-weak",
        "The kinds of signatures that the peer offers, and the kind of the certificate's key.",
        _PROBE,
        "no shared signature algorithms",
    ),
    _said(
        "no suitable key share",
        "local",
        "no-common-group",
        "The groups that each side allows.",
        _PROBE,
        "no shared groups",
        "wrong curve",
    ),
    _said(
        "dh key too small",
        "local",
        "key-too-weak no-common-group",
        "The size of the server's Diffie-Hellman parameters.",
        _PROBE,
    ),
    _said(
        "unexpected eof while reading",
        "either",
        "truncated closed-in-handshake refused backend-lost",
        "The peer closed the connection without close_notify. During the handshake that is a refusal without "
        "a word (asyncio, "
        ".NET), or a proxy; afterwards it is how some programs always end.",
        _CONNECT,
        "EOF occurred in violation of protocol",
    ),
    _said(
        "SSL_connect: Connection reset by peer",
        "either",
        "reset refused closed-in-handshake",
        "The peer or something on the way cut the connection off in the handshake.",
        _PROBE,
        "Connection reset by peer in connection to {host}",
        "SSL_ERROR_SYSCALL",
    ),
    _said(
        "key values mismatch",
        "local",
        "key-mismatch",
        "Whether the private key belongs to the first certificate of the file.",
        "tlscomm inspect CREDENTIAL KEY",
        "does not match private key",
        "keys do not match",
    ),
    _said(
        "bad decrypt",
        "local",
        "passphrase-wrong",
        "The pass phrase of the private key.",
        _INSPECT,
        "mac verify failure",
        "mac verify error",
    ),
    _said(
        "no start line",
        "local",
        "unknown-format damaged",
        "What the file holds: it is no PEM, or is empty.",
        _INSPECT,
        "bad base64 decode",
        "unsupported:crypto/decode",
    ),
    _said(
        "ssl handshake failure",
        "either",
        " ".join(
            (
                *_ALL_CHAIN,
                "no-certificate",
                "no-common-version",
                "no-common-cipher",
                "not-tls",
                "closed-in-handshake",
                "refused",
            )
        ),
        "HAProxy says no more by itself: have it log %[ssl_fc_err_str] and %[ssl_c_err] (error-log-format).",
        _CONNECT,
        isVague=True,
        seen="HAProxy 2.6",
    ),
)
