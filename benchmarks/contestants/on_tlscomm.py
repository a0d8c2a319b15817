"""tlscomm as its users have it: a server endpoint with a factory of messages, all settings as they are by default.

The read deadline is off, since no other contestant has one, and idle connections are to stay. With the word ``traced``
behind the folder the connections are recorded, as with ``--refused-traces``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint

from tlscomm.configuration import ServerConfiguration
from tlscomm.credentials import loadCertificates, loadCredential
from tlscomm.endpoints import TLSServerEndpoint
from tlscomm.messages import Message, MessageFactory, MessageProtocol


class Echo(MessageProtocol):
    def messageReceived(self, message: Message) -> None:
        self.sendMessage(message)


def main(folder: Path, isTraced: bool) -> None:
    configuration = ServerConfiguration(
        credential=loadCredential(folder / "server.pem", key=folder / "server.key"),
        clientRoots=loadCertificates(folder / "ca.pem"),
    )
    tcp = TCP4ServerEndpoint(reactor, 0, 4096, "127.0.0.1")
    more = {}
    if isTraced:
        # Not at the top: other checkouts run this as well.
        from tlscomm.tracing import Tracing

        more["tracing"] = Tracing(refusedTraces=20)
    listening = TLSServerEndpoint(reactor, tcp, configuration, **more).listen(MessageFactory(Echo, readTimeout=None))
    listening.addCallback(lambda port: print(port.getHost().port, flush=True))
    reactor.run()  # type: ignore[attr-defined]


main(Path(sys.argv[1]), "traced" in sys.argv[2:])
