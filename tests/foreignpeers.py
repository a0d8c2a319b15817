"""Programs that are not ours, each faced with every fault of the gallery, and the lines that they print of it.

A client meets a server of Python's ``ssl`` that presents the faulty certificate; a server that demands certificates
meets a client of Python's that does. Each server is started once and takes one connection after the other.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tlscomm.issuing import EXHIBITS, writeGallery

__all__ = ["LOOPBACK", "Case", "FaultyServers", "Said", "caseNamed", "clientCases", "serverCases"]

LOOPBACK = "127.0.0.1"
PATIENCE = 10.0


@dataclass(frozen=True)
class Case:
    """One thing that is wrong, and what has to be said of it.

    Attributes:
        name: an exhibit's, or that of another fault.
        codes: the failures that the case is; one of them has to be among the causes.
        serverName: what a client asks for.
    """

    name: str
    codes: tuple[str, ...]
    serverName: str = "localhost"


@dataclass(frozen=True)
class Said:
    """What a program printed in a case."""

    program: str
    case: Case
    text: str


def _cases(role: str) -> Iterator[Case]:
    for each in EXHIBITS:
        if (
            role in each.roles
            and each.judge == "peer"
            and each.code is not None
            and each.name != "malformed-alternative-name"
        ):
            yield Case(each.name, (each.code,), each.serverName)


def serverCases() -> tuple[Case, ...]:
    """The faults of servers' certificates."""
    return tuple(_cases("server"))


def clientCases() -> tuple[Case, ...]:
    """The faults of clients' certificates, and having none."""
    return (*_cases("client"), Case("none", ("no-certificate",)))


def program(name: str) -> str:
    """Return where a program is, which is often where only root looks."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"))
    place = shutil.which(name, path=path)
    assert place is not None, f"{name} is not installed: make programs"
    return place


def lenient(purpose: int) -> ssl.SSLContext:
    """Return a context that verifies nothing and takes weak keys."""
    context = ssl.SSLContext(purpose)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def presenting(folder: Path, role: str, name: str) -> ssl.SSLContext:
    """Return a context that verifies nothing and presents an exhibit."""
    context = lenient(ssl.PROTOCOL_TLS_SERVER if role == "server" else ssl.PROTOCOL_TLS_CLIENT)
    if name != "none":
        context.load_cert_chain(folder / role / f"{name}.pem", folder / role / f"{name}.key")
    return context


class FaultyServers:
    """Servers in threads, each with a fault of its own, on a port of its own."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._threads: list[threading.Thread] = []

    def start(self, serve: Callable[[socket.socket], None]) -> int:
        """Have a function take every connection of a new port, and return the port."""
        listener = self._stack.enter_context(socket.create_server((LOOPBACK, 0)))

        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.settimeout(PATIENCE)
                with connection, contextlib.suppress(OSError, ValueError):
                    serve(connection)

        threading.Thread(target=run, daemon=True).start()
        port: int = listener.getsockname()[1]
        self._stack.callback(_wake, listener)
        return port

    def presenting(self, context: ssl.SSLContext, told: list[str] | None = None) -> int:
        """Serve TLS with a context, and note what Python says of what failed."""

        def serve(connection: socket.socket) -> None:
            try:
                with context.wrap_socket(connection, server_side=True) as tls:
                    tls.recv(1000)
                    tls.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
            except OSError as problem:
                if told is not None:
                    told.append(repr(problem))

        return self.start(serve)

    def close(self) -> None:
        self._stack.close()


def _wake(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)


def run(*command: str, folder: Path, given: bytes = b"") -> str:
    """Run a program to its end, and return all that it printed."""
    done = subprocess.run(
        command,
        cwd=folder,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE,
        check=False,
    )
    return done.stdout.decode("utf-8", "replace")


def writeFiles(folder: Path) -> None:
    """Write the gallery, its root with all lists in one file, and the root's list alone."""
    writeGallery(folder)
    lists = (folder / "revoked.crl").read_bytes()
    (folder / "trusted.pem").write_bytes((folder / "roots.pem").read_bytes() + lists)
    end = b"-----END X509 CRL-----\n"
    (folder / "root.crl").write_bytes(lists.partition(end)[0] + end)


def clientCommands(port: int, name: str) -> dict[str, tuple[str, ...]]:
    """Return how each client is told to connect to a name at a port of this machine, and to verify all."""
    ascii = name.encode("idna").decode() if not name.isascii() else name
    isAddress = ascii == LOOPBACK
    return {
        "openssl s_client": (
            *(program("openssl"), "s_client", "-connect", f"{LOOPBACK}:{port}", "-CAfile", "trusted.pem"),
            *("-verify_return_error", "-crl_check_all"),
            *(("-verify_ip", ascii) if isAddress else ("-verify_hostname", ascii, "-servername", ascii)),
        ),
        "curl": (
            *(program("curl"), "-sS", "--cacert", "roots.pem", "--crlfile", "revoked.crl", "--max-time", "5"),
            *("--resolve", f"{ascii}:{port}:{LOOPBACK}", f"https://{ascii}:{port}/"),
        ),
        "gnutls-cli": (
            *(program("gnutls-cli"), "--x509cafile", "roots.pem", "--x509crlfile", "root.crl", "-p", str(port)),
            *("--verify-hostname", ascii, "--sni-hostname", "localhost" if isAddress else ascii, LOOPBACK),
        ),
    }


def meet(port: int, context: ssl.SSLContext, name: str = "localhost") -> None:
    """Connect, say a little, and await the answer.

    Raises:
        OSError: it went wrong.
    """
    tcp = socket.create_connection((LOOPBACK, port), timeout=PATIENCE)
    with tcp, context.wrap_socket(tcp, server_hostname=name) as tls:
        tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
        tls.recv(1000)


def pythonClient(port: int, name: str, folder: Path) -> str:
    """Return what Python's own ``ssl`` says of a server."""
    context = ssl.create_default_context(cafile=str(folder / "roots.pem"))
    context.load_verify_locations(folder / "revoked.crl")
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    try:
        meet(port, context, name)
    except OSError as problem:
        return repr(problem)
    return ""


def demanding(folder: Path) -> ssl.SSLContext:
    """Return a server's context that demands certificates of the gallery's root, and looks into its lists."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server" / "good.pem", folder / "server" / "good.key")
    context.load_verify_locations(folder / "trusted.pem")
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def otherServers(folder: Path) -> Iterator[tuple[Case, Callable[[FaultyServers], int]]]:
    """Give faults of servers that are not their certificate's, and how each is started."""

    def good(**changes: object) -> ssl.SSLContext:
        context = presenting(folder, "server", "good")
        for name, value in changes.items():
            setattr(context, name, value)
        return context

    def speaking(words: bytes) -> Callable[[socket.socket], None]:
        def speak(connection: socket.socket) -> None:
            connection.sendall(words)
            connection.recv(1)

        return speak

    def closing(connection: socket.socket) -> None:
        connection.recv(4096)

    def resetting(connection: socket.socket) -> None:
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def unknownName(_socket: ssl.SSLSocket, _name: str, _context: ssl.SSLContext) -> int:
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    def oldOnly(connection: socket.socket) -> None:
        connection.recv(4096)
        # A fatal alert, protocol_version, as a server of TLS 1.0 and 1.1 alone sends it.
        connection.sendall(bytes((21, 3, 1, 0, 2, 2, 70)))
        connection.recv(1)

    rare = good(maximum_version=ssl.TLSVersion.TLSv1_2)
    rare.set_ciphers("ECDHE-ECDSA-CAMELLIA128-SHA256:@SECLEVEL=0")
    named = good(sni_callback=unknownName)
    yield Case("no-version", ("no-common-version",)), lambda servers: servers.start(oldOnly)
    yield Case("no-cipher", ("no-common-cipher",)), lambda servers: servers.presenting(rare)
    yield Case("unknown-name", ("unknown-server-name",)), lambda servers: servers.presenting(named)
    yield Case("http", ("not-tls",)), lambda servers: servers.start(speaking(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    yield Case("ssh", ("not-tls",)), lambda servers: servers.start(speaking(b"SSH-2.0-OpenSSH_9.2\r\n"))
    yield Case("closes", ("closed-in-handshake",)), lambda servers: servers.start(closing)
    yield Case("resets", ("reset",)), lambda servers: servers.start(resetting)
    yield Case("nothing-listens", ("connect-failed",)), lambda servers: _unused()


def _unused() -> int:
    with socket.create_server((LOOPBACK, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def caseNamed(name: str) -> Case:
    """Return a case by its name."""
    others = {
        "no-version": "no-common-version",
        "no-cipher": "no-common-cipher",
        "unknown-name": "unknown-server-name",
        "http": "not-tls",
        "ssh": "not-tls",
        "closes": "closed-in-handshake",
        "resets": "reset",
        "nothing-listens": "connect-failed",
        "none": "no-certificate",
    }
    codes = {exhibit.name: exhibit.code for exhibit in EXHIBITS} | others
    return Case(name, (codes[name] or "",))


def refusedCommands(port: int, name: str) -> dict[str, tuple[str, ...]]:
    """Return how each client is told to present an exhibit, and to trust the server."""
    pair = (f"client/{name}.pem", f"client/{name}.key")
    weak = name.startswith("weak")
    openssl = ("-cert", pair[0], "-cert_chain", pair[0], "-key", pair[1], "-cipher", "ALL:@SECLEVEL=0")
    curl = ("--cert", pair[0], "--key", pair[1], *(("--ciphers", "ALL:@SECLEVEL=0") if weak else ()))
    isNone = name == "none"
    return {
        "openssl s_client": (
            *(program("openssl"), "s_client", "-connect", f"{LOOPBACK}:{port}", "-CAfile", "roots.pem", "-ign_eof"),
            *(() if isNone else openssl),
        ),
        "curl": (
            *(program("curl"), "-sS", "--cacert", "roots.pem", "--max-time", "5", f"https://localhost:{port}/"),
            *(() if isNone else curl),
        ),
    }


def freePorts(number: int) -> list[int]:
    """Return ports of which each was free a moment ago."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(number)]
        return [int(listener.getsockname()[1]) for listener in listeners]
