"""Stands for devices: ``python -m devices.device 1 2 3`` has each measure something every second, until Ctrl-C."""

import random
import sys

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import DeferredList, ensureDeferred
from twisted.internet.task import LoopingCall, react

from tlscomm import (
    MessageFactory,
    MessageProtocol,
    TLSClientEndpoint,
    TLSClientService,
    loadCertificates,
    loadCredential,
)


class Sensor(MessageProtocol):
    # It speaks when it has measured something, so nothing is owed to it.
    isAwaiting = False

    def connectionMade(self):
        self.measuring = LoopingCall(self.measure)
        self.measuring.start(1)

    def measure(self):
        self.sendMessage(f"{random.gauss(21, 0.5):.2f}")

    def connectionLost(self, reason):
        super().connectionLost(reason)
        self.measuring.stop()


def device(reactor, number):
    """Return a service that keeps a device connected, and gives up where only a person can help."""
    endpoint = TLSClientEndpoint.toHost(
        reactor,
        "localhost",
        8443,
        roots=loadCertificates("certs/ca.pem"),
        credential=loadCredential(f"certs/device-{int(number):04}.pem"),
    )
    return TLSClientService(endpoint, MessageFactory(Sensor, framing="line"), retryPolicy=backoffPolicy(maxDelay=60))


async def run(service, number):
    service.startService()
    failure = await service.whenGivenUp()
    print(f"device {number} gives up: {failure}\n{failure.nextStep}")


async def main(reactor, *numbers):
    await DeferredList([ensureDeferred(run(device(reactor, number), number)) for number in numbers])


if __name__ == "__main__":
    react(main, sys.argv[1:])
