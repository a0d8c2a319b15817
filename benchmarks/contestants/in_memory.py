"""Full handshakes without a socket: ``in_memory.py FOLDER tlscomm|traced|OpenSSL``.

They are tlscomm's, or those of OpenSSL's calls alone. What is traced is kept as with ``--refused-traces``.

For each number that it reads it shakes hands so many times, and answers with the seconds of processor time that the
server's side took. Both are the same OpenSSL; the client is Python's ``ssl``, whatever OpenSSL that has.
"""

from __future__ import annotations

import ssl
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from OpenSSL import SSL


class Server(Protocol):
    def answer(self, flight: bytes) -> bytes:
        """Take a flight of the client and return ours."""

    def end(self) -> None:
        """See that the handshake is done, and let go of it."""


def bareServers(folder: Path) -> Callable[[], Server]:
    """Servers of OpenSSL's alone, set as plain Twisted sets them: that is the least that the work can cost."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET)
    context.use_certificate_file(str(folder / "server.pem"))
    context.use_privatekey_file(str(folder / "server.key"))
    context.load_verify_locations(str(folder / "ca.pem"))
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)

    class Bare:
        def __init__(self) -> None:
            self._connection = SSL.Connection(context)
            self._connection.set_accept_state()

        def answer(self, flight: bytes) -> bytes:
            self._connection.bio_write(flight)
            with suppress(SSL.WantReadError):
                self._connection.do_handshake()
            return self._connection.bio_read(1 << 16)

        def end(self) -> None:
            assert self._connection.get_peer_certificate() is not None

    return Bare


def ourServers(folder: Path) -> Callable[[], Server]:
    from tlscomm.configuration import ServerConfiguration
    from tlscomm.credentials import loadCertificates, loadCredential
    from tlscomm.tls import State, TLSConnection

    configuration = ServerConfiguration(
        credential=loadCredential(folder / "server.pem", key=folder / "server.key"),
        clientRoots=loadCertificates(folder / "ca.pem"),
    )

    class Ours:
        def __init__(self) -> None:
            self._connection = TLSConnection(configuration)

        def answer(self, flight: bytes) -> bytes:
            self._connection.receive(flight)
            return self._connection.outgoing()

        def end(self) -> None:
            assert self._connection.state is State.OPEN
            self._connection.release()

    return Ours


def tracedServers(folder: Path) -> Callable[[], Server]:
    from tlscomm.configuration import ServerConfiguration
    from tlscomm.credentials import loadCertificates, loadCredential
    from tlscomm.tls import State, TLSConnection
    from tlscomm.tracing import Tracing
    from tlscomm.tracing._recorder import Recorder

    configuration = ServerConfiguration(
        credential=loadCredential(folder / "server.pem", key=folder / "server.key"),
        clientRoots=loadCertificates(folder / "ca.pem"),
    )
    tracing = Tracing()

    class Traced:
        def __init__(self) -> None:
            self._recorder = Recorder(tracing, "server", 1, lambda _: None)
            self._recorder.begin(None, None)
            self._connection = TLSConnection(configuration, None, self._recorder.addSecret)

        def answer(self, flight: bytes) -> bytes:
            self._recorder.came(flight)
            self._connection.receive(flight)
            reply = self._connection.outgoing()
            self._recorder.went(reply)
            return reply

        def end(self) -> None:
            assert self._connection.state is State.OPEN
            self._connection.release()
            self._recorder.finish(None)

    return Traced


def clientContext(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ecdh_curve("X25519")
    context.load_cert_chain(folder / "client.pem")
    return context


def secondsOfServer(context: ssl.SSLContext, newServer: Callable[[], Server]) -> float:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    used = 0.0
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    flight = outgoing.read()
    began = time.thread_time()
    server = newServer()
    reply = server.answer(flight)
    used += time.thread_time() - began
    incoming.write(reply)
    client.do_handshake()
    flight = outgoing.read()
    began = time.thread_time()
    server.answer(flight)
    server.end()
    del server
    return used + time.thread_time() - began


def main(folder: Path, kind: str) -> None:
    newServer = {"tlscomm": ourServers, "traced": tracedServers, "OpenSSL": bareServers}[kind](folder)
    context = clientContext(folder)
    for line in sys.stdin:
        print(sum(secondsOfServer(context, newServer) for _ in range(int(line))), flush=True)


main(Path(sys.argv[1]), sys.argv[2])
