"""What ``tlscomm connect`` can rely on in its standard streams: they never block it, and are not changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tlscomm.commandline._streams import InputStream, OutputStream

#: More than any pipe holds.
MUCH = 1 << 23


class Producer:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.paused = Deferred[None]()
        self.resumed = Deferred[None]()
        self.stopped = False

    def pauseProducing(self) -> None:
        self.paused.callback(None)

    def resumeProducing(self) -> None:
        self.resumed.callback(None)

    def stopProducing(self) -> None:
        self.stopped = True


class StreamCase(TestCase):
    """Has a pipe."""

    timeout = 120

    def setUp(self) -> None:
        self.readEnd, self.writeEnd = os.pipe()
        self.open = {self.readEnd, self.writeEnd}
        self.addCleanup(lambda: [self.close(end) for end in list(self.open)])

    def close(self, end: int) -> None:
        self.open.discard(end)
        os.close(end)


class InputTests(StreamCase):
    """Reading."""

    def input(self, descriptor: int | None = None) -> Any:
        stream = InputStream(reactor, self.readEnd if descriptor is None else descriptor)
        return lambda: Deferred.fromCoroutine(stream.read())

    def test_atOnce(self) -> None:
        """What is there already comes without waiting, and so does the end."""
        read = self.input()
        os.write(self.writeEnd, b"a")
        self.assertEqual(self.successResultOf(read()), b"a")
        self.close(self.writeEnd)
        self.assertEqual(self.successResultOf(read()), b"")

    def test_file(self) -> None:
        """A file comes in pieces, and its end is known as soon as its last byte."""
        Path("file").write_bytes(b"a" * 100_000)
        with open("file", "rb") as file:
            read = self.input(file.fileno())
            pieces = [self.successResultOf(read()) for _ in range(3)]
        self.assertEqual(b"".join(pieces), b"a" * 100_000)
        self.assertEqual(pieces[-1], b"")

    async def test_later(self) -> None:
        """What is not there is awaited, without blocking."""
        read = self.input()
        for sent in (b"a", b"b"):
            reading = read()
            self.assertNoResult(reading)
            os.write(self.writeEnd, sent)
            self.assertEqual(await reading, sent)
        reading = read()
        self.close(self.writeEnd)
        self.assertEqual(await reading, b"")

    async def test_cancelled(self) -> None:
        """Who gives up waiting leaves what comes later to the next."""
        read = self.input()
        reading = read()
        reading.cancel()
        self.failureResultOf(reading, CancelledError)
        os.write(self.writeEnd, b"a")
        await deferLater(reactor, 0)  # type: ignore[arg-type]
        self.assertEqual(await read(), b"a")

    def test_broken(self) -> None:
        """What cannot be read says why."""
        folder = os.open(".", os.O_RDONLY)
        self.addCleanup(os.close, folder)
        self.failureResultOf(self.input(folder)(), IsADirectoryError)


class OutputTests(StreamCase):
    """Writing."""

    def setUp(self) -> None:
        super().setUp()
        self.broken: Deferred[OSError] = Deferred()
        self.stream: Any = OutputStream(reactor, self.writeEnd, self.broken.callback)

    async def drain(self, size: int) -> bytes:
        """Read so much from the pipe, while the reactor goes on."""
        read, found = InputStream(reactor, self.readEnd).read, bytearray()
        while len(found) < size:
            found += await read()
        return bytes(found)

    async def test_written(self) -> None:
        """All that was written is in the pipe when it has finished, which stays open for others."""
        self.stream.write(b"a" * 1000)
        self.stream.write(b"b" * 1000)
        await self.stream.finish()
        self.assertEqual(os.read(self.readEnd, 4000), b"a" * 1000 + b"b" * 1000)
        os.write(self.writeEnd, b"c")
        self.assertNoResult(self.broken)

    async def test_blocking(self) -> None:
        """The descriptor is not made non-blocking, for other programs write to it too."""
        self.stream.write(b"a")
        await self.stream.finish()
        self.assertTrue(os.get_blocking(self.writeEnd))

    async def test_file(self) -> None:
        """A file can be written to as well."""
        with open("file", "wb") as file:
            stream: Any = OutputStream(reactor, file.fileno(), self.broken.callback)
            stream.write(b"a" * 100_000)
            await stream.finish()
        self.assertEqual(Path("file").read_bytes(), b"a" * 100_000)

    async def test_backpressure(self) -> None:
        """While nobody reads, its producer is paused; everything arrives when somebody does."""
        producer = Producer()
        self.stream.registerProducer(producer, True)
        self.stream.write(b"a" * MUCH)
        await producer.paused
        await deferLater(reactor, 0)  # type: ignore[arg-type]
        self.assertFalse(producer.resumed.called)
        self.assertEqual(await self.drain(MUCH), b"a" * MUCH)
        await producer.resumed

    async def test_nobodyReads(self) -> None:
        """A reader that goes away is told once, and stops the producer."""
        producer = Producer()
        self.stream.registerProducer(producer, True)
        self.close(self.readEnd)
        self.stream.write(b"a")
        self.assertIsInstance(await self.broken, BrokenPipeError)
        self.assertTrue(producer.stopped)
        await self.stream.finish()

    async def test_brokenAtTheEnd(self) -> None:
        """What breaks while the rest is written fails the end, and is not told otherwise."""
        self.stream.write(b"a" * MUCH)
        finished = self.stream.finish()
        self.close(self.readEnd)
        try:
            await finished
        except BrokenPipeError:
            self.assertNoResult(self.broken)
        else:
            self.fail("it was written")
