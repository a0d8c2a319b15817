"""Tries until it is connected, or until trying is of no use.

python insisting.py 8443
"""

import sys

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater, react

from tlscomm import TLSClientEndpoint, TLSFailure, loadCertificates


async def connected(reactor, endpoint, factory):
    while True:
        try:
            return await endpoint.connect(factory)
        except TLSFailure as failure:
            print(failure.code, failure.permanent)
            if failure.permanent:
                raise
            await deferLater(reactor, 5.0)


async def main(reactor, port):
    endpoint = TLSClientEndpoint.toHost(reactor, "localhost", int(port), roots=loadCertificates("certs/ca.pem"))
    await connected(reactor, endpoint, Factory.forProtocol(Protocol))


if __name__ == "__main__":
    react(main, sys.argv[1:])
