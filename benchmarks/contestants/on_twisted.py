"""Plain Twisted over ``ssl.CertificateOptions``: the peer of all ratios.

Messages are split by hand. tlscomm's own `MessageProtocol` works over Twisted's TLS too, and costs it a little more.
"""

from __future__ import annotations

import sys
from pathlib import Path

from echoing import Splitter, echoed
from twisted.internet import reactor
from twisted.internet.endpoints import SSL4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate, CertificateOptions, PrivateCertificate


class Echo(Protocol):
    def connectionMade(self) -> None:
        self._take = Splitter().take

    def dataReceived(self, data: bytes) -> None:
        for message in self._take(data):
            self.transport.write(echoed(message))


def options(folder: Path) -> CertificateOptions:
    own = PrivateCertificate.loadPEM((folder / "server.key").read_bytes() + (folder / "server.pem").read_bytes())
    return own.options(Certificate.loadPEM((folder / "ca.pem").read_bytes()))


def main(folder: Path) -> None:
    factory = Factory.forProtocol(Echo)
    factory.noisy = False
    listening = SSL4ServerEndpoint(reactor, 0, options(folder), backlog=4096, interface="127.0.0.1").listen(factory)
    listening.addCallback(lambda port: print(port.getHost().port, flush=True))
    reactor.run()  # type: ignore[attr-defined]


main(Path(sys.argv[1]))
