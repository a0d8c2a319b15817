"""An application for ``twistd tlscomm --application shouting:Shout``."""

from tlscomm.protocol import MessageProtocol


class Shout(MessageProtocol):
    def messageReceived(self, message):
        self.sendMessage(message.upper())
