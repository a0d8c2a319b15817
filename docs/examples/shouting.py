"""An application for ``twistd tlscomm --application shouting:Shout``."""

from tlscomm import MessageProtocol


class Shout(MessageProtocol):
    def messageReceived(self, message):
        self.sendMessage(message.upper())
