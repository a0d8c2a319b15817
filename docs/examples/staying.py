"""A client that stays connected, and ends with the name of the failure where trying again cannot help.

python staying.py 8443
"""

import sys

from twisted.application.internet import backoffPolicy
from twisted.internet.task import react

from tlscomm import (
    MessageFactory,
    MessageProtocol,
    TLSClientEndpoint,
    TLSClientService,
    loadCertificates,
    loadCredential,
)


class Greeting(MessageProtocol):
    # This client speaks when it has something to say, so nothing is owed to it.
    isAwaiting = False

    def connectionMade(self):
        print("connected")
        self.sendMessage("here I am")

    def messageReceived(self, message):
        print(message)


async def stay(reactor, port):
    endpoint = TLSClientEndpoint.toHost(
        reactor,
        "localhost",
        int(port),
        roots=loadCertificates("certs/ca.pem"),
        credential=loadCredential("certs/client.pfx"),
    )
    service = TLSClientService(endpoint, MessageFactory(Greeting), retryPolicy=backoffPolicy(maxDelay=60))
    service.startService()
    failure = await service.whenGivenUp()
    raise SystemExit(f"given up: {failure}\n{failure.nextStep}")


if __name__ == "__main__":
    react(stay, sys.argv[1:])
