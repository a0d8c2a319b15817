""".NET's ``SslStream``."""

from __future__ import annotations

from tlscomm.errortexts._entries import CHAIN, CONNECT, DATES, INSPECT, ISSUER, JUDGE, MINE, NAMES, PROBE, made
from tlscomm.errortexts._errortext import ErrorText, TextSide

__all__ = ["DOTNET_TEXTS"]


def _dotnet(
    sentence: str,
    causes: str,
    apart: str,
    command: str = PROBE,
    *also: str,
    side: TextSide = "local",
    isVague: bool = False,
) -> ErrorText:
    _, chain, flag = sentence.partition("errors in the certificate chain: ")
    if chain:
        also = (*also, chain + flag, f"{chain}{{flags}}, {flag}")
    return made(".NET", "not run", sentence, causes, apart, command, *also, side=side, isVague=isVague)


DOTNET_TEXTS: tuple[ErrorText, ...] = (
    _dotnet(
        "The remote certificate is invalid according to the validation procedure",
        CHAIN + " no-certificate",
        "Newer versions say what is wrong behind a colon; otherwise judge the chain that the peer sends.",
        CONNECT,
        isVague=True,
    ),
    _dotnet(
        "RemoteCertificateChainErrors",
        CHAIN.replace("name-mismatch ", ""),
        "Something in the chain; since .NET 5 the exception names it.",
        CONNECT,
    ),
    _dotnet(
        "The remote certificate is invalid because of errors in the certificate chain: PartialChain",
        "unknown-issuer incomplete-chain",
        ISSUER,
    ),
    _dotnet(
        "The remote certificate is invalid because of errors in the certificate chain: UntrustedRoot",
        "unknown-issuer self-signed",
        "The root is known, and not trusted: whether it is the one that you expect.",
    ),
    _dotnet(
        "The remote certificate is invalid because of errors in the certificate chain: NotTimeValid",
        "expired not-yet-valid",
        DATES,
    ),
    _dotnet(
        "The remote certificate is invalid because of errors in the certificate chain: NotSignatureValid",
        "bad-signature",
        "Whether the issuer was made anew with the same name and another key.",
        INSPECT,
    ),
    _dotnet(
        "The remote certificate is invalid because of errors in the certificate chain: NotValidForUsage",
        "wrong-purpose",
        "The extended key usage.",
        INSPECT,
    ),
    _dotnet(
        "The remote certificate is invalid because of errors in the certificate chain: RevocationStatusUnknown",
        "revocation-unknown",
        "Whether the lists and the OCSP server of the authority can be reached.",
        JUDGE + " --crl LISTS",
        "OfflineRevocation",
    ),
    _dotnet(
        "The remote certificate is invalid because of errors in the certificate chain: Revoked",
        "revoked",
        "The lists of the authority.",
        JUDGE + " --crl LISTS",
    ),
    _dotnet("RemoteCertificateNameMismatch", "name-mismatch", NAMES),
    _dotnet(
        "RemoteCertificateNotAvailable",
        "no-certificate no-private-key",
        "The peer sent none: a client has none, or its certificate was left out because its issuer is not "
        "among the authorities that the server names.",
        MINE,
        "The remote certificate was not provided",
    ),
    _dotnet(
        "Authentication failed because the remote party sent a TLS alert: '{alert}'",
        CHAIN + " no-certificate refused",
        "The name in quotes is the alert; what it can mean is under its name.",
        MINE,
        side="remote",
        isVague=True,
    ),
    _dotnet(
        "Authentication failed because the remote party has closed the transport stream",
        "closed-in-handshake refused",
        "The peer closed in the handshake without an alert: its log knows why.",
        PROBE,
        "Received an unexpected EOF or 0 bytes from the transport stream",
        side="remote",
    ),
    _dotnet(
        "The SSL connection could not be established, see inner exception",
        CHAIN + " no-certificate refused not-tls closed-in-handshake",
        "The inner exception says why.",
        CONNECT,
        "Authentication failed, see inner exception",
        side="either",
        isVague=True,
    ),
    _dotnet(
        "Cannot determine the frame size or a corrupted frame was received",
        "not-tls",
        "The peer's first bytes are no TLS.",
        PROBE,
        "The handshake failed due to an unexpected packet format",
    ),
    _dotnet(
        "The credentials supplied to the package were not recognized",
        "no-private-key unreadable",
        "The program may not read the private key of the certificate.",
        INSPECT,
    ),
    _dotnet(
        "The server mode SSL must use a certificate with the associated private key",
        "no-private-key",
        "The certificate was loaded without its key.",
        INSPECT,
    ),
    _dotnet(
        "The client and server cannot communicate, because they do not possess a common algorithm",
        "no-common-version no-common-cipher",
        "The versions and suites of each side.",
    ),
)
