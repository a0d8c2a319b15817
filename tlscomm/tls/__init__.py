"""One TLS connection without input and output, the verdict on its peer, and the verdict off line.

`TLSConnection` takes ciphertext and gives plaintext and changes of state. It has no socket and no clock, so two of them
can be pumped against each other in memory (`handshake`, `pump`), and `verdict` answers "would this peer accept that
credential?" by the code that answers it live. This package alone turns what OpenSSL says into a failure of the list.
"""

from tlscomm.tls._connection import State, TLSConnection, TLSFacts
from tlscomm.tls._verdict import handshake, pump, verdict, verdictWithWarnings

__all__ = [
    "State",
    "TLSConnection",
    "TLSFacts",
    "handshake",
    "pump",
    "verdict",
    "verdictWithWarnings",
]
