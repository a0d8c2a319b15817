"""Ask a PostgreSQL server who we are: a connection that begins in the clear, and changes to TLS.

    python postgresql.py HOST PORT USER

The files are those of `tlscomm pki init certs`; the server has ssl = on, and in its pg_hba.conf:

    hostssl all all 0.0.0.0/0 cert
"""

from __future__ import annotations

import struct
import sys
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory, Protocol

from tlscomm.configuration import ClientConfiguration
from tlscomm.credentials import loadCertificates, loadCredential
from tlscomm.endpoints import PostgreSQLClient, TLSClientEndpoint, UpgradingClientEndpoint

VERSION = 3 << 16


class Query(Protocol):
    """Logs in by the certificate that TLS has shown, asks one question, and leaves."""

    user: str
    question: str

    def connectionMade(self) -> None:
        # Both sides have accepted each other: only now is there such a protocol at all.
        self.answer: Deferred[list[str]] = Deferred()
        self._hasAsked = False
        self._rows: list[str] = []
        self._data = b""
        words = b"".join(word.encode() + b"\0" for word in ("user", self.user, "database", "postgres", ""))
        self.transport.write(struct.pack("!II", 8 + len(words), VERSION) + words)

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        while len(self._data) >= 5 and len(self._data) > (size := struct.unpack_from("!I", self._data, 1)[0]):
            kind, body, self._data = self._data[:1], self._data[5 : 1 + size], self._data[1 + size :]
            self.messageReceived(kind, body)

    def messageReceived(self, kind: bytes, body: bytes) -> None:
        if kind == b"Z" and not self._hasAsked:
            self._hasAsked = True
            words = self.question.encode() + b"\0"
            self.transport.write(b"Q" + struct.pack("!I", 4 + len(words)) + words)
        elif kind == b"D":
            # One row of one column: how many columns, how long the first is, and its text.
            self._rows.append(body[6:].decode())
        elif kind == b"Z":
            self.transport.write(b"X" + struct.pack("!I", 4))
            self.transport.loseConnection()
            self.answer.callback(self._rows)
        elif kind == b"E":
            self.answer.errback(RuntimeError(body.replace(b"\0", b" ").decode()))


async def ask(reactor: Any, host: str, port: int, user: str, question: str) -> list[str]:
    """Return the rows of an answer."""
    configuration = ClientConfiguration(
        serverName=host,
        roots=loadCertificates("certs/ca.pem"),
        credential=loadCredential("certs/client.pfx"),
    )
    tcp = HostnameEndpoint(reactor, host, port)
    endpoint = TLSClientEndpoint(reactor, UpgradingClientEndpoint(tcp, PostgreSQLClient), configuration)
    factory = Factory.forProtocol(type("Query", (Query,), {"user": user, "question": question}))
    protocol: Any = await endpoint.connect(factory)
    rows: list[str] = await protocol.answer
    return rows


async def main(reactor: Any, host: str, port: str, user: str) -> None:
    question = "select version || '; ' || client_dn from pg_stat_ssl where pid = pg_backend_pid()"
    for row in await ask(reactor, host, int(port), user, question):
        print(row)


if __name__ == "__main__":
    task.react(lambda reactor: Deferred.fromCoroutine(main(reactor, *sys.argv[1:])))
