"""Messages: a server that takes its time over each, and a client that asks and awaits the answers.

python translating.py serve 8443
python translating.py ask 8443 one two four
"""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from tlscomm import (
    MessageFactory,
    MessageProtocol,
    RequestProtocol,
    TLSClientEndpoint,
    TLSFailure,
    TLSServerEndpoint,
    loadCertificates,
    loadCredential,
)

WORDS = {"one": "eins", "two": "zwei", "three": "drei"}


class Translator(MessageProtocol):
    def connectionMade(self):
        # Both sides have accepted each other: there is a peer, and it is who its certificate says.
        print("accepted", self.transport.peer.dnsNames, self.transport.tls.version)

    async def messageReceived(self, message):
        # The client's next message is handed over when this one is done with.
        self.sendMessage(await self.translated(message))

    async def translated(self, word):
        # In earnest this asks a database, or another service.
        await deferLater(self.factory.clock, 0.01)
        return WORDS.get(word, "?")

    def connectionLost(self, reason):
        super().connectionLost(reason)
        print("ended", reason.value)


async def serve(reactor, port):
    endpoint = TLSServerEndpoint.onPort(
        reactor,
        int(port),
        interface="127.0.0.1",
        credential=loadCredential("certs/server.pfx"),
        clientRoots=loadCertificates("certs/ca.pem"),
    )
    listening = await endpoint.listen(MessageFactory(Translator))
    print("listening on", listening.getHost().port)
    await Deferred()


class Asker(RequestProtocol):
    """Says when the connection is gone, because a program that ends earlier cuts it."""

    def __init__(self):
        super().__init__()
        self.gone = Deferred()

    def connectionLost(self, reason):
        super().connectionLost(reason)
        self.gone.callback(None)


async def ask(reactor, port, *words):
    endpoint = TLSClientEndpoint.toHost(
        reactor,
        "localhost",
        int(port),
        roots=loadCertificates("certs/ca.pem"),
        credential=loadCredential("certs/client.pfx"),
    )
    try:
        client = await endpoint.connect(MessageFactory(Asker))
        for word in words:
            print(word, await client.request(word))
        client.loseConnection()
        await client.gone
    except TLSFailure as failure:
        print(failure, failure.nextStep, sep="\n")


if __name__ == "__main__":
    react({"serve": serve, "ask": ask}[sys.argv[1]], sys.argv[2:])
