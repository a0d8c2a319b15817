"""A capture written anew, to be given away: the same packets at the same times, without what they tell.

Packets keep their number, their time, TCP's numbers and flags, and the records in them. Addresses become others, and
everything below IP goes, the addresses of network cards too. Packets without TCP are there as empty ones. There are no
secrets and no comments.

A packet waits until it is known what becomes of its bytes, and so do those behind it: a handshake message is redacted
when it is complete. What waits for too long becomes zeros.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from tlscomm._capture.network import Network, Segment, addresses
from tlscomm._capture.packets import Address, Packet
from tlscomm._capture.reading import CaptureFiles
from tlscomm._capture.segments import LARGEST_PAYLOAD, Encoder, emptyPacket
from tlscomm._capture.tcp import Connections
from tlscomm._capture.writing import CaptureWriter
from tlscomm.tracing._ownedfiles import create
from tlscomm.tracing._pseudonyms import Pseudonyms
from tlscomm.tracing._redactedstreams import Place, RedactedStreams

__all__ = ["redactCaptures"]

_ABOUT = "packets of a capture that was redacted by tlscomm: names, addresses and contents are not the true ones"

#: So many packets wait for the first one of them, and so many bytes.
_MOST_WAITING = 4096
_MOST_BYTES = 16 << 20

#: Directions of connections whose addresses are remembered.
_MOST_ENCODERS = 8192

#: Names that are remembered for the texts of a trace, which are not needed here.
_MOST_NAMES = 4096

_SYN = 2

_PROGRESS_EVERY = 4096


def redactCaptures(
    paths: Iterable[str],
    target: str | os.PathLike[str],
    pseudonyms: Pseudonyms,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write captures anew, as one, and return how many packets are in it.

    Args:
        paths: the captures, as `readCaptures` takes them. What is read from standard input is read once.
        target: the file, pcapng, which must not be there.
        pseudonyms: what is put in the place of names; with those of `redactTrace`, both say the same.
        progress: is called now and then with the bytes that were read and those that there are, 0 where not known.

    Raises:
        CaptureProblem: a file cannot be opened, or is no capture.
        OSError: the target cannot be written, or is there.
    """
    files = CaptureFiles(paths, _forget)
    path = Path(target)
    file = create(path)
    try:
        return _Redaction(CaptureWriter(file, _ABOUT), pseudonyms).read(files, progress)
    except BaseException:
        # Half of a capture would look like a whole one.
        path.unlink(missing_ok=True)
        raise
    finally:
        file.close()


def _forget(lines: bytes) -> None:
    """Secrets do not go into a redacted capture."""


class _Waiting:
    """A packet that waits.

    Attributes:
        packet: as it was read; without its bytes.
        segment: what is in it, None where it is no TCP.
        made: its bytes of TCP, as far as they are known.
        left: how many of them are not.
        isWritten: whether it is too late for it.
    """

    __slots__ = ("isWritten", "left", "made", "packet", "segment")

    def __init__(self, packet: Packet, segment: Segment | None) -> None:
        self.packet = packet._replace(data=b"")
        self.segment = segment
        self.made = bytearray(len(segment.payload)) if segment is not None else bytearray()
        self.left = len(self.made)
        self.isWritten = False

    def place(self, said: bytes) -> Place:
        """Return what takes, for bytes that came in it, those that are written in their place."""
        payload = self.segment.payload if self.segment is not None else b""
        # Of a packet that overlaps others only a part may be new.
        start = len(payload) - len(said) if payload.endswith(said) else payload.find(said)

        def put(at: int, data: bytes) -> None:
            self.left -= len(data)
            if start >= 0 and not self.isWritten:
                self.made[start + at : start + at + len(data)] = data

        return put


class _Redaction:
    """Goes through captures once."""

    def __init__(self, writer: CaptureWriter, pseudonyms: Pseudonyms) -> None:
        self._writer = writer
        self._pseudonyms = pseudonyms
        self._waiting: deque[_Waiting] = deque()
        self._byNumber: dict[int, _Waiting] = {}
        self._held = 0
        self._encoders: dict[bytes, Encoder] = {}
        self._connections = Connections(self._connected)

    def read(self, files: CaptureFiles, progress: Callable[[int, int], None] | None) -> int:
        network, count = Network(), 0
        for packet in files.packets():
            count += 1
            segment = network.segment(packet)
            waiting = _Waiting(packet, segment)
            self._hold(waiting)
            if segment is not None:
                self._connections.add(segment, packet.time, packet.number)
            self._release()
            if progress is not None and not count % _PROGRESS_EVERY:
                progress(files.position, files.size)
        self._connections.finish()
        while self._waiting:
            self._write()
        self._writer.flush()
        if progress is not None:
            progress(files.position, files.size)
        return count

    def find(self, number: int) -> _Waiting | None:
        """Return a packet that waits."""
        return self._byNumber.get(number)

    def _connected(self, number: int, first: Address, second: Address) -> _Connection:
        return _Connection(self, RedactedStreams(self._pseudonyms, first.port >= second.port))

    def _hold(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        self._byNumber[waiting.packet.number] = waiting
        self._held += len(waiting.made)

    def _release(self) -> None:
        while self._waiting:
            isTooMuch = len(self._waiting) > _MOST_WAITING or self._held > _MOST_BYTES
            if self._waiting[0].left and not isTooMuch:
                return
            self._write()

    def _write(self) -> None:
        waiting = self._waiting.popleft()
        del self._byNumber[waiting.packet.number]
        self._held -= len(waiting.made)
        waiting.isWritten = True
        segment, time = waiting.segment, waiting.packet.time
        if segment is None:
            self._writer.packet(emptyPacket(), time)
            return
        payload = bytes(waiting.made[:LARGEST_PAYLOAD])
        lost = min(segment.lost, LARGEST_PAYLOAD - len(payload))
        # What was not captured is taken to be zeros too, so that the checksum is right.
        data = self._encoder(segment.key).segment(
            segment.flags & 0xFF,
            segment.sequence,
            segment.acknowledged,
            payload + bytes(lost),
            isFirst=bool(segment.flags & _SYN),
        )
        self._writer.packet(data[: len(data) - lost], time, length=len(data))
        if len(self._pseudonyms.given) > _MOST_NAMES:
            self._pseudonyms.given.clear()

    def _encoder(self, key: bytes) -> Encoder:
        encoder = self._encoders.get(key)
        if encoder is None:
            if len(self._encoders) >= _MOST_ENCODERS:
                self._encoders.clear()
            source, destination = map(self._pseudonyms.address, addresses(key))
            assert source is not None
            assert destination is not None
            encoder = self._encoders[key] = Encoder(source, destination)
        return encoder


class _Connection:
    """One TCP connection, as a `StreamReader`."""

    def __init__(self, redaction: _Redaction, streams: RedactedStreams) -> None:
        self._redaction = redaction
        self._streams = streams
        self.step = streams.step
        self.missing = streams.missing
        self.ended = streams.ended

    def data(self, isFirst: bool, data: bytes, time: int, packet: int) -> None:
        waiting = self._redaction.find(packet)
        self._streams.said(isFirst, data, time, packet, _nowhere if waiting is None else waiting.place(data))


def _nowhere(at: int, data: bytes) -> None:
    """The packet was written already."""
