"""The application of the server: ``twistd tlscomm --configuration collector.toml``."""

from twisted.logger import Logger

from tlscomm import MessageFactory, MessageProtocol

log = Logger(namespace="devices")


class Device(MessageProtocol):
    """A device that has been let in. Its SPIFFE id says which one it is, whatever it writes."""

    def connectionMade(self):
        self.id = self.transport.peer.spiffeID

    def messageReceived(self, message):
        try:
            value = float(message)
        except ValueError:
            log.warn("{device} sent what is no number", device=self.id)
            self.transport.loseConnection()
            return
        self.factory.latest[self.id] = value
        self.sendMessage("noted")


class Collector(MessageFactory):
    """Holds the latest value of each device."""

    def __init__(self, clock=None):
        super().__init__(Device, framing="line", maximumMessage=100, readTimeout=60, clock=clock)
        self.latest = {}


def collector():
    """Return the factory: what ``application`` names in the configuration."""
    return Collector()
