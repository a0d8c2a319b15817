import sys

from twisted.internet.defer import Deferred
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react
from twisted.protocols.basic import LineReceiver

from tlscomm import (
    MessageFactory,
    MessageProtocol,
    TLSClientEndpoint,
    TLSFailure,
    loadCertificates,
    loadCredential,
)


class Talker(MessageProtocol):
    def connectionMade(self):
        self.gone = Deferred()

    def messageReceived(self, message):
        print(message)

    def connectionLost(self, reason):
        super().connectionLost(reason)
        print(reason.getErrorMessage())
        self.gone.callback(None)


class Keyboard(LineReceiver):
    delimiter = b"\n"

    def __init__(self, talker):
        self.talker = talker

    def lineReceived(self, line):
        self.talker.sendMessage(line.decode())

    def connectionLost(self, reason):
        self.talker.transport.loseConnection()


async def main(reactor, name, port="8443"):
    try:
        endpoint = TLSClientEndpoint.toHost(
            reactor,
            "localhost",
            int(port),
            roots=loadCertificates("certs/ca.pem"),
            credential=loadCredential(f"certs/{name}.pfx"),
        )
        talker = await endpoint.connect(MessageFactory(Talker, framing="line", readTimeout=None))
    except TLSFailure as failure:
        print(failure, failure.nextStep, sep="\n")
        raise SystemExit(1) from None
    print("connected")
    StandardIO(Keyboard(talker))
    await talker.gone


if __name__ == "__main__":
    react(main, sys.argv[1:])
