"""How entries of the table are written down, and what many of them say."""

from __future__ import annotations

from tlscomm.errortexts._errortext import ErrorText, TextSide

__all__ = ["CHAIN", "CONNECT", "DATES", "INSPECT", "ISSUER", "JUDGE", "MINE", "NAMES", "PROBE", "TRACE", "made"]

JUDGE = "tlscomm verify CREDENTIAL --as server --roots AUTHORITIES"
PROBE = "tlscomm probe HOST:PORT"
MINE = "tlscomm probe HOST:PORT --identity CREDENTIAL"
INSPECT = "tlscomm inspect FILE"
CONNECT = "tlscomm connect HOST:PORT --roots AUTHORITIES"
TRACE = "tlscomm analyze CAPTURE"
CHAIN = (
    "unknown-issuer incomplete-chain self-signed expired not-yet-valid wrong-purpose name-mismatch "
    "not-permitted bad-signature "
    "key-too-weak revoked revocation-unknown chain-too-long invalid-certificate"
)
ISSUER = (
    "Whether the certificate of the issuer was sent: without it the chain is incomplete, and its owner has to add the "
    "intermediate; with it, the authority at the end is not trusted here."
)
DATES = "The dates of the whole chain, and the clock of the machine that refuses."
NAMES = "The name that was asked for, and the alternative names of the certificate; a common name does not count."


def made(  # noqa: PLR0917
    program: str,
    seen: str,
    sentence: str,
    causes: str,
    apart: str,
    command: str = PROBE,
    *also: str,
    side: TextSide = "local",
    isVague: bool = False,
) -> ErrorText:
    """Return an entry; programs stand between commas, and codes between spaces."""
    return ErrorText(
        sentence=sentence,
        programs=tuple(program.split(",")),
        side=side,
        causes=tuple(dict.fromkeys(causes.split())),
        apart=apart,
        command=command,
        seen=seen,
        also=also,
        isVague=isVague,
    )
