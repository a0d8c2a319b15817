"""What the tests with real sockets share: programs that are not ours, threads as peers, and a record of what we say.

A peer is either a program, spawned with pipes, or a function with a blocking socket that runs in a thread. Everything
here waits, and every wait is bounded; one that is not met says what was awaited and what the program had printed.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtensionOID
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet import reactor as installedReactor
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.error import ConnectionDone, ProcessExitedAlready
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IProtocolFactory
from twisted.internet.protocol import ProcessProtocol, connectionDone
from twisted.internet.ssl import Certificate, CertificateOptions, TLSVersion, trustRootFromCertificates
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from tlscomm.configuration import (
    ClientConfiguration,
    Configuration,
    Deadlines,
    ExternalContextConfiguration,
    ServerConfiguration,
)
from tlscomm.credentials import Credential
from tlscomm.endpoints import TLSClientEndpoint, TLSServerEndpoint
from tlscomm.failures import TLSFailure
from tlscomm.issuing import Authority
from tlscomm.messages import MessageFactory, MessageProtocol, RequestProtocol
from tlscomm.transport import TLSTransport
from tlscomm.x509._encoding import keyPEM, pem

__all__ = [
    "CHINESE",
    "LOOPBACK",
    "PATIENCE",
    "PATIENT",
    "Asker",
    "Echo",
    "InteropCase",
    "Program",
    "Record",
    "authorityFile",
    "clientContext",
    "credential",
    "dial",
    "echoing",
    "files",
    "presenting",
    "reactor",
    "root",
    "said",
    "serverContext",
    "stranger",
]

reactor: Any = installedReactor

#: Seconds for anything that happens at once on an idle machine.
PATIENCE = 60.0

#: So that a test in which no deadline is the subject never sees one.
PATIENT = Deadlines(handshake=PATIENCE, write=PATIENCE, close=PATIENCE, acceptance=PATIENCE)

LOOPBACK = "127.0.0.1"

#: A message that takes more bytes than characters.
CHINESE = "客户端发送的消息，服务器原样返回。"


# Credentials.


@cache
def root() -> Authority:
    """The authority that everybody trusts."""
    return Authority.create("root", organization="we")


@cache
def stranger() -> Authority:
    """The authority that nobody trusts."""
    return Authority.create("stranger", organization="somebody else")


@cache
def _intermediate() -> Authority:
    return root().intermediate("intermediate")


def credential(role: str, kind: str = "good") -> Credential:
    """Return a credential for a side of a connection; its kind says what is wrong with it."""
    return _made(role, kind)


@cache
def _made(role: str, kind: str) -> Credential:
    now = datetime.now(timezone.utc)
    issuer = {"unknown-issuer": stranger, "intermediate": _intermediate, "incomplete-chain": _intermediate}.get(
        kind, root
    )
    purpose: Any = role
    details: dict[str, Any] = {"dnsNames": ["localhost"], "addresses": [LOOPBACK]}
    if kind == "self-signed":
        return _selfSigned(role)
    if kind == "expired":
        details |= {"notBefore": now - timedelta(days=3), "notAfter": now - timedelta(days=1)}
    elif kind == "not-yet-valid":
        details |= {"notBefore": now + timedelta(days=1)}
    elif kind == "wrong-purpose":
        purpose = "client" if role == "server" else "server"
    elif kind == "other-name":
        details = {"dnsNames": ["other.example"]}
    elif kind == "no-name":
        details = {}
    made = issuer().issue("localhost", role=purpose, **details)
    return replace(made, chain=()) if kind == "incomplete-chain" else made


def _selfSigned(role: str) -> Credential:
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    own = Authority.create(
        f"self-signed {role}",
        omit=[ExtensionOID.KEY_USAGE, ExtensionOID.BASIC_CONSTRAINTS],
        extensions=[(names, False)],
    )
    return Credential(own.certificate, (), own.privateKey)


def files(role: str, kind: str = "good") -> str:
    """Write a credential, its chain and its key to a PEM file in the current folder, and return the file's name."""
    made, name = credential(role, kind), f"{role}-{kind}.pem"
    key: Any = made.privateKey
    with os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(pem((made.certificate, *made.chain)) + keyPEM(key))
    return name


def authorityFile(authority: Callable[[], Authority] = root) -> str:
    """Write an authority's certificate to a PEM file in the current folder, and return the file's name."""
    name = f"{authority.__name__}.pem"
    Path(name).write_bytes(pem([authority().certificate]))
    return name


def presenting(
    made: Credential, *, serverName: str | None = None, version: str | None = None
) -> ExternalContextConfiguration:
    """Return a configuration that presents a credential which tlscomm's own would refuse to use.

    Args:
        made: the credential.
        serverName: for a client; None makes a server's configuration.
        version: the only version of TLS to speak, or None for both.
    """
    versions = {"1.2": TLSVersion.TLSv1_2, "1.3": TLSVersion.TLSv1_3}
    options = CertificateOptions(
        privateKey=made.privateKey,
        certificate=made.certificate,
        trustRoot=trustRootFromCertificates([Certificate(X509.from_cryptography(root().certificate))]),
        raiseMinimumTo=versions.get(version or "1.2"),
        lowerMaximumSecurityTo=versions.get(version or "1.3"),
    )
    creator = options if serverName is None else _Creator(options)
    return ExternalContextConfiguration(creator=creator, serverName=serverName, deadlines=PATIENT)


@implementer(IOpenSSLClientConnectionCreator)
class _Creator:
    def __init__(self, options: CertificateOptions) -> None:
        self._options = options

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        return SSL.Connection(self._options.getContext())


# What we say.


class Record:
    """An observer that keeps what it is told until a test asks for it."""

    def __init__(self) -> None:
        self._told: dict[str, DeferredQueue[Any]] = {}

    def accepted(self, transport: TLSTransport) -> None:
        self._queue("accepted").put(transport)

    def refused(self, transport: TLSTransport, failure: TLSFailure) -> None:
        self._queue("refused").put(failure)

    def closed(self, transport: TLSTransport, failure: TLSFailure | None) -> None:
        self._queue("closed").put(failure)

    def next(self, event: str) -> Deferred[Any]:
        """Return the next transport that was ``accepted``, or failure of one that was ``refused`` or ``closed``.

        It comes in a later turn of the reactor: a test does not act in the middle of what an observer is told.
        """
        told = self._queue(event).get().addTimeout(PATIENCE, reactor)
        return told.addCallback(lambda what: deferLater(reactor, 0, lambda: what))

    def count(self, event: str) -> int:
        """How many events of a kind were told and not asked for."""
        return len(self._queue(event).pending)

    def _queue(self, event: str) -> DeferredQueue[Any]:
        return self._told.setdefault(event, DeferredQueue())


class Echo(MessageProtocol):
    """Sends every message back."""

    def messageReceived(self, message: str | bytes) -> None:
        self.sendMessage(message)


# Peers.


class Program(ProcessProtocol):
    """A program that is running.

    Attributes:
        printed: everything it has printed, standard output and standard error as they came.
        output: its standard output alone.
    """

    def __init__(self, *command: str) -> None:
        self.command = command
        self.printed = bytearray()
        self.output = bytearray()
        self._ended: Deferred[int] = Deferred()
        self._code: int | None = None
        self._awaited: list[tuple[Callable[[], Any], Deferred[Any]]] = []
        reactor.spawnProcess(self, command[0], command, env=os.environ)

    def say(self, data: str | bytes) -> None:
        """Write to its standard input."""
        self.transport.write(data.encode() if isinstance(data, str) else data)

    def endInput(self) -> None:
        """Close its standard input, after everything that was written to it."""
        self.transport.closeStdin()

    def prints(self, pattern: str) -> Deferred[re.Match[str]]:
        """Await output, of now or before, that matches a regular expression."""
        return self._await(lambda: re.search(pattern, self.text), f"to print {pattern!r}")

    def outputs(self, size: int) -> Deferred[bool]:
        """Await that its standard output has at least so many bytes."""
        return self._await(lambda: len(self.output) >= size, f"to print {size} bytes")

    def ends(self) -> Deferred[int]:
        """Await its end, and return its exit status (negative for a signal)."""
        return self._await(lambda: self._code is not None, "to end").addCallback(lambda _: self._code)

    @property
    def text(self) -> str:
        """Everything that it has printed."""
        return self.printed.decode("utf-8", "replace")

    async def stop(self) -> None:
        """End it if it is still running."""
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")
        await self.ends()

    def outReceived(self, data: bytes) -> None:
        self.output += data
        self.errReceived(data)

    def errReceived(self, data: bytes) -> None:
        self.printed += data
        self._look()

    def processEnded(self, reason: Failure) -> None:
        status: Any = reason.value
        self._code = status.exitCode if status.signal is None else -status.signal
        self._look()

    def _await(self, condition: Callable[[], Any], what: str) -> Deferred[Any]:
        met: Deferred[Any] = Deferred(lambda _: self._awaited.remove(entry))
        entry = (condition, met)
        self._awaited.append(entry)
        met.addTimeout(PATIENCE, reactor)
        met.addErrback(self._explain, what)
        self._look()
        return met

    def _look(self) -> None:
        for entry in list(self._awaited):
            condition, met = entry
            if found := condition():
                self._awaited.remove(entry)
                met.callback(found)
            elif self._code is not None:
                self._awaited.remove(entry)
                met.errback(Failure(EOFError(f"it ended with {self._code}")))

    def _explain(self, reason: Failure, what: str) -> None:
        raise AssertionError(f"{' '.join(self.command)} was {what}: {reason.getErrorMessage()}\n{self.text}")


def clientContext(
    kind: str | None = "good", *, version: str | None = None, authority: Callable[[], Authority] = root
) -> ssl.SSLContext:
    """Return a client's context of Python's own ``ssl``, with a certificate of this kind or without one."""
    context = ssl.create_default_context(cafile=authorityFile(authority))
    return _completed(context, "client", kind, version)


def serverContext(
    kind: str = "good", *, version: str | None = None, authority: Callable[[], Authority] | None = root
) -> ssl.SSLContext:
    """Return a server's context of Python's own ``ssl``, which demands certificates of an authority if one is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if authority is not None:
        context.load_verify_locations(authorityFile(authority))
        context.verify_mode = ssl.CERT_REQUIRED
    return _completed(context, "server", kind, version)


def _completed(context: ssl.SSLContext, role: str, kind: str | None, version: str | None) -> ssl.SSLContext:
    if kind is not None:
        context.load_cert_chain(files(role, kind))
    if version is not None:
        context.minimum_version = context.maximum_version = ssl.TLSVersion[f"TLSv{version.replace('.', '_')}"]
    return context


@contextmanager
def dial(port: int, context: ssl.SSLContext, receiveBuffer: int | None = None) -> Iterator[ssl.SSLSocket]:
    """Connect a blocking socket with TLS; leaving the context closes it without a close_notify. For a thread.

    Args:
        port: on this machine.
        context: the client's.
        receiveBuffer: how many bytes the kernel may receive ahead, about; its own choice where None.
    """
    tcp = socket.socket()
    if receiveBuffer is not None:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receiveBuffer)
    with tcp:
        tcp.settimeout(PATIENCE)
        tcp.connect((LOOPBACK, port))
        with context.wrap_socket(tcp, server_hostname="localhost") as tls:
            yield tls


class Asker(RequestProtocol):
    """A client's protocol that tells of its end.

    Attributes:
        lost: fires with the exception that `connectionLost` was told.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lost: Deferred[BaseException] = Deferred()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.lost.callback(reason.value)


class InteropCase(TestCase):
    """A test with our server or our client, and a peer that is not ours."""

    timeout = 3 * PATIENCE

    def setUp(self) -> None:
        self.record = Record()

    async def serve(
        self,
        factory: IProtocolFactory | None = None,
        configuration: Configuration | None = None,
        port: int = 0,
        **settings: Any,
    ) -> int:
        """Start our server and return its port.

        Args:
            factory: makes the protocols; they echo lines where None.
            configuration: the server's; where None, one that demands certificates of the root, with these settings.
            port: where it listens; 0 for any.
        """
        usual = {"credential": credential("server"), "clientRoots": (root().certificate,), "deadlines": PATIENT}
        configuration = configuration or ServerConfiguration(**(usual | settings))
        below = TCP4ServerEndpoint(reactor, port, interface=LOOPBACK)
        endpoint = TLSServerEndpoint(reactor, below, configuration, observer=self.record)
        listening: Any = await endpoint.listen(factory or echoing())
        tls: Any = endpoint.factory
        self.addCleanup(self._stopServing, listening, tls.connections)
        return listening.getHost().port  # type: ignore[no-any-return]

    def connect(self, port: int, configuration: Configuration | None = None, **settings: Any) -> Deferred[Asker]:
        """Connect our client, which speaks in lines.

        Args:
            port: on this machine.
            configuration: the client's; where None, one for ``localhost`` with a good certificate and these settings.
        """
        usual = {"credential": credential("client"), "roots": (root().certificate,), "deadlines": PATIENT}
        configuration = configuration or ClientConfiguration(serverName="localhost", **(usual | settings))
        endpoint = TLSClientEndpoint(reactor, TCP4ClientEndpoint(reactor, LOOPBACK, port), configuration)
        connecting: Any = endpoint.connect(MessageFactory(Asker, framing="line", readTimeout=PATIENCE))
        return connecting.addTimeout(PATIENCE, reactor)  # type: ignore[no-any-return]

    def spawn(self, *command: str) -> Program:
        """Start a program, which ends with the test if not before."""
        program = Program(*command)
        self.addCleanup(lambda: Deferred.fromCoroutine(program.stop()))
        return program

    async def failureOf(self, refused: Deferred[Any]) -> TLSFailure:
        """Await a connection that is not to be, and return why."""
        try:
            await refused
        except TLSFailure as failure:
            return failure
        raise AssertionError("the connection was accepted")

    async def finish(self, asker: Asker) -> None:
        """End a connection, and check that it ended in order."""
        asker.loseConnection()
        self.assertIsInstance(await asker.lost, ConnectionDone)

    async def _stopServing(self, port: Any, connections: set[TLSTransport]) -> None:
        await port.stopListening()
        for transport in list(connections):
            transport.abortConnection()
        while connections:
            await deferLater(reactor, 0)


def echoing(framing: str = "line") -> MessageFactory:
    """Return a factory of protocols that send every message back."""
    return MessageFactory(Echo, framing=framing, maximumMessage=1 << 23, readTimeout=PATIENCE)


def said(failure: TLSFailure) -> tuple[str, str, str]:
    """Return what we say of a failure: its code, its side, and which alert went which way."""
    alert = failure.alert
    return failure.code, failure.side, "no alert" if alert is None else f"{alert.direction} {alert.number} {alert.name}"
