"""What other programs print when TLS fails, and which of our failures it can stand for.

Most people meet a refusal first in the words of another program. Each sentence is one entry of `ERROR_TEXTS`: who
prints it, on which side, the failures that it can mean, what would tell these apart, and the command that does.
"""

from __future__ import annotations

from tlscomm._lazy import lazyFace

__all__ = ["ERROR_TEXTS", "ErrorText", "Finding", "findingsIn", "findingsInLines"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.errortexts._errortext import ErrorText
    from tlscomm.errortexts._finding import Finding, findingsIn, findingsInLines
    from tlscomm.errortexts._table import ERROR_TEXTS
else:
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "ERROR_TEXTS": "tlscomm.errortexts._table",
            "ErrorText": "tlscomm.errortexts._errortext",
            "Finding": "tlscomm.errortexts._finding",
            "findingsIn": "tlscomm.errortexts._finding",
            "findingsInLines": "tlscomm.errortexts._finding",
        },
    )
