"""Where TLS begins in a TCP connection, and which side is the client.

Most connections begin with it. Others say something before, in the clear: a PROXY header, or a dialogue that ends with
STARTTLS or its like. So what both sides say is held, up to a bound, until a ClientHello is seen. The client is the side
that sends it, which need not be the side that opened the connection.

A connection is also read where only one side speaks TLS: a client whose ClientHello is answered by something else, and
a server that answers something else by an alert. And one whose beginning was not captured, from a record on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tlscomm._wire.dissector import Dissector
from tlscomm._wire.events import Event, Kind
from tlscomm._wire.prefaces import commandIn, isAnswerToPlain, isRequest, protocolOf, proxyHeader
from tlscomm._wire.recordsearch import answerAt, beginsAsTLS, clientHelloAt, isAnswer, isRecords

__all__ = ["Beginning"]

#: So many bytes of both sides are held until TLS begins, and so many of what a server says after a ClientHello.
_MOST_BYTES = 1 << 14
_MOST_ANSWER = 1 << 12

#: So many pieces of both sides are held, and so many turns of a dialogue are told one by one.
_MOST_PIECES = 512
_MOST_TURNS = 24

#: What a piece takes in memory in bytes, about.
_PIECE = 200


class _Piece(NamedTuple):
    """What was seen while TLS had not begun: so many bytes; a step of TCP where `step` is set; or a gap."""

    isFirst: bool
    time: int
    packet: int
    size: int = 0
    step: str = ""
    missing: int = 0


class Beginning:
    """Reads one TCP connection, and has a `Dissector` read its TLS. It raises nothing, whatever a stranger has sent.

    Attributes:
        isTLS: None while it is not known, False when there is none.
        isClientFirst: whether the first side of TCP is the client of TLS, as far as that is known.
        dissector: what reads the connection, None before TLS has begun.
    """

    def __init__(self, makeDissector: Callable[[], Dissector], isClientFirst: bool = True) -> None:
        """
        Args:
            makeDissector: is called when TLS begins.
            isClientFirst: what to assume where no message tells.
        """
        self.isTLS: bool | None = None
        self.isClientFirst = isClientFirst
        self.dissector: Dissector | None = None
        self._makeDissector = makeDissector
        self._pieces: list[_Piece] = []
        #: By side: all that it has said, where that goes on behind the last gap, and how far from there was searched.
        self._all = {True: bytearray(), False: bytearray()}
        self._passed = {True: 0, False: 0}
        self._searched = {True: 0, False: 0}
        #: Whether the beginning of a side's bytes was not captured.
        self._isTorn = {True: True, False: True}
        #: What a server says after the ClientHello, as long as it is not TLS.
        self._answer: bytearray | None = None
        self._answerSearched = 0
        self._isWeak = False

    def step(self, isFirst: bool, name: str, time: int, packet: int) -> None:
        """Take in a step of TCP."""
        if self.dissector is not None:
            isFromClient = isFirst == self.isClientFirst
            self.dissector.note(Event(Kind.TCP, isFromClient, time, name, 0, packet=packet))
        elif self.isTLS is None:
            if name == "SYN" and not self._all[isFirst]:
                self._isTorn[isFirst] = False
            self._pieces.append(_Piece(isFirst, time, packet, step=name))
            self._bound()

    def data(self, isFirst: bool, data: bytes, time: int, packet: int) -> None:
        """Take in the next bytes of one side."""
        if self.dissector is not None:
            if self._answer is not None and isFirst != self.isClientFirst:
                self._searchAnswer(data, time, packet)
            else:
                self.dissector.feed(isFirst == self.isClientFirst, data, time, packet)
        elif self.isTLS is None:
            self._all[isFirst] += data
            self._pieces.append(_Piece(isFirst, time, packet, len(data)))
            self._search(isFirst, data)
            self._bound()

    def missing(self, isFirst: bool, size: int, time: int, packet: int) -> None:
        """Take in that bytes of one side were not seen."""
        if self.dissector is not None:
            self._answer = None
            self.dissector.skip(isFirst == self.isClientFirst, size, time, packet)
        elif self.isTLS is None:
            self._passed[isFirst] = len(self._all[isFirst])
            self._searched[isFirst] = 0
            self._isTorn[isFirst] = True
            self._pieces.append(_Piece(isFirst, time, packet, missing=size))
            self._bound()

    @property
    def held(self) -> int:
        """How many bytes it takes in memory, about."""
        if self.dissector is not None:
            return self.dissector.held
        return _PIECE * len(self._pieces) + len(self._all[True]) + len(self._all[False])

    def giveUp(self, time: int, packet: int) -> None:
        """Hold little from here on. Where TLS has not begun, it is not waited for any more."""
        if self.dissector is not None:
            self.dissector.giveUp(time, packet)
        elif self.isTLS is None:
            self._isNone()

    def ended(self) -> None:
        """Nothing more will come: what is held is decided by what there is."""
        for isFirst in (True, False):
            if self.isTLS is None and (beginsAsTLS(self._said(isFirst)) or self._isMisplaced(isFirst)):
                self._begin(isFirst, 0)
        if self.isTLS is None:
            self._isNone()
        if self._answer is not None:
            self._noAnswer()

    def _isMisplaced(self, isFirst: bool) -> bool:
        """Return whether a side has sent a plain HTTP request to a server that has expected TLS.

        Some servers say so in plain HTTP. Others close without a word, which no server of HTTP does.
        """
        if self._isTorn[isFirst] or not isRequest(self._said(isFirst)):
            return False
        closed = next((piece for piece in self._pieces if piece.step in ("FIN", "RST")), None)
        answer = self._said(not isFirst)
        isSilent = not answer and closed is not None and closed.isFirst != isFirst
        return isSilent or isAnswerToPlain(answer)

    def _said(self, isFirst: bool) -> bytearray:
        """Return what a side has said since the last gap."""
        said, passed = self._all[isFirst], self._passed[isFirst]
        return said[passed:] if passed else said

    def _bound(self) -> None:
        """Give up where more is held than comes before TLS in any protocol."""
        isTooMuch = len(self._pieces) > _MOST_PIECES or sum(map(len, self._all.values())) > _MOST_BYTES
        if isTooMuch and self.isTLS is None:
            self._isNone()

    def _isNone(self) -> None:
        self.isTLS = False
        self._forget()

    def _forget(self) -> None:
        self._pieces = []
        self._all = {True: bytearray(), False: bytearray()}

    def _search(self, isFirst: bool, data: bytes) -> None:
        """Look whether TLS has begun, after a side has said something more."""
        said = self._said(isFirst)
        found = clientHelloAt(said, self._searched[isFirst])
        # A header of which only a part has come yet is found the next time.
        self._searched[isFirst] = max(0, len(said) - 10)
        if found >= 0:
            self._begin(isFirst, found)
        elif isAnswer(said) and not self._isTorn[not isFirst] and not beginsAsTLS(self._said(not isFirst)):
            # The other side has said something else, and this one takes it for a damaged ClientHello.
            self._begin(not isFirst, 0)
        elif isAnswer(said) or (self._isTorn[isFirst] and isRecords(data)):
            self._join(isFirst, len(said) - len(data))

    def _begin(self, isClientFirst: bool, at: int) -> None:
        """Read TLS from a byte of the client on, and from what the server says then."""
        self.isClientFirst = isClientFirst
        isDirect = not at and not self._passed[isClientFirst]
        starts = {isClientFirst: self._passed[isClientFirst] + at, not isClientFirst: 0}
        protocol = ""
        if not isDirect:
            preface, server = bytes(self._said(isClientFirst)[:at]), self._all[not isClientFirst]
            header = proxyHeader(preface)
            protocol = protocolOf(preface[header.size :] if header else preface, bytes(self._said(not isClientFirst)))
            isDirect = header is not None and header.size == at
            self._isWeak = not (protocol or header)
        if not isDirect:
            starts[not isClientFirst] = len(server)
            self._answer = bytearray()
        self._replay(starts, protocol)

    def _join(self, isFirst: bool, at: int) -> None:
        """Read TLS from a record on, because its beginning was not captured."""
        said = self._said(isFirst)
        if said[at] == 22 and said[at + 5 : at + 6] == b"\x02":
            self.isClientFirst = not isFirst
        starts = {isFirst: self._passed[isFirst] + at, not isFirst: 0}
        self._replay(starts, "", isJoined=True)

    def _replay(self, starts: dict[bool, int], protocol: str, isJoined: bool = False) -> None:
        """Tell what was held: what a side has said before its start is a preface."""
        self.isTLS = True
        dissector = self.dissector = self._makeDissector()
        pieces, everything = self._pieces, self._all
        self._forget()
        prefaces = _Prefaces(dissector, protocol)
        seen = {True: 0, False: 0}
        if isJoined:
            self._tear(dissector, pieces)
        for piece in pieces:
            isFirst = piece.isFirst
            isFromClient = isFirst == self.isClientFirst
            if piece.step:
                dissector.note(Event(Kind.TCP, isFromClient, piece.time, piece.step, 0, packet=piece.packet))
                continue
            if piece.missing:
                dissector.skip(isFromClient, piece.missing, piece.time, piece.packet)
                continue
            data = bytes(everything[isFirst][seen[isFirst] : seen[isFirst] + piece.size])
            cut = max(0, min(piece.size, starts[isFirst] - seen[isFirst]))
            seen[isFirst] += piece.size
            if cut:
                prefaces.add(isFromClient, data[:cut], piece.time, piece.packet)
            if cut and seen[isFirst] >= starts[isFirst]:
                # A step of TCP may come before anything else is said.
                prefaces.tell()
            if cut < piece.size:
                prefaces.tell()
                dissector.feed(isFromClient, data[cut:], piece.time, piece.packet)
        prefaces.tell()

    def _tear(self, dissector: Dissector, pieces: list[_Piece]) -> None:
        """Say that a side has said more, where no gap says so: its records are searched for then."""
        for isFirst in (True, False):
            isSaid = any(piece.missing and piece.isFirst == isFirst for piece in pieces)
            if self._isTorn[isFirst] and not isSaid:
                dissector.skip(isFirst == self.isClientFirst, 0, pieces[0].time, pieces[0].packet)

    def _searchAnswer(self, data: bytes, time: int, packet: int) -> None:
        """Find TLS in what the server says after a preface. It may not have finished that."""
        answer = self._answer
        if answer is None or self.dissector is None:
            return
        answer += data
        found = answerAt(answer, self._answerSearched)
        # A header of which only a part has come yet is found the next time.
        self._answerSearched = max(0, len(answer) - 10)
        if found >= 0:
            self._answer = None
            if found:
                event = Event(Kind.PREFACE, False, time, "preface", found, packet=packet)
                self.dissector.note(event)
            self.dissector.feed(False, bytes(answer[found:]), time, packet)
        elif len(answer) > _MOST_ANSWER:
            self._noAnswer(time, packet)

    def _noAnswer(self, time: int = 0, packet: int | None = None) -> None:
        """The server has not answered in TLS. That is a finding only where it is sure that the client has begun it."""
        answer, self._answer = self._answer, None
        if self._isWeak:
            self.dissector = None
            self._isNone()
        elif answer and self.dissector is not None:
            self.dissector.feed(False, bytes(answer), time or self.dissector.events[-1].time, packet)


class _Prefaces:
    """Tells what was said before TLS, one turn of one side at a time."""

    def __init__(self, dissector: Dissector, protocol: str) -> None:
        self._dissector = dissector
        self._protocol = protocol
        self._turns = 0
        self._isFromClient = True
        self._said = b""
        self._time = 0
        self._packet = 0

    def add(self, isFromClient: bool, data: bytes, time: int, packet: int) -> None:
        if isFromClient != self._isFromClient and self._turns < _MOST_TURNS:
            self.tell()
        self._isFromClient = isFromClient
        self._said += data
        self._time, self._packet = time, packet

    def tell(self) -> None:
        said, self._said = self._said, b""
        header = proxyHeader(said) if self._isFromClient and not self._turns else None
        if header is not None:
            self._note(f"PROXY v{header.version}", header.size, header.text)
            said = said[header.size :]
        if said:
            self._note(self._protocol or "preface", len(said), commandIn(said, self._protocol, self._isFromClient))

    def _note(self, name: str, size: int, detail: str) -> None:
        self._turns += 1
        event = Event(Kind.PREFACE, self._isFromClient, self._time, name, size, packet=self._packet, detail=detail)
        self._dissector.note(event)
