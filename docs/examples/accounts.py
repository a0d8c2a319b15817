"""Hooks: a server that looks each client up before it lets it in, and a client that looks twice at its server.

python accounts.py serve 8443
python accounts.py ask 8443 hello
"""

import sys
from datetime import datetime, timedelta, timezone

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from tlscomm import (
    Deadlines,
    MessageFactory,
    RequestProtocol,
    TLSClientEndpoint,
    TLSFailure,
    TLSServerEndpoint,
    accept,
    loadCertificates,
    loadCredential,
    refuse,
)
from tlscomm.server import Echo

ACCOUNTS = {"client.localhost": "open", "former.localhost": "closed"}


class Accounts:
    """A hook with a database. An object with ``__call__`` serves as well as a function."""

    def __init__(self, reactor):
        self.reactor = reactor

    async def __call__(self, question):
        # The client waits, and everybody else goes on.
        state = await self.lookUp(question.peer.dnsNames)
        print("asked about", question.peer.dnsNames, "from", question.address, "resumed:", question.resumed)
        if state != "open":
            return refuse(f"its account is {state}")
        return True

    def lookUp(self, names):
        # In earnest this is a query, which returns a Deferred in just the same way.
        states = [ACCOUNTS[name] for name in names if name in ACCOUNTS]
        return deferLater(self.reactor, 0.01, lambda: states[0] if states else "unknown")


def forgiving(question):
    """A week's grace for the server's certificate, and for nothing else that may be wrong with it."""
    grace = datetime.now(timezone.utc) - timedelta(days=7)
    if question.certificate.not_valid_after_utc > grace:
        return accept("expired")
    return accept()


async def serve(reactor, port):
    endpoint = TLSServerEndpoint.onPort(
        reactor,
        int(port),
        interface="127.0.0.1",
        credential=loadCredential("certs/server.pfx"),
        clientRoots=loadCertificates("certs/ca.pem"),
        hook=Accounts(reactor),
        deadlines=Deadlines(hook=3.0),
    )
    listening = await endpoint.listen(MessageFactory(Echo))
    print("listening on", listening.getHost().port)
    await Deferred()


async def ask(reactor, port, *words):
    endpoint = TLSClientEndpoint.toHost(
        reactor,
        "localhost",
        int(port),
        roots=loadCertificates("certs/ca.pem"),
        credential=loadCredential("certs/client.pfx"),
        hook=forgiving,
        deadlines=Deadlines(acceptance=5.0),
    )
    try:
        for word in words:
            client = await endpoint.connect(MessageFactory(RequestProtocol))
            print(await client.request(word), "resumed:", client.transport.tls.resumed)
            client.loseConnection()
    except TLSFailure as failure:
        print(failure, failure.nextStep, sep="\n")


if __name__ == "__main__":
    react({"serve": serve, "ask": ask}[sys.argv[1]], sys.argv[2:])
