"""AMP over TLS: either side can call the other, and each knows for certain who calls.

python sums.py serve 8443
python sums.py call 8443 13 81
"""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.protocol import Factory
from twisted.internet.task import react
from twisted.protocols.amp import AMP, Command, Integer, Unicode


class Sum(Command):
    arguments = [(b"a", Integer()), (b"b", Integer())]
    response = [(b"total", Integer()), (b"caller", Unicode())]


class Calculator(AMP):
    @Sum.responder
    def add(self, a, b):
        return {"total": a + b, "caller": self.transport.peer.dnsNames[0]}


class Caller(AMP):
    def __init__(self):
        super().__init__()
        self.gone = Deferred()

    def connectionLost(self, reason):
        super().connectionLost(reason)
        self.gone.callback(None)


async def serve(reactor, port):
    where = f"tlscomm:{port}:interface=127.0.0.1:identity=certs/server.pfx:clientRoots=certs/ca.pem"
    listening = await serverFromString(reactor, where).listen(Factory.forProtocol(Calculator))
    print("listening on", listening.getHost().port)
    await Deferred()


async def call(reactor, port, a, b):
    where = f"tlscomm:localhost:{port}:identity=certs/client.pfx:roots=certs/ca.pem"
    caller = await clientFromString(reactor, where).connect(Factory.forProtocol(Caller))
    print(await caller.callRemote(Sum, a=int(a), b=int(b)))
    caller.transport.loseConnection()
    await caller.gone


if __name__ == "__main__":
    react({"serve": serve, "call": call}[sys.argv[1]], sys.argv[2:])
