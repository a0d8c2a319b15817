"""The servers that are compared. Each echoes, demands client certificates, and says on request what it has cost."""

from __future__ import annotations

import asyncio
import os
import resource
import ssl
import sys
from typing import Any

FOLDER, KIND = sys.argv[1], sys.argv[2]


def path(name: str) -> str:
    return os.path.join(FOLDER, name)


def cost() -> bytes:
    """Seconds of processor time, and the resident memory in KiB."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    with open("/proc/self/statm", encoding="ascii") as memory:
        pages = int(memory.read().split()[1])
    return b"%f %d\n" % (used.ru_utime + used.ru_stime, pages * os.sysconf("SC_PAGE_SIZE") // 1024)


def say(*ports: int) -> None:
    print(*ports, flush=True)


def tlscommEndpoint() -> Any:
    from twisted.internet import reactor
    from twisted.internet.endpoints import TCP4ServerEndpoint

    from tlscomm.configuration import ServerConfiguration
    from tlscomm.credentials import loadCertificates, loadCredential
    from tlscomm.endpoints import TLSServerEndpoint

    settings: dict[str, Any] = {}
    if KIND == "tlscomm-hook":
        settings["hook"] = lambda question: True
    configuration = ServerConfiguration(
        credential=loadCredential(path("server.pem"), key=path("server.key")),
        clientRoots=loadCertificates(path("ca.pem")),
        **settings,
    )
    return TLSServerEndpoint(reactor, TCP4ServerEndpoint(reactor, 0, 1024, "127.0.0.1"), configuration)


def twistedEndpoint() -> Any:
    from twisted.internet import reactor
    from twisted.internet.endpoints import SSL4ServerEndpoint
    from twisted.internet.ssl import Certificate, PrivateCertificate

    with open(path("server.pem"), "rb") as pem, open(path("server.key"), "rb") as key, open(path("ca.pem"), "rb") as ca:
        certificate = PrivateCertificate.loadPEM(key.read() + pem.read())
        options = certificate.options(Certificate.loadPEM(ca.read()))
    return SSL4ServerEndpoint(reactor, 0, options, backlog=1024, interface="127.0.0.1")


def runTwisted(endpoint: Any) -> None:
    from twisted.internet import reactor
    from twisted.internet.endpoints import TCP4ServerEndpoint
    from twisted.internet.protocol import Factory, Protocol

    class Echo(Protocol):
        def dataReceived(self, data: bytes) -> None:
            self.transport.write(data)

    class Cost(Protocol):
        def dataReceived(self, data: bytes) -> None:
            self.transport.write(cost())

    async def listen() -> None:
        control = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(Factory.forProtocol(Cost))
        port = await endpoint.listen(Factory.forProtocol(Echo))
        say(port.getHost().port, control.getHost().port)

    from twisted.internet.defer import ensureDeferred

    ensureDeferred(listen())
    reactor.run()


async def runAsyncio() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path("server.pem"), path("server.key"))
    context.load_verify_locations(path("ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()

    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(100):
            writer.write(cost())

    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=context, backlog=1024)
    control = await asyncio.start_server(tell, "127.0.0.1", 0)
    say(server.sockets[0].getsockname()[1], control.sockets[0].getsockname()[1])
    await server.serve_forever()


if KIND == "asyncio":
    asyncio.run(runAsyncio())
else:
    runTwisted(twistedEndpoint() if KIND == "Twisted" else tlscommEndpoint())
