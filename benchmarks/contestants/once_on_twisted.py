"""What ``tlscomm connect`` does, on plain Twisted: send one message, print the reply.

``once_on_twisted.py FOLDER PORT``
"""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import Certificate, PrivateCertificate, optionsForClientTLS
from twisted.python.failure import Failure


class Once(Protocol):
    _got = b""

    def connectionMade(self) -> None:
        self.transport.write(b"hello<EOF>")

    def dataReceived(self, data: bytes) -> None:
        self._got += data
        if self._got.endswith(b"<EOF>"):
            print(self._got.removesuffix(b"<EOF>").decode())
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure) -> None:
        reactor.stop()  # type: ignore[attr-defined]


def main(folder: Path, port: int) -> None:
    options = optionsForClientTLS(
        "localhost",
        trustRoot=Certificate.loadPEM((folder / "ca.pem").read_bytes()),
        clientCertificate=PrivateCertificate.loadPEM((folder / "client.pem").read_bytes()),
    )
    connectProtocol(wrapClientTLS(options, TCP4ClientEndpoint(reactor, "127.0.0.1", port)), Once())
    reactor.run()  # type: ignore[attr-defined]


main(Path(sys.argv[1]), int(sys.argv[2]))
