import sys

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.python.log import startLogging

from tlscomm import AccessRules, MessageFactory, MessageProtocol, TLSServerEndpoint, loadCertificates, loadCredential

MEMBERS = AccessRules.parse(allow=["dns=alice", "dns=bob"])


class Member(MessageProtocol):
    def connectionMade(self):
        # Both sides have accepted each other: this name is proven.
        self.name = self.transport.peer.dnsNames[0]
        self.factory.tellAll(f"{self.name} has come")
        self.factory.members.append(self)

    def messageReceived(self, message):
        self.factory.tellAll(f"{self.name}: {message}")

    def connectionLost(self, reason):
        super().connectionLost(reason)
        self.factory.members.remove(self)
        self.factory.tellAll(f"{self.name} has gone")


class Room(MessageFactory):
    def __init__(self, clock=None):
        # A message is a line. A member may be silent for as long as it likes.
        super().__init__(Member, framing="line", readTimeout=None, clock=clock)
        self.members = []

    def tellAll(self, message):
        for member in self.members:
            member.sendMessage(message)


async def main(reactor, port="8443"):
    startLogging(sys.stdout)
    endpoint = TLSServerEndpoint.onPort(
        reactor,
        int(port),
        interface="127.0.0.1",
        credential=loadCredential("certs/server.pfx"),
        clientRoots=loadCertificates("certs/ca.pem"),
        access=MEMBERS,
    )
    await endpoint.listen(Room())
    await Deferred()  # for ever


if __name__ == "__main__":
    react(main, sys.argv[1:])
