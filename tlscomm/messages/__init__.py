"""Messages over a connection: where one ends and the next begins, and the protocols that exchange them.

TLS carries a stream of bytes. A `Framing` says where a message ends in it; `MessageProtocol` is told of whole messages
and sends whole messages, over any transport of Twisted's. Most programs extend it. Nothing here knows TLS.
"""

from tlscomm._lazy import lazyFace

__all__ = [
    "FRAMINGS",
    "Decoder",
    "Framing",
    "IDrainable",
    "Message",
    "MessageFactory",
    "MessageProtocol",
    "RequestProtocol",
    "framingNamed",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.messages._drainable import IDrainable
    from tlscomm.messages._framing import Decoder, Framing, Message
    from tlscomm.messages._framings import FRAMINGS, framingNamed
    from tlscomm.messages._protocol import MessageFactory, MessageProtocol, RequestProtocol
else:
    # The command explains the framings in its options, which must not load Twisted.
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "Decoder": "tlscomm.messages._framing",
            "FRAMINGS": "tlscomm.messages._framings",
            "Framing": "tlscomm.messages._framing",
            "IDrainable": "tlscomm.messages._drainable",
            "Message": "tlscomm.messages._framing",
            "MessageFactory": "tlscomm.messages._protocol",
            "MessageProtocol": "tlscomm.messages._protocol",
            "RequestProtocol": "tlscomm.messages._protocol",
            "framingNamed": "tlscomm.messages._framings",
        },
    )
