"""The bytes of both directions in, what they mean out.

The same code reads a live connection and a capture. It has no clock and no files, and raises nothing, whatever a
stranger has sent.

Whether a record is sealed, and how, is decided so. Under TLS 1.3 the content type application_data means sealed, and
every other type is in the clear, also when keys exist: ChangeCipherSpec for middleboxes, and the alert of a client that
refuses before it has sent anything under its keys. Up to TLS 1.2 all records behind a ChangeCipherSpec are sealed.
While the version is not known, because bytes are missing, what does not look like a message is taken as sealed.
"""

from __future__ import annotations

from tlscomm._wire.direction import Direction, Message
from tlscomm._wire.eventlist import EventList, Run, Seen
from tlscomm._wire.events import Event, Kind, Protection, Record
from tlscomm._wire.hellos import RETRY_RANDOM, ClientKeyFacts, clientKeyFacts, serverKeyFacts, ssl2Random, ticketOf
from tlscomm._wire.httpanswers import certificateRefusalIn
from tlscomm._wire.names import HANDSHAKE_TYPES
from tlscomm._wire.negotiated import TLS_1_3, Agreed
from tlscomm._wire.openings import protocolOpening, seemingText
from tlscomm._wire.recordheader import HEADER
from tlscomm._wire.records import SSL2, RawRecord
from tlscomm._wire.secrets import Secrets
from tlscomm._wire.suites import exchangeOf
from tlscomm.failures._alerts import alertName

__all__ = ["Dissector"]

_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA, _HEARTBEAT = 20, 21, 22, 23, 24

_CLIENT_HELLO, _SERVER_HELLO, _NEW_SESSION_TICKET, _END_OF_EARLY_DATA, _FINISHED, _KEY_UPDATE = 1, 2, 4, 5, 20, 24

#: ServerKeyExchange and ClientKeyExchange.
_EXCHANGES = (12, 16)

#: So many bytes of handshake messages are kept of one connection.
_MOST_KEPT = 1 << 18

#: No suite adds less than sixteen bytes to the two of an alert. One that is longer is sealed, also where the
#: ChangeCipherSpec before it was not seen.
_SMALLEST_SEALED = 18

#: So many messages and alerts are read of one direction. The longest connections update their keys now and then.
_MOST_SAID = 20_000

#: So many of them before its Finished. A handshake has some tens at most.
_MOST_BEFORE_FINISHED = 500

#: So many records before its Finished carry less of a message than this. The smallest that a peer may ask for
#: (RFC 8449, section 4) divide the longest chains of certificates into fewer.
_SMALL = 64
_MOST_SMALL = 1024

#: So many alerts are read of one record. There is one in it (RFC 8446, section 5.1).
_MOST_ALERTS = 4

#: What a record is called that is not opened, where its content type is not sealed with it (up to TLS 1.2).
#: Records of a server's first words in which a refusal of HTTP is looked for.
_MOST_SEARCHED = 4

_SEALED_NAMES = {
    _CHANGE_CIPHER_SPEC: "ChangeCipherSpec",
    _ALERT: "EncryptedAlert",
    _HANDSHAKE: "EncryptedHandshakeMessage",
    _HEARTBEAT: "Heartbeat",
}


class Dissector:
    """Reads one connection, from the first byte of TLS on."""

    def __init__(self, secrets: Secrets, applicationDataBytes: int = 0) -> None:
        """
        Args:
            secrets: what records are opened with. More may be added while the connection is read.
            applicationDataBytes: how many bytes of application data, for each direction, are kept in `Event.content`.
        """
        self._secrets = secrets
        self._mostData = applicationDataBytes
        self._list = EventList()
        self._client = Direction(True)
        self._server = Direction(False)
        self._agreed = Agreed()
        self._version = 0
        self._hasClientAnswered = False
        self._room = _MOST_KEPT
        #: What is no TLS, by whether it is from the client.
        self._strange: dict[bool, Run] = {}

    @property
    def events(self) -> list[Event]:
        """What was seen so far, in the order in which it was complete.

        Records of application data, or sealed ones, that follow each other in one direction are one event, which grows.
        In a conversation of very many turns, those of later turns are added to the last event of their kind. Where
        there are more than a few hundred events, the first and the last of them are kept, and what is between them is
        counted in one of each side.
        """
        return self._list.events()

    @property
    def held(self) -> int:
        """How many bytes it takes in memory, about."""
        return self._list.held + self._client.messages.held + self._server.messages.held

    def giveUp(self, time: int, packet: int | None = None) -> None:
        """Hold less from here on: few records of application data, or else not even what messages said."""
        before = self.held
        self._list.thin()
        if self.held <= before // 2:
            return
        self._room = 0
        for direction in (self._client, self._server):
            if size := direction.messages.held:
                self._list.leaveOut(direction.isFromClient, size, time, packet)
                direction.messages.lose()
        self._list.forget()

    def feed(self, isFromClient: bool, data: bytes, time: int, packet: int | None = None) -> None:
        """Take bytes of one direction, in their order."""
        direction = self._client if isFromClient else self._server
        if direction.isStopped and isFromClient in self._strange:
            self._strange[isFromClient].grow(len(data))
            return
        self._records(direction, direction.cutter.feed(data), time, packet)

    def skip(self, isFromClient: bool, size: int, time: int, packet: int | None = None) -> None:
        """So many bytes of one direction were not seen, 0 where their number is not known.

        Records are found again behind them where that is possible.
        """
        if size < 0:
            return
        direction = self._client if isFromClient else self._server
        gap = (0, time, packet, 0, 0, 0, Protection.NONE, None, False)
        self._list.run((Kind.GAP, isFromClient, "", Protection.NONE, 0)).extend(gap, size)
        self._records(direction, direction.cutter.skip(size), time, packet)
        if direction.cutter.isLost:
            direction.messages.lose()
            direction.lose(size)

    def note(self, event: Event) -> None:
        """Take in what was seen beside TLS: a step of TCP, or what was said before it."""
        self._list.add(event)

    def _records(self, direction: Direction, records: list[RawRecord], time: int, packet: int | None) -> None:
        for raw in records:
            self._record(direction, raw, time, packet)
            if direction.isStopped:
                return
        if direction.cutter.problem and not direction.isStopped:
            self._noRecord(direction, time, packet)

    def _noRecord(self, direction: Direction, time: int, packet: int | None) -> None:
        cutter = direction.cutter
        seeming = "" if direction.count else seemingText(protocolOpening(cutter.rest))
        self._damaged(direction, seeming or cutter.problem, cutter.rest, time, packet)
        self._strange[direction.isFromClient].grow(cutter.restSize - len(cutter.rest))

    def _record(self, direction: Direction, raw: RawRecord, time: int, packet: int | None) -> None:
        if raw.type == SSL2:
            self._ssl2(direction, raw, time, packet)
        elif self._isSealed(direction, raw):
            self._sealed(direction, raw, time, packet)
        else:
            seen = self._seen(direction, raw, time, packet, Protection.NONE)
            self._content(direction, raw.type, raw.fragment, raw.seen, seen)

    def _isSealed(self, direction: Direction, raw: RawRecord) -> bool:
        if raw.type == _APPLICATION_DATA:
            return True
        if self._version == TLS_1_3:
            return False
        if direction.isChanged and self._version:
            return True
        if raw.type == _HANDSHAKE:
            return not direction.messages.isMessage(raw.fragment[: raw.seen], mayBeSealed=direction.isChanged)
        return raw.type == _ALERT and len(raw.fragment) >= _SMALLEST_SEALED

    def _sealed(self, direction: Direction, raw: RawRecord, time: int, packet: int | None) -> None:
        if self._version not in (0, TLS_1_3) and not direction.isChanged:
            # The ChangeCipherSpec before it was not seen, and nor may the Finished have been.
            self._change(direction)
            direction.finish()
        agreed = direction.agreed if direction.isChanged else self._agreed
        opened = direction.open(raw, self._secrets, agreed)
        if opened is None:
            self._closed(direction, raw, time, packet)
            return
        kind, content = opened
        # Without a ServerHello only secrets of TLS 1.3 open anything: early data, or what follows where it is missing.
        self._version = self._version or TLS_1_3
        inner = kind if self._version == TLS_1_3 else None
        seen = self._seen(direction, raw, time, packet, direction.protection, inner=inner, isOpened=True)
        self._content(direction, kind, content, len(content), seen)

    def _closed(self, direction: Direction, raw: RawRecord, time: int, packet: int | None) -> None:
        """A record stays sealed."""
        protection = self._likelyProtection(direction)
        seen = self._seen(direction, raw, time, packet, protection)
        kind, name = Kind.SEALED, "TLSCiphertext"
        if self._version not in (0, TLS_1_3) and raw.type == _APPLICATION_DATA:
            kind, name = Kind.APPLICATION_DATA, "ApplicationData"
        elif raw.type != _APPLICATION_DATA:
            name = _SEALED_NAMES[raw.type]
            if raw.type == _HANDSHAKE and direction.isChanged and not direction.hasFinished:
                name = "Finished"
                direction.finish()
        key = (kind, direction.isFromClient, name, protection, self._version)
        self._list.run(key).extend(seen, HEADER + len(raw.fragment))

    def _likelyProtection(self, direction: Direction) -> Protection:
        """Return the keys that a record is under that was not opened, as far as the order of records tells."""
        if direction.protection is Protection.NONE or (direction.isChanged and self._version):
            return Protection.APPLICATION
        if direction.isFromClient:
            hasAnswer = self._agreed.server is not None
            self._hasClientAnswered = self._hasClientAnswered or hasAnswer
            return (
                Protection.HANDSHAKE if hasAnswer and direction.protection is Protection.EARLY else direction.protection
            )
        return Protection.APPLICATION if self._hasClientAnswered else direction.protection

    def _content(self, direction: Direction, kind: int, content: bytes, whole: int, seen: Seen) -> None:
        """Take the content of a record that is in the clear, or was opened.

        Args:
            direction: it is from.
            kind: its content type.
            content: its content.
            whole: how many bytes of it were seen.
            seen: the record.
        """
        if kind == _APPLICATION_DATA:
            self._data(direction, content, seen)
        elif kind == _HANDSHAKE:
            self._handshake(direction, content, whole, Record(*seen))
        elif kind == _ALERT:
            self._alerts(direction, content[:whole], Record(*seen))
        elif kind == _CHANGE_CIPHER_SPEC:
            self._say(direction, self._event(Kind.CHANGE_CIPHER_SPEC, direction, "ChangeCipherSpec", Record(*seen)))
            self._change(direction)
        elif kind == _HEARTBEAT:
            key = (Kind.SEALED, direction.isFromClient, "Heartbeat", seen[6], self._version)
            self._list.run(key).extend(seen, HEADER + seen[5])
        else:
            self._damaged(direction, f"a record of the unknown content type {kind}", content[:64], seen[1], seen[2])

    def _data(self, direction: Direction, content: bytes, seen: Seen) -> None:
        key = (Kind.APPLICATION_DATA, direction.isFromClient, "ApplicationData", seen[6], self._version)
        run = self._list.run(key)
        room = self._mostData - direction.kept
        if room > 0:
            run.content += content[:room]
            direction.kept += min(len(content), room)
        if not direction.isFromClient and run.count < _MOST_SEARCHED and not run.detail:
            run.detail = certificateRefusalIn(content)
        run.extend(seen, HEADER + seen[5])

    def _handshake(self, direction: Direction, content: bytes, whole: int, record: Record) -> None:
        if not content:
            # RFC 8446, section 5.1, and RFC 5246, section 6.2.1.
            self._damaged(direction, "a record of the handshake that holds nothing", b"", record.time, record.packet)
            return
        direction.small += len(content) < _SMALL
        if direction.small > _MOST_SMALL and not direction.isSettled:
            self._damaged(direction, "more records than any handshake has", b"", record.time, record.packet)
            return
        for message in direction.messages.add(content, whole, record):
            kind = message.content[0]
            self._notice(direction, kind, message.content)
            if record.isOpened:
                self._noticeSealed(direction, kind)
            name = HANDSHAKE_TYPES.get(kind, f"handshake_{kind}")
            if kind == _SERVER_HELLO and message.content[6:38] == RETRY_RANDOM:
                name = "HelloRetryRequest"
            self._say(direction, self._messageEvent(direction, name, message))
        if direction.messages.isTooLong:
            self._damaged(direction, "a message is longer than any can be", b"", record.time, record.packet)

    def _say(self, direction: Direction, event: Event) -> None:
        self._list.add(event)
        direction.said += 1
        if direction.said >= (_MOST_SAID if direction.isSettled else _MOST_BEFORE_FINISHED):
            self._damaged(direction, "more messages than any connection has", b"", event.time, event.packet)

    def _notice(self, direction: Direction, kind: int, message: bytes) -> None:
        """Follow what a handshake message says of the keys behind it."""
        if kind == _CLIENT_HELLO and direction.isFromClient:
            if (facts := clientKeyFacts(message)) is not None:
                self._clientHello(facts)
        elif kind == _SERVER_HELLO and not direction.isFromClient:
            self._serverHello(message)
        elif kind == _NEW_SESSION_TICKET and self._version != TLS_1_3:
            self._agreed.remember(self._secrets, ticketOf(message))

    def _noticeSealed(self, direction: Direction, kind: int) -> None:
        """Follow what a message under TLS 1.3 says of the keys behind it (RFC 8446, section 4)."""
        direction.isSettled = direction.isSettled or kind == _FINISHED
        if kind == _FINISHED and direction.protection is Protection.HANDSHAKE:
            direction.enter(Protection.APPLICATION)
        elif kind == _END_OF_EARLY_DATA and direction.protection is Protection.EARLY:
            direction.enter(Protection.HANDSHAKE)
        elif kind == _KEY_UPDATE and self._version == TLS_1_3:
            direction.update()

    def _clientHello(self, facts: ClientKeyFacts) -> None:
        if self._version == TLS_1_3:
            # Behind a HelloRetryRequest there is no early data (RFC 8446, section 4.2.10).
            facts = facts._replace(hasEarlyData=False)
            if self._agreed.server is not None:
                return
        self._agreed = Agreed(facts)
        if not self._client.isChanged:
            self._client.enter(Protection.EARLY if facts.hasEarlyData else Protection.NONE)

    def _serverHello(self, message: bytes) -> None:
        facts = serverKeyFacts(message)
        if facts is None or (self._version == TLS_1_3 and self._agreed.server is not None):
            return
        if self._version in (0, TLS_1_3):
            # The first ServerHello. A ChangeCipherSpec before it was for middleboxes, and early data says nothing more.
            self._client.isChanged = self._server.isChanged = False
            if facts.version != TLS_1_3:
                self._client.enter(Protection.NONE)
        self._version = facts.version
        if facts.isRetry:
            return
        self._agreed = Agreed(self._agreed.client, facts)
        if facts.version != TLS_1_3:
            self._agreed.remember(self._secrets, facts.session)
        else:
            self._server.enter(Protection.HANDSHAKE)
            if self._client.protection is not Protection.EARLY:
                self._client.enter(Protection.HANDSHAKE)

    def _change(self, direction: Direction) -> None:
        """A ChangeCipherSpec was sent: up to TLS 1.2 new keys are used behind it, under TLS 1.3 it means nothing."""
        if self._version == TLS_1_3:
            return
        direction.isChanged, direction.hasFinished = True, False
        direction.agreed = self._agreed
        if self._version:
            direction.enter(Protection.APPLICATION)

    def _alerts(self, direction: Direction, content: bytes, record: Record) -> None:
        for at in range(0, min(len(content) // 2, _MOST_ALERTS) * 2, 2):
            alert = content[at : at + 2]
            self._say(direction, self._event(Kind.ALERT, direction, alertName(alert[1]), record, alert))
        if len(content) % 2 or not content:
            self._damaged(
                direction, "an alert of another length than two bytes", content[:64], record.time, record.packet
            )

    def _ssl2(self, direction: Direction, raw: RawRecord, time: int, packet: int | None) -> None:
        """A client begins in the form of SSL 2, for a server that may be that old."""
        self._agreed = Agreed(ClientKeyFacts(ssl2Random(raw.fragment)))
        seen = Record(direction.count, time, packet, raw.type, raw.version, len(raw.fragment))
        direction.count += 1
        size = len(raw.header) + len(raw.fragment)
        content = raw.fragment
        event = Event(
            Kind.HANDSHAKE, True, time, "ClientHello", size, (seen,), 1, content, packet, 0, "in the form of SSL 2"
        )
        self._list.add(event)

    def _messageEvent(self, direction: Direction, name: str, message: Message) -> Event:
        last = message.records[-1]
        content, detail = message.content, self._exchange(message.content[0])
        if not message.isWhole:
            detail = f"{detail}, not all of it was seen" if detail else "not all of it was seen"
        if len(content) > self._room:
            content, detail = b"", "too much to keep"
        self._room -= len(content)
        return Event(
            Kind.HANDSHAKE,
            direction.isFromClient,
            last.time,
            name,
            message.size,
            message.records,
            1,
            content,
            last.packet,
            self._version,
            detail,
        )

    def _exchange(self, kind: int) -> str:
        """Return how keys are exchanged, for the messages whose form depends on it."""
        server = self._agreed.server
        return exchangeOf(server.suite) if kind in _EXCHANGES and server is not None else ""

    def _event(self, kind: Kind, direction: Direction, name: str, record: Record, content: bytes = b"") -> Event:
        return Event(
            kind,
            direction.isFromClient,
            record.time,
            name,
            HEADER + record.length,
            (record,),
            1,
            content,
            record.packet,
            self._version,
        )

    def _damaged(self, direction: Direction, detail: str, content: bytes, time: int, packet: int | None) -> None:
        """What is no TLS is said once; nothing more is read of this direction, and its bytes are counted."""
        if direction.isStopped:
            return
        direction.stop()
        run = Run((Kind.DAMAGED, direction.isFromClient, "", Protection.NONE, self._version))
        run.extend((0, time, packet, 0, 0, 0, Protection.NONE, None, False), len(content))
        run.content += content
        run.detail = detail
        self._strange[direction.isFromClient] = run
        self._list.add(run)

    def _seen(
        self,
        direction: Direction,
        raw: RawRecord,
        time: int,
        packet: int | None,
        protection: Protection,
        *,
        inner: int | None = None,
        isOpened: bool = False,
    ) -> Seen:
        number = direction.count
        direction.count = number + 1
        return number, time, packet, raw.type, raw.version, len(raw.fragment), protection, inner, isOpened
