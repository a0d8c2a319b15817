"""One TLS connection without input and output, the verdict on its peer, and the verdict off line.

`TLSConnection` takes ciphertext and gives plaintext and changes of state. It has no socket and no clock, so two of them
can be pumped against each other in memory (`handshake`, `pump`), and `verdict` answers "would this peer accept that
credential?" by the code that answers it live. This package alone turns what OpenSSL says into a failure of the list.
"""

from tlscomm._lazy import lazyFace

__all__ = [
    "NoChannelBinding",
    "State",
    "TLSConnection",
    "TLSFacts",
    "handshake",
    "pump",
    "verdict",
    "verdictWithWarnings",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.tls._channelbinding import NoChannelBinding
    from tlscomm.tls._connection import TLSConnection
    from tlscomm.tls._state import State, TLSFacts
    from tlscomm.tls._verdict import handshake, pump, verdict, verdictWithWarnings
else:
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "NoChannelBinding": "tlscomm.tls._channelbinding",
            "State": "tlscomm.tls._state",
            "TLSConnection": "tlscomm.tls._connection",
            "TLSFacts": "tlscomm.tls._state",
            "handshake": "tlscomm.tls._verdict",
            "pump": "tlscomm.tls._verdict",
            "verdict": "tlscomm.tls._verdict",
            "verdictWithWarnings": "tlscomm.tls._verdict",
        },
    )
