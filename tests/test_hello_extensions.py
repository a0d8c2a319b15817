"""The extensions of hellos: those who look for keys and those who judge read the same ones."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._wire.answers import extensionsOffered, readServerHello
from tlscomm._wire.hellos import clientKeyFacts, serverKeyFacts
from tlscomm._wire.requests import readClientHello

SERVER_NAME, EARLY_DATA, SUPPORTED_VERSIONS = 0, 42, 43


def vector(size: int, content: bytes) -> bytes:
    return len(content).to_bytes(size, "big") + content


def extension(kind: int, content: bytes = b"") -> bytes:
    return kind.to_bytes(2, "big") + vector(2, content)


def clientHello(extensions: bytes) -> bytes:
    """Return a ClientHello that ends with these bytes behind the compression methods."""
    return b"\1" + vector(3, b"\3\3" + bytes(32) + b"\0" + b"\0\2\xc0\x2f" + b"\1\0" + extensions)


def serverHello(extensions: bytes) -> bytes:
    """Return a ServerHello of a suite of TLS 1.2 that ends with these bytes."""
    return b"\2" + vector(3, b"\3\3" + bytes(32) + b"\0" + b"\xc0\x2f" + b"\0" + extensions)


class Extensions(SynchronousTestCase):
    def assertSame(self, extensions: bytes) -> tuple[bool, int]:
        """Ask both readers of either hello, and return what they say."""
        client, server = clientHello(extensions), serverHello(extensions)
        keys, answer = clientKeyFacts(client), serverKeyFacts(server)
        assert keys is not None and answer is not None
        self.assertEqual(keys.hasEarlyData, EARLY_DATA in extensionsOffered(client))
        self.assertEqual(answer.version, readServerHello(server).version or 0x0303)
        return keys.hasEarlyData, answer.version

    def test_endWhereTheMessageSays(self) -> None:
        """What stands behind their vector is none of them."""
        chosen = extension(EARLY_DATA) + extension(SUPPORTED_VERSIONS, b"\3\4")
        self.assertEqual(self.assertSame(vector(2, chosen)), (True, 0x0304))
        self.assertEqual(self.assertSame(vector(2, b"") + chosen), (False, 0x0303))
        self.assertEqual(self.assertSame(vector(2, extension(SERVER_NAME)) + chosen), (False, 0x0303))
        self.assertEqual(self.assertSame(b""), (False, 0x0303))

    def test_areBounded(self) -> None:
        """Of thousands the first ones are read, however they are named."""
        chosen = extension(EARLY_DATA) + extension(SUPPORTED_VERSIONS, b"\3\4")
        for kinds in (range(1000, 1200), [1000] * 200):
            self.assertEqual(self.assertSame(vector(2, b"".join(map(extension, kinds)) + chosen)), (False, 0x0303))
        self.assertEqual(self.assertSame(vector(2, b"".join(map(extension, range(1000, 1100))) + chosen))[0], True)

    @given(st.lists(st.sampled_from((0, 0, 2, 3, 4, 6, 42, 43, 255)), max_size=24).map(bytes))
    @settings(max_examples=100)
    def test_anyBytes(self, extensions: bytes) -> None:
        """So it is with any bytes."""
        self.assertSame(extensions)
        readClientHello(clientHello(extensions))
