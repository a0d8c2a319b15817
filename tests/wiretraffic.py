"""Connections of OpenSSL with itself in memory, and what went over the wire, with the secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache

from OpenSSL import SSL

from tests.chains import NAME, NOW, root, rsaRoot
from tlscomm._wire.dissector import Dissector
from tlscomm._wire.events import Event
from tlscomm._wire.secrets import Secrets
from tlscomm.credentials import Credential

__all__ = ["Flight", "LoggedContext", "Traffic", "context", "dissected", "fed", "names", "pieces"]

#: Whether the client has sent it, and the bytes.
Flight = tuple[bool, bytes]


@cache
def _issued(role: str, isRSA: bool) -> Credential:
    issuer = rsaRoot() if isRSA else root()
    return issuer.issue(NAME, role=role, organization="chains", now=NOW, dnsNames=[NAME])  # type: ignore[arg-type]


class LoggedContext(SSL.Context):
    """A context that writes a key log of all its connections."""

    def __init__(self) -> None:
        super().__init__(SSL.TLS_METHOD)
        self.log: list[bytes] = []
        self.set_keylog_callback(lambda _, line: self.log.append(line + b"\n"))


def context(role: str, version: int, suites: str = "", *, isRSA: bool = False, wantsPeer: bool = True) -> LoggedContext:
    """Return a context of one version of TLS, for a side that has a certificate and demands one."""
    credential = _issued(role, isRSA)
    made = LoggedContext()
    # The versions of old are at level 0 of security alone.
    made.set_cipher_list(b"DEFAULT@SECLEVEL=0")
    made.set_min_proto_version(version)
    made.set_max_proto_version(version)
    made.use_certificate(credential.certificate)
    assert credential.privateKey is not None
    made.use_privatekey(credential.privateKey)  # type: ignore[arg-type]
    if suites and version == SSL.TLS1_3_VERSION:
        made.set_tls13_ciphersuites(suites.encode())
    elif suites:
        made.set_cipher_list(suites.encode() + b":@SECLEVEL=0")
    if wantsPeer:
        made.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    made.set_session_id(b"wire")
    return made


class Traffic:
    """Two connections of OpenSSL, and what they have sent each other.

    Attributes:
        flights: what each side has sent, in its order.
    """

    def __init__(self, client: LoggedContext, server: LoggedContext, session: SSL.Session | None = None) -> None:
        self.flights: list[Flight] = []
        self._log = client.log
        self.client, self.server = SSL.Connection(client), SSL.Connection(server)
        self.client.set_connect_state()
        self.server.set_accept_state()
        if session is not None:
            self.client.set_session(session)

    @property
    def keys(self) -> bytes:
        """The client's key log."""
        return b"".join(self._log)

    def pump(self) -> Traffic:
        """Carry bytes until both sides are silent."""
        while self._carry(self.client, self.server, True) + self._carry(self.server, self.client, False):
            pass
        return self

    def say(self, isFromClient: bool, data: bytes) -> Traffic:
        """Have one side send application data."""
        (self.client if isFromClient else self.server).send(data)
        return self.pump()

    def _carry(self, source: SSL.Connection, target: SSL.Connection, isFromClient: bool) -> int:
        _attempted(source.do_handshake)
        try:
            data = source.bio_read(1 << 20)
        except SSL.WantReadError:
            return 0
        self.flights.append((isFromClient, data))
        target.bio_write(data)
        _attempted(target.do_handshake)
        _attempted(lambda: target.recv(1 << 20))
        return len(data)


def _attempted(step: Callable[[], object]) -> None:
    with suppress(SSL.Error):
        step()


def fed(flights: Iterable[Flight], keys: bytes = b"", applicationDataBytes: int = 0) -> Dissector:
    """Give what was sent to a dissector; the time is the number of the flight."""
    secrets = Secrets()
    secrets.add(keys)
    dissector = Dissector(secrets, applicationDataBytes)
    for number, (isFromClient, data) in enumerate(flights):
        dissector.feed(isFromClient, data, number)
    return dissector


def dissected(traffic: Traffic, *, withKeys: bool = True) -> list[Event]:
    """Return what is seen of a connection."""
    return fed(traffic.flights, traffic.keys if withKeys else b"").events


def names(events: Iterable[Event]) -> list[str]:
    """Return what was said, the client's behind ``>`` and the server's behind ``<``."""
    return [f"{'>' if each.isFromClient else '<'}{each.name or each.kind.value}" for each in events]


def pieces(flights: Iterable[Flight], size: int) -> Iterator[Flight]:
    """Cut what was sent into pieces."""
    for isFromClient, data in flights:
        yield from ((isFromClient, data[at : at + size]) for at in range(0, len(data), size))
