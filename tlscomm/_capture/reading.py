"""Captures of any form, one after the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from tlscomm._capture.packets import Packet
from tlscomm._capture.pcap import isPcap, readPcap
from tlscomm._capture.pcapng import isPcapng, readPcapng, readSecrets
from tlscomm._capture.problems import CaptureProblem, Damage
from tlscomm._capture.source import Source

__all__ = ["CaptureFiles"]


class CaptureFiles:
    """Several files that are one capture, as programs write that begin a new file at a size or a time.

    They are read in the order of their first packets, because names need not tell it: ``x.pcap10`` stands before
    ``x.pcap2`` in a list. Packets are numbered through all of them.

    Attributes:
        damages: where files could not be read any further.
        isLive: whether one of them may still be written to while it is read: standard input, or another pipe.
        size: of all files in bytes, or 0 where that is not known.
    """

    def __init__(self, paths: Iterable[str], secrets: Callable[[bytes], None]) -> None:
        """
        Args:
            paths: the files; ``-`` is standard input.
            secrets: is called with the lines of key logs that they carry. Those of a file that can be read twice come
                before its first packet.

        Raises:
            CaptureProblem: one of them cannot be opened, or is no capture.
        """
        self.damages: list[Damage] = []
        self._secrets = secrets
        self._paths = _ordered(list(paths))
        self.isLive = not all(map(_isFile, self._paths))
        self.size = sum(_size(path) for path in self._paths)
        self._before = 0
        self._source: Source | None = None

    @property
    def position(self) -> int:
        """How many bytes of all files were read, as far as that is known."""
        return self._before + (self._source.position if self._source is not None else 0)

    def packets(self) -> Iterator[Packet]:
        """Give the packets of all files.

        Raises:
            CaptureProblem: standard input is no capture, or a file has changed meanwhile.
        """
        number = 1
        for path in self._paths:
            with Source(path) as source:
                self._source = source
                for packet in _packets(source, number, self.damages.append, self._secrets):
                    number = packet.number + 1
                    yield packet
                self._before += source.position
                self._source = None


def _packets(
    source: Source, number: int, note: Callable[[Damage], None], secrets: Callable[[bytes], None] | None
) -> Iterator[Packet]:
    head = source.peek(12)
    if isPcap(head):
        return readPcap(source, number, note)
    if not isPcapng(head):
        raise CaptureProblem(f"{source.name}: {_whatElse(head)}, at byte 0.")
    if secrets is not None and source.isSeekable:
        readSecrets(source, secrets)
        source.rewind()
        secrets = None
    return readPcapng(source, number, note, secrets)


def _whatElse(head: bytes) -> str:
    if not head:
        return "is empty"
    if head.startswith(b'{"connection'):
        return "is what tlscomm has told of connections, as JSON for jq and the like, and no capture"
    return "is no capture: it begins neither as pcap nor as pcapng"


def _ordered(paths: list[str]) -> list[str]:
    """Return files in the order of their first packets; those that cannot be looked at twice stay where they are."""
    times = [_firstTime(path) for path in paths]
    if None in times:
        return paths
    return [path for _, path in sorted(zip(times, paths, strict=True), key=lambda pair: pair[0] or 0)]


def _firstTime(path: str) -> int | None:
    if not _isFile(path) and (path == "-" or os.path.exists(path)):
        # A pipe can be opened once.
        return None
    with Source(path) as source:
        found = next(islice(_packets(source, 1, lambda damage: None, None), 1), None)
        return found.time if found is not None else 0


def _isFile(path: str) -> bool:
    """Return whether it is no pipe. A folder is none either, and cannot be opened."""
    return path != "-" and (os.path.isfile(path) or os.path.isdir(path))


def _size(path: str) -> int:
    return os.path.getsize(path) if _isFile(path) else 0
