"""Messages over a connection: where one ends and the next begins, and the protocols that exchange them.

TLS carries a stream of bytes. A `Framing` says where a message ends in it; `MessageProtocol` is told of whole messages
and sends whole messages, over any transport of Twisted's. Most programs extend it. Nothing here knows TLS.
"""

from tlscomm.messages._framing import FRAMINGS, Decoder, Framing, Message, framingNamed
from tlscomm.messages._protocol import MessageFactory, MessageProtocol, RequestProtocol

__all__ = [
    "FRAMINGS",
    "Decoder",
    "Framing",
    "Message",
    "MessageFactory",
    "MessageProtocol",
    "RequestProtocol",
    "framingNamed",
]
