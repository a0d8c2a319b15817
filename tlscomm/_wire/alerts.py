"""An alert of our own, where OpenSSL can send none or would send the wrong one.

OpenSSL picks the alert for a refused certificate out of a fixed table, which has no ``access_denied``, and it can send
one only while it verifies. Who decides later, because an application is asked first, or because the peer has to be told
that its certificate is good and its holder not welcome (RFC 8446, section 6.2), has to write the record himself. A
client's refusal is one of these under TLS 1.3: OpenSSL sends it in the clear, and a peer that expects it sealed
(RFC 8446, section 2) takes it for an attack.
"""

from __future__ import annotations

from tlscomm._wire.protection13 import Sealed13
from tlscomm._wire.recordheader import ALERT, APPLICATION_DATA, recordsIn
from tlscomm._wire.suites import suiteNamed

__all__ = ["fatalAlert", "plainAlert", "sealedAlert"]

_FATAL = 2


def plainAlert(number: int) -> bytes:
    """Return the record of a fatal alert in the clear.

    Args:
        number: the AlertDescription of RFC 8446, appendix B.2.
    """
    return bytes((ALERT, 3, 3, 0, 2, _FATAL, number))


def sealedAlert(number: int, suite: str, secret: bytes) -> bytes:
    """Return the record of a fatal alert under TLS 1.3, the first one under its secret (RFC 8446, section 5.2).

    Args:
        number: the AlertDescription.
        suite: the cipher suite, as the standard names it.
        secret: the traffic secret, under which nothing else was or will be sent.

    Returns:
        The record, or nothing where the suite is not known.
    """
    sealed = _sealed(suite, secret)
    return b"" if sealed is None else sealed.seal(0, ALERT, bytes((_FATAL, number)))


def fatalAlert(flight: bytes, suite: str, secret: bytes | None) -> int | None:
    """Return the number of the fatal alert that a flight of ours ends with, or None where it ends with none.

    Args:
        flight: whole records.
        suite: the cipher suite, as the standard names it.
        secret: of TLS 1.3 the traffic secret, where the alert may be the first record under it.
    """
    header, content = [(b"", b""), *recordsIn(flight)][-1]
    kind = header[0] if header else 0
    if kind == APPLICATION_DATA and secret is not None and (sealed := _sealed(suite, secret)) is not None:
        kind, content = sealed.open(0, header, content) or (0, b"")
    return content[1] if kind == ALERT and len(content) == 2 and content[0] == _FATAL else None


def _sealed(suite: str, secret: bytes) -> Sealed13 | None:
    known = suiteNamed(suite)
    return Sealed13(known, secret) if known is not None and known.isVersion13 else None
