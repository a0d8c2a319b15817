"""From captures to traces of the connections in them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator

from tlscomm._capture.links import isLinkRead
from tlscomm._capture.network import Network
from tlscomm._capture.packets import Address
from tlscomm._capture.problems import Damage
from tlscomm._capture.reading import CaptureFiles
from tlscomm._capture.tcp import Connections
from tlscomm._wire.beginning import Beginning
from tlscomm._wire.dissector import Dissector
from tlscomm._wire.secrets import Secrets
from tlscomm.tracing._assembling import assemble
from tlscomm.tracing._trace import Trace
from tlscomm.verification import Verifier

__all__ = ["CaptureReading", "readCaptures"]

#: So many bytes are held of all connections that have not ended.
_MOST_HELD = 24 << 20

#: So many link types that are not read are named.
_MOST_UNREAD = 4

#: Progress is told every so many packets.
_PROGRESS_EVERY = 4096


def readCaptures(
    paths: Iterable[str],
    secrets: Secrets,
    *,
    clientVerifier: Verifier | None = None,
    serverVerifier: Verifier | None = None,
    applicationDataBytes: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> CaptureReading:
    """Read captures, and give the trace of each TLS connection in them when it has ended.

    Several files are one capture that was divided. They are read in the order of their first packets. Memory is bounded
    however large they are, as long as traces are not kept.

    Args:
        paths: the captures, pcap or pcapng, packed by gzip or not; ``-`` is standard input.
        secrets: what sealed records are opened with. What the captures carry is added to it.
        clientVerifier: what clients' certificates are judged by; by themselves and the time alone where None.
        serverVerifier: the same for the servers'.
        applicationDataBytes: how many bytes of application data are kept of each direction of a connection.
        progress: is called now and then with the bytes that were read and those that there are, 0 where not known.

    Raises:
        CaptureProblem: a file cannot be opened, or is no capture. Of standard input, the first trace says so.
    """

    def trace(connection: _Connection) -> Trace:
        return connection.trace(clientVerifier, serverVerifier)

    return CaptureReading(CaptureFiles(paths, secrets.add), secrets, applicationDataBytes, trace, progress)


class CaptureReading(Iterator[Trace]):
    """The traces of captures, one after the other as their connections end.

    Attributes:
        packets: how many packets were read so far.
        packetsWithoutTCP: how many of them hold no TCP that can be read.
        connections: how many TCP connections have begun.
        connectionsWithoutTLS: how many of those that have ended had no TLS in them.
    """

    def __init__(
        self,
        files: CaptureFiles,
        secrets: Secrets,
        applicationDataBytes: int,
        trace: Callable[[_Connection], Trace],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.packets = 0
        self.packetsWithoutTCP = 0
        self.connectionsWithoutTLS = 0
        # By link type that is not read: how many packets had it.
        self._unread: Counter[int] = Counter()
        self._files = files
        self._secrets = secrets
        self._applicationDataBytes = applicationDataBytes
        self._trace = trace
        self._progress = progress
        self._ended: deque[_Connection] = deque()
        self._budget = _Budget(_MOST_HELD)
        self._connections = Connections(self._connected, isLive=files.isLive)
        self._traces = self._read()

    @property
    def connections(self) -> int:
        """How many TCP connections have begun."""
        return self._connections.count

    @property
    def areSecretsUsed(self) -> bool:
        """Whether one of the secrets belonged to a connection so far."""
        return self._secrets.areUsed

    @property
    def damages(self) -> tuple[Damage, ...]:
        """Where captures could not be read any further, and packets whose link layer is not read."""
        return (*self._files.damages, *map(_unread, self._unread.most_common(_MOST_UNREAD)))

    def __next__(self) -> Trace:
        return next(self._traces)

    def _read(self) -> Iterator[Trace]:
        segmentOf, add, ended = Network().segment, self._connections.add, self._ended
        for packet in self._files.packets():
            segment = segmentOf(packet)
            self.packets += 1
            if segment is None:
                self.packetsWithoutTCP += 1
                if not isLinkRead(packet.linkType):
                    self._unread[packet.linkType] += 1
            else:
                add(segment, packet.time, packet.number)
            if not self.packets % _PROGRESS_EVERY:
                self._tellProgress()
            if ended:
                yield from self._finished()
        self._connections.finish()
        self._tellProgress()
        yield from self._finished()

    def _finished(self) -> Iterator[Trace]:
        while self._ended:
            connection = self._ended.popleft()
            if connection.isTLS:
                yield self._trace(connection)
            else:
                self.connectionsWithoutTLS += 1

    def _tellProgress(self) -> None:
        if self._progress is not None:
            self._progress(self._files.position, self._files.size)

    def _connected(self, number: int, first: Address, second: Address) -> _Connection:
        return _Connection(number, first, second, self._makeDissector, self._ended.append, budget=self._budget)

    def _makeDissector(self) -> Dissector:
        return Dissector(self._secrets, self._applicationDataBytes)


def _unread(found: tuple[int, int]) -> Damage:
    linkType, count = found
    packets = "1 packet has" if count == 1 else f"{count:,} packets have"
    return Damage("Link layer", None, f"{packets} one that is not read (LINKTYPE {linkType})")


class _Budget:
    """What all connections hold together: of too much, the one that holds the most gives up what it holds."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[_Connection, int] = {}
        self._sum = 0

    def spend(self, connection: _Connection, held: int, time: int, packet: int) -> None:
        """A connection holds so many bytes now."""
        self._sum += held - self._held.get(connection, 0)
        self._held[connection] = held
        while self._sum > self._most:
            largest = max(self._held, key=self._held.__getitem__)
            before = self._held[largest]
            largest.giveUp(time, packet)
            self._held[largest] = after = largest.held
            self._sum += after - before
            if after >= before:
                break

    def leave(self, connection: _Connection) -> None:
        """A connection has ended."""
        self._sum -= self._held.pop(connection, 0)


class _Connection:
    """One TCP connection of a capture, as a `StreamReader`."""

    def __init__(
        self,
        number: int,
        first: Address,
        second: Address,
        makeDissector: Callable[[], Dissector],
        ended: Callable[[_Connection], None],
        *,
        budget: _Budget,
    ) -> None:
        self._number = number
        self._first = first
        self._second = second
        # Where no message tells, the side with the smaller port is the server.
        self._beginning = Beginning(makeDissector, first.port >= second.port)
        self._ended = ended
        self._isFinished = False
        self._budget = budget
        self.missing = self._beginning.missing

    @property
    def held(self) -> int:
        return self._beginning.held

    def data(self, isFirst: bool, data: bytes, time: int, packet: int) -> None:
        self._beginning.data(isFirst, data, time, packet)
        self._budget.spend(self, self._beginning.held, time, packet)

    def giveUp(self, time: int, packet: int) -> None:
        self._beginning.giveUp(time, packet)

    @property
    def isTLS(self) -> bool:
        return bool(self._beginning.isTLS)

    def step(self, isFirst: bool, name: str, time: int, packet: int) -> None:
        self._isFinished = self._isFinished or name != "SYN"
        self._beginning.step(isFirst, name, time, packet)

    def ended(self) -> None:
        self._beginning.ended()
        self._budget.leave(self)
        self._ended(self)

    def trace(self, clientVerifier: Verifier | None, serverVerifier: Verifier | None) -> Trace:
        isClientFirst, dissector = self._beginning.isClientFirst, self._beginning.dissector
        events = dissector.events if dissector is not None else []
        return assemble(
            events,
            number=self._number,
            client=self._first if isClientFirst else self._second,
            server=self._second if isClientFirst else self._first,
            isFinished=self._isFinished,
            hasSecrets=any(record.isOpened for event in events for record in event.records),
            clientVerifier=clientVerifier,
            serverVerifier=serverVerifier,
        )
