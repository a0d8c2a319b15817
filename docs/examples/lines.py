"""Twisted's LineReceiver over TLS with certificates on both sides; the protocols know nothing of it.

python lines.py serve 8443
python lines.py say 8443 hello world
"""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.protocol import Factory
from twisted.internet.task import react
from twisted.protocols.basic import LineReceiver


class Chat(LineReceiver):
    def lineReceived(self, line):
        self.sendLine(b"you said: " + line)


class Talker(LineReceiver):
    def __init__(self, lines):
        self.lines = lines
        self.gone = Deferred()

    def connectionMade(self):
        for line in self.lines:
            self.sendLine(line.encode())

    def lineReceived(self, line):
        print(line.decode())
        self.lines = self.lines[1:]
        if not self.lines:
            self.transport.loseConnection()

    def connectionLost(self, reason):
        self.gone.callback(None)


async def serve(reactor, port):
    where = f"tlscomm:{port}:interface=127.0.0.1:identity=certs/server.pfx:clientRoots=certs/ca.pem"
    listening = await serverFromString(reactor, where).listen(Factory.forProtocol(Chat))
    print("listening on", listening.getHost().port)
    await Deferred()


async def say(reactor, port, *lines):
    where = f"tlscomm:localhost:{port}:identity=certs/client.pfx:roots=certs/ca.pem"
    talker = await clientFromString(reactor, where).connect(Factory.forProtocol(lambda: Talker(lines)))
    await talker.gone


if __name__ == "__main__":
    react({"serve": serve, "say": say}[sys.argv[1]], sys.argv[2:])
