"""What an open connection keeps of the verdict on its peer.

A server may have ten thousand peers at once, and most are asked about once, for the log. So what a connection keeps is
what cannot be had again. The peer's own certificate OpenSSL has anyway, in the form that came, and it is read again
when it is asked for; read, it takes several times that. The other certificates of the chain are those of authorities,
the same for many peers, and are kept once.
"""

from __future__ import annotations

from cryptography import x509

from tlscomm.verification import VerificationResult
from tlscomm.x509._remembering import remembering

__all__ = ["KeptVerdict"]


class KeptVerdict:
    """A verdict without the certificate that it is about."""

    __slots__ = ("_issuers", "_noted", "_overruled", "_rule", "_unchecked")

    def __init__(self, result: VerificationResult) -> None:
        """
        Args:
            result: of a peer that was accepted and has presented a certificate.
        """
        self._issuers = _shared(*result.chain[1:])
        self._rule = result.rule
        self._overruled = result.overruled
        self._noted = result.noted
        self._unchecked = result.unchecked

    def of(self, certificate: x509.Certificate) -> VerificationResult:
        """Return the verdict as it was, about this certificate, which is the peer's own."""
        return VerificationResult(
            chain=(certificate, *self._issuers),
            rule=self._rule,
            overruled=self._overruled,
            noted=self._noted,
            unchecked=self._unchecked,
        )


@remembering(256)
def _shared(*chain: x509.Certificate) -> tuple[x509.Certificate, ...]:
    """Return the same objects for all chains that are equal."""
    return chain
