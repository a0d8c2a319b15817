"""What a user can rely on in `tlscomm.messages`."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable
from typing import SupportsIndex

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from twisted.protocols.basic import Int32StringReceiver, LineReceiver, NetstringReceiver
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import messages as module
from tlscomm.failures import MessageTooLong, TLSFailure, Truncated, Undecodable
from tlscomm.messages import FRAMINGS, Decoder, Framing, Message, framingNamed

MAXIMUM = 12

#: The most that each framing holds besides the message: all but the last byte of delimiter, or prefix and trailer.
OVERHEAD = {"eof": len(b"<EOF"), "line": len(b"\r"), "netstring": len(b"12:"), "int32": 4}

#: Without a deadline, which would make the clock part of the test.
unhurried = settings(deadline=None)


def messagesOf(framing: Framing) -> st.SearchStrategy[Message]:
    if not framing.isText:
        return st.binary(max_size=MAXIMUM)
    alphabet = st.one_of(st.sampled_from("<EOF>\r\né€😀"), st.characters(codec="utf-8"))
    return st.text(alphabet, max_size=MAXIMUM).filter(lambda message: _isSendable(framing, message))


def _isSendable(framing: Framing, message: Message) -> bool:
    try:
        framing.encode(message, MAXIMUM)
    except TLSFailure:
        return False
    return True


#: Mostly what a framing gives meaning to, so that chance finds the corners; and some of anything.
noise = st.lists(
    st.one_of(
        st.sampled_from(
            [b"<EOF>", b"<EO", b"<", b"\r\n", b"\r", b"\n", b"3:", b"12:", b"13:", b"0", b",", b"\xc3", b"\xa9", b"a"]
        ),
        st.sampled_from([b"\0\0\0\x0c", b"\0\0\0\x0d", b"\0\0\0\0", b"a" * 11, b"a" * 12, b"a" * 13, b"\xff"]),
        st.binary(max_size=6),
    ),
    max_size=12,
).map(b"".join)


def cuts(stream: bytes) -> st.SearchStrategy[list[bytes]]:
    """Every way to cut `stream` into chunks, empty ones included."""
    places = st.lists(st.integers(0, len(stream)), max_size=12).map(sorted)
    return places.map(lambda at: [stream[a:b] for a, b in zip([0, *at], [*at, len(stream)], strict=True)])


def plainly(framing: Framing, stream: bytes, maximum: int) -> tuple[list[Message], str, int]:
    """Read a stream in the plainest way: byte by byte, with a look at all that is held for each.

    Returns:
        The messages, why the next one is bad ("" where it is not), and how many bytes of one are held.
    """
    messages: list[Message] = []
    held = b""
    for byte in bytewise(stream):
        held += byte
        try:
            message = (_plainText if framing.isText else _plainBytes)(framing.name, held, maximum)
        except ValueError as error:
            return messages, str(error), 0
        if message is not None:
            messages.append(message)
            held = b""
    return messages, "", len(held)


def _plainText(name: str, held: bytes, maximum: int) -> str | None:
    endings = {"eof": [b"<EOF>"], "line": [b"\r\n", b"\n"]}[name]
    for ending in endings:
        if held.endswith(ending):
            payload = held.removesuffix(ending)
            break
    else:
        begun = [ending[:size] for ending in endings for size in range(len(ending)) if held.endswith(ending[:size])]
        if len(held.removesuffix(max(begun, key=len))) > maximum:
            raise ValueError("MessageTooLong")
        return None
    if len(payload) > maximum:
        raise ValueError("MessageTooLong")
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise ValueError("Undecodable") from None


def _plainBytes(name: str, held: bytes, maximum: int) -> bytes | None:
    if name == "int32":
        digits, trailer, start = "", b"", 4
        length = int.from_bytes(held[:4], "big") if len(held) >= 4 else None
    else:
        digits, colon, _ = held.decode("latin-1").partition(":")
        if not (digits.isascii() and digits.isdigit()) or (digits != "0" and digits[0] == "0"):
            raise ValueError("Undecodable")
        trailer, start = b",", len(digits) + 1
        length = int(digits) if colon or len(digits) > len(str(maximum)) else None
    if length is None:
        return None
    if length > maximum:
        raise ValueError("MessageTooLong")
    if len(held) < start + length + len(trailer):
        return None
    if not held.endswith(trailer):
        raise ValueError("Undecodable")
    return held[start : start + length]


def feed(decoder: Decoder, chunks: Iterable[bytes]) -> list[Message]:
    return [message for chunk in chunks for message in decoder.receive(chunk)]


def bytewise(stream: bytes) -> list[bytes]:
    return [stream[i : i + 1] for i in range(len(stream))]


class FramingCase(SynchronousTestCase):
    """What the tests below share: they judge a stream in one piece and byte by byte, and want the same."""

    def decodes(self, name: str, stream: bytes, messages: list[Message], maximum: int = MAXIMUM) -> Decoder:
        """Check which messages are in `stream`, and return a decoder that has read it."""
        slow, decoder = framingNamed(name).decoder(maximum), framingNamed(name).decoder(maximum)
        self.assertEqual(feed(slow, bytewise(stream)), messages)
        self.assertEqual(feed(decoder, [stream]), messages)
        self.assertEqual((str(slow.failure), slow.pending), (str(decoder.failure), decoder.pending))
        return decoder

    def refuses(
        self, name: str, stream: bytes, expected: type[TLSFailure], before: list[Message] | None = None
    ) -> TLSFailure:
        """Check that `stream` is refused after the messages in `before`, and return the failure."""
        decoder = self.decodes(name, stream, before or [])
        failure = decoder.failure
        self.assertIsInstance(failure, expected)
        assert failure is not None
        self.assertEqual((failure.side, failure.stage), ("remote", "message"))
        self.assertEqual(decoder.pending, 0)
        return failure

    def refusesToSend(self, name: str, message: Message, expected: type[TLSFailure]) -> TLSFailure:
        failure = self.assertRaises(expected, framingNamed(name).encode, message, MAXIMUM)
        assert isinstance(failure, TLSFailure)
        self.assertEqual((failure.side, failure.stage), ("local", "message"))
        return failure


class NameTests(SynchronousTestCase):
    def test_publicNames(self) -> None:
        """The package's public names are these nine."""
        names = [
            "FRAMINGS",
            "Decoder",
            "Framing",
            "IDrainable",
            "Message",
            "MessageFactory",
            "MessageProtocol",
            "RequestProtocol",
        ]
        self.assertEqual(module.__all__, [*names, "framingNamed"])

    def test_default(self) -> None:
        """The source document's framing comes first, in the order that an option's help lists them."""
        self.assertEqual(list(FRAMINGS), ["eof", "line", "netstring", "int32"])

    def test_keys(self) -> None:
        """Each framing is found by its own name."""
        self.assertEqual({name: framingNamed(name).name for name in FRAMINGS}, {name: name for name in FRAMINGS})

    def test_isText(self) -> None:
        """The delimited framings carry text, the prefixed ones bytes."""
        self.assertEqual([name for name, framing in FRAMINGS.items() if framing.isText], ["eof", "line"])

    def test_unknownName(self) -> None:
        """A name that does not exist is answered with those that do."""
        error = self.assertRaises(ValueError, framingNamed, "xml")
        self.assertEqual(str(error), "no framing is named 'xml'; there are eof, line, netstring, int32")


class AnyFramingTests(FramingCase):
    """Promises that every framing keeps."""

    @unhurried
    @given(st.data())
    def test_roundTrip(self, data: st.DataObject) -> None:
        """What one side sends is what the other receives, wherever the stream is cut."""
        for framing in FRAMINGS.values():
            messages = data.draw(st.lists(messagesOf(framing), max_size=5))
            chunks = data.draw(cuts(b"".join(framing.encode(message, MAXIMUM) for message in messages)))
            decoder = framing.decoder(MAXIMUM)
            self.assertEqual(feed(decoder, chunks), messages)
            self.assertEqual((decoder.failure, decoder.pending, decoder.end()), (None, 0, []))

    @unhurried
    @given(st.data(), noise)
    def test_cutsDoNotMatter(self, data: st.DataObject, stream: bytes) -> None:
        """Any bytes give the same messages and the same failure, wherever they are cut, and never an exception."""
        chunks = data.draw(cuts(stream))
        for framing in FRAMINGS.values():
            whole, cut = framing.decoder(MAXIMUM), framing.decoder(MAXIMUM)
            self.assertEqual(feed(whole, [stream]), feed(cut, chunks))
            self.assertEqual((str(whole.failure), whole.pending), (str(cut.failure), cut.pending))
            self.assertEqual(whole.end(), cut.end())
            self.assertEqual(str(whole.failure), str(cut.failure))

    @unhurried
    @given(st.data(), noise, st.sampled_from([3, MAXIMUM, 1000]))
    def test_plainly(self, data: st.DataObject, stream: bytes, maximum: int) -> None:
        """Any bytes give the messages, the failure and the rest that a decoder gives which reads them byte by byte."""
        for framing in FRAMINGS.values():
            chunks = data.draw(cuts(stream))
            decoder = framing.decoder(maximum)
            messages = feed(decoder, chunks)
            failure = "" if decoder.failure is None else type(decoder.failure).__name__
            self.assertEqual((messages, failure, decoder.pending), plainly(framing, stream, maximum))

    def test_long(self) -> None:
        """Long messages, with and without what looks like a delimiter, are read wherever they are cut."""
        ordinary, markup = "a" * 3000, "<p>é</p>\r" * 300
        for framing in FRAMINGS.values():
            expected = [ordinary, markup + "<", "b", markup * 3 + ordinary, "", "<EO" + ordinary * 3]
            stream = b"".join(framing.encode(message, 1 << 14) for message in expected)
            for size in (1, 1000, 4096, 10_007, len(stream)):
                decoder = framing.decoder(1 << 14)
                chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
                messages = [message if framing.isText else message.encode() for message in expected]
                self.assertEqual(feed(decoder, chunks), messages)
                self.assertEqual((decoder.failure, decoder.pending), (None, 0))

    def test_pieces(self) -> None:
        """A message that is sent in pieces is sent as the same bytes, and no piece is much longer than 64 KiB."""
        for framing in FRAMINGS.values():
            for size in (0, 1, 65_535, 65_536, 131_071, 131_072, 131_073, 300_000):
                message = "a" * (size - 2) + "é" * (size > 1)
                pieces = framing.pieces(message, 1 << 20)
                self.assertEqual(b"".join(pieces), framing.encode(message, 1 << 20))
                self.assertEqual(len(pieces) > 1, size >= 131_072)
                if size >= 131_072:
                    self.assertLessEqual(max(map(len, pieces)), 65_541)

    @unhurried
    @given(st.data(), noise)
    def test_bounded(self, data: st.DataObject, stream: bytes) -> None:
        """Whatever comes, no more is held than one message of the maximum and its delimiter or prefix."""
        for framing in FRAMINGS.values():
            decoder = framing.decoder(MAXIMUM)
            for chunk in data.draw(cuts(stream)):
                decoder.receive(chunk)
                self.assertLessEqual(decoder.pending, MAXIMUM + OVERHEAD[framing.name])

    @unhurried
    @given(st.integers(0, 120))
    def test_everyMaximum(self, maximum: int) -> None:
        """A message of exactly the maximum is carried; one byte more is refused by the sender and by the receiver."""
        for framing in FRAMINGS.values():
            longest, longer = ("a" * size if framing.isText else b"a" * size for size in (maximum, maximum + 1))
            stream = framing.encode(longest, maximum)
            self.decodes(framing.name, stream + stream, [longest, longest], maximum)
            self.assertRaises(MessageTooLong, framing.encode, longer, maximum)
            decoder = self.decodes(framing.name, stream + framing.encode(longer, maximum + 1), [longest], maximum)
            self.assertIsInstance(decoder.failure, MessageTooLong)

    def test_emptyMessages(self) -> None:
        """Empty messages are messages."""
        for name, framing in FRAMINGS.items():
            empty: Message = "" if framing.isText else b""
            self.decodes(name, framing.encode(empty, MAXIMUM) * 3, [empty] * 3)

    def test_pending(self) -> None:
        """Half a message counts as pending from its first byte to its last, and not after."""
        for framing in FRAMINGS.values():
            decoder, stream = framing.decoder(MAXIMUM), framing.encode("abc", MAXIMUM)
            counts = []
            for byte in bytewise(stream):
                decoder.receive(byte)
                counts.append(decoder.pending)
            self.assertEqual(counts, [*range(1, len(stream)), 0])

    def test_deafAfterFailure(self) -> None:
        """After a failure later messages are ignored, the end of the stream too, and the failure stays the first."""
        for framing in FRAMINGS.values():
            decoder = framing.decoder(3)
            decoder.receive(framing.encode("abcd", 4))
            first = decoder.failure
            self.assertIsInstance(first, MessageTooLong)
            self.assertEqual(decoder.receive(framing.encode("abc", 3)) + decoder.end(), [])
            self.assertIs(decoder.failure, first)
            self.assertEqual(decoder.pending, 0)

    def test_failureHoldsNoInput(self) -> None:
        """A failure keeps no traceback and no cause, through which the refused bytes would stay in memory."""
        for name, stream in (("eof", b"\xff<EOF>"), ("line", b"\xff\n"), ("netstring", b"x"), ("int32", b"\xff" * 4)):
            failure = self.refuses(name, stream, TLSFailure)
            self.assertEqual((failure.__traceback__, failure.__context__, failure.__cause__), (None, None, None))

    def test_ownState(self) -> None:
        """Two connections with the same framing do not see each other's bytes."""
        for framing in FRAMINGS.values():
            one, other = framing.decoder(MAXIMUM), framing.decoder(MAXIMUM)
            stream = framing.encode("abc", MAXIMUM)
            one.receive(stream[:2])
            self.assertEqual((one.pending, other.pending), (2, 0))
            self.assertEqual(len(other.receive(stream)), 1)

    def test_surrogate(self) -> None:
        """Half of a surrogate pair, which UTF-8 cannot carry, is refused before it is sent."""
        for name in FRAMINGS:
            self.assertIn("character 2", str(self.refusesToSend(name, "ab\ud800", Undecodable)))

    def test_tooLongToSend(self) -> None:
        """The sender is told how long its message was, and what is allowed."""
        for name in FRAMINGS:
            failure = self.refusesToSend(name, "é" * 7, MessageTooLong)
            self.assertEqual(failure.detail, "it has 14 bytes, and 12 are allowed")


class _CountedBuffer(bytearray):
    """A buffer that counts the bytes that are put in, read, and given back."""

    work = 0

    def __iadd__(self, data: object) -> _CountedBuffer:
        assert isinstance(data, bytes)
        self.work += len(data)
        self.extend(data)
        return self

    def __getitem__(self, key: SupportsIndex | slice) -> bytearray:  # type: ignore[override]
        assert isinstance(key, slice)
        part = bytearray(self)[key]
        self.work += len(part)
        return part

    def __contains__(self, part: object) -> bool:
        raise AssertionError("the whole buffer is searched")


class LinearTests(SynchronousTestCase):
    """Twice the bytes are twice the work. The work is counted, not timed."""

    def work(self, framing: Framing, size: int) -> int:
        """Count what becomes of the buffer's bytes while a message of `size` bytes comes byte by byte."""
        decoder, stream = framing.decoder(size), bytewise(framing.encode("a" * size, size))
        feed(decoder, stream[:10])
        buffer = _CountedBuffer(b"".join(decoder._held))
        decoder._held = [buffer]
        feed(decoder, stream[10:-1])
        self.assertIs(decoder._held[0], buffer)
        self.assertEqual(len(decoder._held), 1)
        self.assertEqual(len(decoder.receive(stream[-1])), 1)
        return buffer.work

    def test_byteByByte(self) -> None:
        """A message that comes byte by byte costs a small number of bytes moved for each, however long it is."""
        for framing in FRAMINGS.values():
            self.assertLess(self.work(framing, 5000), 10 * 5000)

    def test_memory(self) -> None:
        """What is held of a message costs little more memory than it has bytes, however it is cut."""
        for framing in FRAMINGS.values():
            stream = framing.encode("a" * 20_000, 20_000)
            for sizes in ([1], [2, 1], [5000, 1], [1, 1, 5000], [4096], [4095]):
                decoder, start = framing.decoder(20_000), 0
                for size in itertools.cycle(sizes):
                    if start + size >= 20_000:
                        break
                    decoder.receive(stream[start : start + size])
                    start += size
                self.assertEqual(decoder.pending, start)
                self.assertLess(sum(map(sys.getsizeof, (decoder._held, *decoder._held))), 1.3 * start)

    def test_manyInOneChunk(self) -> None:
        """Messages that are complete in a chunk are never held."""
        for framing in FRAMINGS.values():
            for maximum in (MAXIMUM, 1 << 20):
                decoder = framing.decoder(maximum)
                self.patch(type(decoder), "_hold", None)
                self.assertEqual(len(decoder.receive(framing.encode("a", maximum) * 1000)), 1000)


class EOFTests(FramingCase):
    def test_bytes(self) -> None:
        """A message is its UTF-8 text and ``<EOF>``."""
        self.assertEqual(framingNamed("eof").encode("Grüße", MAXIMUM), b"Gr\xc3\xbc\xc3\x9fe<EOF>")

    def test_splitCharacter(self) -> None:
        """A character that is split over chunks is put together, which the source document's loop does not do."""
        decoder = framingNamed("eof").decoder(MAXIMUM)
        self.assertEqual(feed(decoder, [b"\xe4", b"\xbd", b"\xa0<E", b"OF>"]), ["你"])

    def test_almostDelimiter(self) -> None:
        """What begins like the delimiter and goes on differently is text."""
        self.decodes("eof", b"<EO<EOF><<EOF><eof><EOF>", ["<EO", "<", "<eof>"])

    def test_delimiterInMessage(self) -> None:
        """A message that contains the delimiter is refused on sending."""
        failure = self.refusesToSend("eof", "é<EOF>b", Undecodable)
        self.assertEqual(failure.detail, "the message contains the delimiter, at byte 2")

    def test_endOfStream(self) -> None:
        """An orderly end of the stream ends the last message too, as in the source document."""
        decoder = self.decodes("eof", b"one<EOF>two", ["one"])
        self.assertEqual((decoder.end(), decoder.pending, decoder.failure, decoder.end()), (["two"], 0, None, []))

    def test_endOfStreamInDelimiter(self) -> None:
        """At the end of the stream the start of a delimiter is text."""
        self.assertEqual(self.decodes("eof", b"one<EO", []).end(), ["one<EO"])

    def test_endOfStreamAfterDelimiter(self) -> None:
        """At the end of the stream nothing held is nothing more, not an empty message."""
        self.assertEqual(self.decodes("eof", b"one<EOF>", ["one"]).end(), [])

    def test_endOfStreamTooLong(self) -> None:
        """Bytes past the maximum that might have been the delimiter's make the message too long at the end."""
        decoder = self.decodes("eof", b"a" * 12 + b"<", [])
        self.assertEqual(decoder.end(), [])
        self.assertIsInstance(decoder.failure, MessageTooLong)
        self.assertEqual(decoder.pending, 0)

    def test_endOfStreamInCharacter(self) -> None:
        """A last message that stops within a character is undecodable."""
        decoder = self.decodes("eof", b"abc\xe4\xbd", [])
        self.assertEqual(decoder.end(), [])
        self.assertIsInstance(decoder.failure, Undecodable)

    def test_notUTF8(self) -> None:
        """Text that is not UTF-8 is undecodable; the failure says at which byte of the message, and not what it was."""
        failure = self.refuses("eof", b"fine<EOF>secret\xff<EOF>later<EOF>", Undecodable, ["fine"])
        self.assertEqual(failure.detail, "the message is not UTF-8 at byte 6")

    def test_tooLong(self) -> None:
        """A message is too long as soon as it cannot end in time any more."""
        for stream in (b"a" * 13, b"a" * 12 + b"<a", b"a" * 13 + b"<EOF>", b"<EOF" * 4 + b"<", b"a" * 12 + b"<<"):
            failure = self.refuses("eof", b"fine<EOF>" + stream, MessageTooLong, ["fine"])
            self.assertEqual(failure.detail, "it has more than the 12 bytes that are allowed")

    def test_notYetTooLong(self) -> None:
        """Bytes past the maximum that may be the start of the delimiter are waited for."""
        decoder = self.decodes("eof", b"a" * 12 + b"<EOF", [])
        self.assertEqual((decoder.failure, decoder.pending), (None, 16))
        self.assertEqual(decoder.receive(b">"), ["a" * 12])

    def test_hugeChunk(self) -> None:
        """Of a huge chunk without end nothing is held."""
        self.refuses("eof", b"a" * 100_000, MessageTooLong)

    def test_onlyText(self) -> None:
        """Bytes are refused, since nobody said which text they are."""
        self.assertRaises(TypeError, framingNamed("eof").encode, b"abc", MAXIMUM)


class LineTests(FramingCase):
    def test_bytes(self) -> None:
        """A line is sent with a line feed alone."""
        self.assertEqual(framingNamed("line").encode("Grüße", MAXIMUM), b"Gr\xc3\xbc\xc3\x9fe\n")

    def test_carriageReturn(self) -> None:
        """One carriage return before the line feed is dropped, and no other is."""
        self.decodes("line", b"a\r\nb\nc\rd\n\re\r\r\n\r\n", ["a", "b", "c\rd", "\re\r", ""])

    def test_carriageReturnIsFree(self) -> None:
        """The carriage return that is dropped does not count towards the maximum, and one that is text does."""
        self.decodes("line", b"a" * 12 + b"\r\n", ["a" * 12])
        self.refuses("line", b"a" * 12 + b"\r\r", MessageTooLong)

    def test_unreadable(self) -> None:
        """A message that would be read back differently is refused on sending."""
        for message in ("a\nb", "\n", "a\r", "\r"):
            self.refusesToSend("line", message, Undecodable)

    def test_notUTF8(self) -> None:
        """A line that is not UTF-8 is undecodable from its first bad byte on."""
        failure = self.refuses("line", b"fine\r\nab\xc3\r\n", Undecodable, ["fine"])
        self.assertEqual(failure.detail, "the message is not UTF-8 at byte 2")

    def test_endOfStream(self) -> None:
        """An end of the stream within a line, even an orderly one, is a truncation."""
        decoder = self.decodes("line", b"one\ntw", ["one"])
        self.assertEqual(decoder.end(), [])
        self.assertIsInstance(decoder.failure, Truncated)
        assert decoder.failure is not None
        self.assertEqual((decoder.failure.side, decoder.pending), ("remote", 0))

    def test_endOfStreamBetween(self) -> None:
        """An end of the stream after a line is none."""
        decoder = self.decodes("line", b"one\n", ["one"])
        self.assertEqual((decoder.end(), decoder.failure), ([], None))

    def test_twisted(self) -> None:
        """Twisted's `LineReceiver`, which ends its lines in CR LF, sends what is read."""
        peer, transport = LineReceiver(), StringTransport()
        peer.makeConnection(transport)
        peer.sendLine(b"pong")
        self.decodes("line", transport.value(), ["pong"])


class PrefixedCase(FramingCase):
    """What the tests of `netstring` and `int32` share."""

    def takesBytesTypes(self, name: str, expected: bytes) -> None:
        for message in (b"abc", bytearray(b"abc"), memoryview(b"abc"), "abc"):
            self.assertEqual(framingNamed(name).encode(message, MAXIMUM), expected)
        for wrong in (3, None, [b"abc"]):
            self.assertRaises(TypeError, framingNamed(name).encode, wrong, MAXIMUM)

    def endsTruncated(self, name: str, stream: bytes) -> None:
        for size in range(1, len(stream)):
            decoder = self.decodes(name, stream[:size], [])
            self.assertEqual(decoder.end(), [])
            self.assertIsInstance(decoder.failure, Truncated)


class NetstringTests(PrefixedCase):
    def test_bytesTypes(self) -> None:
        """Every type of bytes is sent as it is, and a `str` as UTF-8."""
        self.takesBytesTypes("netstring", b"3:abc,")

    def test_specification(self) -> None:
        """The examples of the specification are read."""
        self.decodes("netstring", b"12:hello world!,0:,", [b"hello world!", b""])

    def test_malformed(self) -> None:
        """What is no length and colon is undecodable, at the first byte that shows it."""
        for stream in (b"x", b":", b",", b"-", b"+", b" ", b"1x", b"1 ", b"00", b"01", b"\xb2", b"3,"):
            self.refuses("netstring", b"1:a," + stream, Undecodable, [b"a"])

    def test_missingComma(self) -> None:
        """A payload without its comma is undecodable, and not delivered."""
        failure = self.refuses("netstring", b"1:a,3:abcd", Undecodable, [b"a"])
        self.assertEqual(failure.detail, "the announced 3 bytes are not followed by b','")

    def test_tooLong(self) -> None:
        """A length over the maximum is refused before any of its payload comes, and an endless one before its colon."""
        for stream in (b"13:", b"99:", b"100"):
            self.refuses("netstring", b"1:a," + stream, MessageTooLong, [b"a"])

    def test_endOfStream(self) -> None:
        """An end of the stream anywhere within a netstring is a truncation."""
        self.endsTruncated("netstring", b"11:hello world,")

    def test_twisted(self) -> None:
        """Twisted's `NetstringReceiver` reads what is sent, and what it sends is read."""
        received: list[bytes] = []

        class Receiver(NetstringReceiver):
            def stringReceived(self, string: bytes) -> None:
                received.append(string)

        peer, transport = Receiver(), StringTransport()
        peer.makeConnection(transport)
        peer.dataReceived(framingNamed("netstring").encode(b"ping,", MAXIMUM))
        peer.sendString(b"pong:")
        self.assertEqual(received, [b"ping,"])
        self.decodes("netstring", transport.value(), [b"pong:"])


class Int32Tests(PrefixedCase):
    def test_bytesTypes(self) -> None:
        """Every type of bytes is sent as it is, and a `str` as UTF-8."""
        self.takesBytesTypes("int32", b"\0\0\0\3abc")

    def test_tooLong(self) -> None:
        """A length over the maximum is refused before any of its payload comes."""
        for stream in (b"\0\0\0\x0d", b"\xff\xff\xff\xff", b"\0\0\1\0", b"GET / HTTP/1.1"):
            self.refuses("int32", b"\0\0\0\1a" + stream, MessageTooLong, [b"a"])

    def test_endOfStream(self) -> None:
        """An end of the stream anywhere within a message is a truncation."""
        self.endsTruncated("int32", b"\0\0\0\3abc")

    def test_twisted(self) -> None:
        """Twisted's `Int32StringReceiver` reads what is sent, and what it sends is read."""
        received: list[bytes] = []

        class Receiver(Int32StringReceiver):
            def stringReceived(self, string: bytes) -> None:
                received.append(string)

        peer, transport = Receiver(), StringTransport()
        peer.makeConnection(transport)
        peer.dataReceived(framingNamed("int32").encode(b"ping", MAXIMUM))
        peer.sendString(b"pong")
        self.assertEqual(received, [b"ping"])
        self.decodes("int32", transport.value(), [b"pong"])
