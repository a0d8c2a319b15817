"""Connections in memory that are watched from outside: what goes over the wire, and the secrets."""

from __future__ import annotations

from typing import Any

from failuretable import Row, Stage

from tlscomm._openssl import contexts
from tlscomm._wire.dissector import Dissector
from tlscomm._wire.events import Event, Kind
from tlscomm._wire.secrets import Secrets
from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.testing import Pair
from tlscomm.testing._memory import MemoryLink, MemoryTransport

__all__ = ["KeyLoggingStage", "Tap", "tapped"]


class KeyLoggingStage(Stage):
    """A stage whose sides write down their secrets."""

    def client(self, **changes: Any) -> ClientConfiguration:
        return self._logging(super().client(**changes))

    def server(self, **changes: Any) -> ServerConfiguration:
        return self._logging(super().server(**changes))

    @property
    def keys(self) -> Secrets:
        found: Secrets = self.__dict__.setdefault("_keys", Secrets())
        return found

    def _logging(self, configuration: Any) -> Any:
        context = configuration._context
        context.set_keylog_callback(lambda _, line: self.keys.add(line + b"\n"))
        # The context had a callback, which it has to have again.
        contexts._keepingSecrets.discard(context)
        contexts.keepSecrets(context)
        return configuration


class Tap:
    """Watches a pair.

    Attributes:
        dissector: what it sees.
    """

    def __init__(self, pair: Pair, secrets: Secrets, beginning: int) -> None:
        self.dissector = Dissector(secrets)
        self._pair = pair
        self._beginning = beginning
        self._ended: set[bool] = set()
        pair.link.__class__ = _TappedLink
        pair.link.tap = self  # type: ignore[attr-defined]
        self.step(True, "SYN")
        self.step(False, "SYN")

    @property
    def time(self) -> int:
        return self._beginning + int(self._pair.clock.seconds() * 1e9)

    def step(self, isFromClient: bool, name: str) -> None:
        """One side has begun or ended."""
        if name != "SYN" and isFromClient in self._ended:
            return
        if name != "SYN":
            self._ended.add(isFromClient)
        self.dissector.note(Event(Kind.TCP, isFromClient, self.time, name, 0))


class _TappedLink(MemoryLink):
    tap: Tap

    def _move(self, source: MemoryTransport, target: MemoryTransport, most: int | None = None) -> bytes:
        if not target.isReading and target.connected:
            return b""
        taken = source.take(most)
        if taken:
            if target.connected:
                target.protocol.dataReceived(taken)
            # Now the secrets are known that open it.
            self.tap.dissector.feed(source is self.client, taken, self.tap.time)
        return taken

    def _carry(self, source: MemoryTransport, target: MemoryTransport) -> bool:
        isReset = source.wasAborted and source.connected
        isEnding = (source.writeClosing or source.disconnecting) and not source.writeClosed
        if not source.written and (isReset or isEnding):
            self.tap.step(source is self.client, "RST" if isReset else "FIN")
        return super()._carry(source, target)

    def cut(self) -> None:
        self.tap.step(True, "RST")
        super().cut()


def tapped(row: Row, version: Any, beginning: int, *, withKeys: bool = True) -> tuple[Pair, Tap, Secrets]:
    """Play a row of the table and return what was seen of it."""
    stage = KeyLoggingStage(version)
    pair = row.scene(stage)
    tap = Tap(pair, stage.keys if withKeys else Secrets(), beginning)
    pair.flush()
    row.ending(pair)
    pair.flush()
    return pair, tap, stage.keys
