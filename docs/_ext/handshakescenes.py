"""What the chapter on the handshake shows: a client and a server of ours, in memory, and a capture of what they say.

The network between them is made up, with ten milliseconds each way: what the capture shows then is round trips, and not
how busy the machine was. All else is as it is between two machines, and the capture is read as any other is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock

from tlscomm.configuration import ClientConfiguration, ServerConfiguration, insecurelyPresenting
from tlscomm.credentials import Credential
from tlscomm.issuing import Authority
from tlscomm.testing import Pair
from tlscomm.tracing import CaptureFile, Tracing
from tlscomm.transport import TLSFactory

__all__ = ["SCENES", "Scene", "playScenes"]

#: Nanoseconds that bytes are on their way, and between two scenes.
_ONE_WAY = 10_000_000
_PAUSE = 2_000_000_000

_NAME, _TRUSTED, _STRANGE = "server.example", "Example authority", "Another authority"


@dataclass(frozen=True)
class Scene:
    """One conversation.

    Attributes:
        client: makes the client's configuration.
        server: makes the server's.
        code: of the failure that it comes to; None where both accept each other.
    """

    client: Callable[[], ClientConfiguration]
    server: Callable[[], ServerConfiguration]
    code: str | None = None


def playScenes(file: Path) -> None:
    """Play all scenes, in their order, into one capture."""
    file.unlink(missing_ok=True)
    capture = CaptureFile(file)
    network = _Network(capture)
    for scene in SCENES.values():
        network.play(scene)
    capture.close()


class _Network:
    def __init__(self, capture: CaptureFile) -> None:
        self._now = time.time_ns()
        self._clock = Clock()
        self._tracing = Tracing(capture=capture, now=lambda: self._now)

    def play(self, scene: Scene) -> None:
        """Let a client connect, say one message where it is accepted, read the answer, and close."""
        serving = TLSFactory(scene.server(), Factory.forProtocol(_Echo), self._clock).buildProtocol(None)
        pair = Pair(scene.client(), serving, clock=self._clock, tracing=self._tracing)
        self._carry(pair)
        # A client waits a moment whether a refusal follows.
        pair.flush()
        if pair.client.isAccepted:
            pair.client.transport.write("Grüße, 你好".encode())
            self._carry(pair)
            pair.client.transport.loseConnection()
            self._carry(pair)
        pair.flush()
        self._now += _PAUSE

    def _carry(self, pair: Pair) -> None:
        """Carry bytes from side to side until there are none."""
        isMoving = True
        while isMoving:
            self._clock.advance(0)
            self._now += _ONE_WAY
            isMoving = bool(pair.link.toServer())
            self._clock.advance(0)
            self._now += _ONE_WAY
            isMoving = bool(pair.link.toClient()) or isMoving


class _Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


@cache
def _authority(name: str) -> Authority:
    return Authority.create(name)


@cache
def _credential(role: Any, issuer: str = _TRUSTED, isExpired: bool = False) -> Credential:
    began, ended = (datetime.now(timezone.utc) - timedelta(days=days) for days in (90, 1))
    validity: dict[str, Any] = {"notBefore": began, "notAfter": ended} if isExpired else {}
    host = f"{role}.example"
    return _authority(issuer).issue(host, role=role, dnsNames=[host], **validity)


def _server(**more: Any) -> ServerConfiguration:
    return ServerConfiguration(
        credential=_credential("server"), clientRoots=(_authority(_TRUSTED).certificate,), **more
    )


def _client(own: Credential | None = None, name: str = _NAME, **more: Any) -> ClientConfiguration:
    configuration = ClientConfiguration(serverName=name, roots=(_authority(_TRUSTED).certificate,), **more)
    # By itself it would keep back what the server refuses.
    return configuration if own is None else insecurelyPresenting(configuration, own)


SCENES = {
    "tls13": Scene(lambda: _client(_credential("client")), _server),
    "tls12": Scene(lambda: _client(_credential("client"), maximumTLS="1.2"), _server),
    "no-certificate": Scene(_client, _server, "no-certificate"),
    "unknown-issuer": Scene(lambda: _client(_credential("client", _STRANGE)), _server, "unknown-issuer"),
    "expired": Scene(lambda: _client(_credential("client", isExpired=True)), _server, "expired"),
    "name-mismatch": Scene(lambda: _client(_credential("client"), "other.example"), _server, "name-mismatch"),
    "no-common-version": Scene(
        lambda: _client(_credential("client"), maximumTLS="1.2"), lambda: _server(minimumTLS="1.3"), "no-common-version"
    ),
}
