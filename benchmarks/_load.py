"""Clients that ask much of a server and do little themselves: non-blocking sockets, epoll, TLS in memory.

TLS is OpenSSL's newest, by pyOpenSSL: that of a distribution's Python can take twice as long for a handshake. What is
read and written goes through memory: OpenSSL's own reading of a socket takes two calls for each record. A client is
told that it was accepted by the first thing that comes after its own Finished: a ticket, or what it is sent.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from OpenSSL import SSL

__all__ = ["Client", "Load", "Refused", "Talker", "Visitor"]

_READ = select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR
_SIZE = 1 << 18
_PATIENCE = 60.0


class Refused(Exception):
    """The server did not do what a measure is about."""


class Load:
    """Runs clients of one server until they are done."""

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)
        self._epoll = select.epoll()
        self._clients: dict[int, Client] = {}
        self.buffer = bytearray(_SIZE)
        self._refused: list[str] = []

    def connect(self, client: Client) -> None:
        """Begin a connection."""
        plain = socket.socket()
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.connect_ex(self._address)
        self._clients[plain.fileno()] = client
        # Writable means connected, and the handshake begins.
        self._epoll.register(plain, _READ | select.EPOLLOUT)
        client.begin(self, plain)

    def wantWriting(self, plain: socket.socket, wanted: bool) -> None:
        self._epoll.modify(plain, _READ | select.EPOLLOUT if wanted else _READ)

    @property
    def isIdle(self) -> bool:
        """Whether no connection is left."""
        return not self._clients

    def refused(self, why: str) -> None:
        """A connection has come to nothing. The others go on, and then it is told."""
        self._refused.append(why)

    def forget(self, plain: socket.socket) -> None:
        """Leave a connection as it is."""
        self._epoll.unregister(plain)
        del self._clients[plain.fileno()]

    def runUntil(self, isDone: Callable[[], bool]) -> None:
        clients, poll = self._clients, self._epoll.poll
        patience = time.monotonic() + _PATIENCE
        while not isDone():
            ready = poll(1.0)
            for number, events in ready:
                # One that was answered in this turn may have closed another.
                if (client := clients.get(number)) is None:
                    continue
                if events & select.EPOLLOUT:
                    client.writable()
                if events & _READ and number in clients:
                    client.readable()
            if ready:
                patience = time.monotonic() + _PATIENCE
            elif time.monotonic() > patience:
                raise Refused("nothing has come for a minute")
        if self._refused:
            raise Refused(f"{len(self._refused)} connections came to nothing: {self._refused[0]}")

    def visit(self, clients: Iterable[Client], atOnce: int) -> None:
        """Connect them all, so many at a time, and run until all are gone."""
        waiting = iter(clients)

        def isDone() -> bool:
            while len(self._clients) < atOnce and (client := next(waiting, None)) is not None:
                self.connect(client)
            return self.isIdle

        self.runUntil(isDone)


class Client:
    """One connection. Extend it: what is done when it was accepted, and with what it receives."""

    def __init__(self, connection: SSL.Connection, session: SSL.Session | None = None) -> None:
        """
        Args:
            connection: not shaken yet; see `Certificates.connection`.
            session: what it offers to resume.
        """
        self.tls = connection
        if session is not None:
            self.tls.set_session(session)
        self._unsent = b""
        self._isConnected = self._isShaken = self.isAccepted = self._isClosing = False

    def accepted(self) -> None:
        """The server has accepted us."""

    def received(self, size: int) -> None:
        """So many bytes of plaintext have come."""

    def begin(self, load: Load, plain: socket.socket) -> None:
        self._load, self._plain = load, plain

    def writable(self) -> None:
        if not self._isConnected:
            if error := self._plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._end(os.strerror(error))
                return
            self._isConnected = True
            self._shake()
        self._send()
        if not self._unsent:
            self._load.wantWriting(self._plain, False)

    def readable(self) -> None:
        try:
            data = self._plain.recv(_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(str(error))
            return
        if not data:
            self._end("the server closed it before it had accepted the client")
            return
        self.tls.bio_write(data)
        if not self._isShaken:
            self._shake()
            self._send()
            return
        read, buffer, total = self.tls.recv_into, self._load.buffer, 0
        try:
            while True:
                total += read(buffer)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.close()
        except SSL.Error as error:
            self._end(str(error))
            return
        if not self.isAccepted:
            self.isAccepted = True
            self.accepted()
        if total:
            self.received(total)

    def write(self, *pieces: bytes) -> None:
        """Send pieces, each in records of its own."""
        for piece in pieces:
            self.tls.sendall(piece)
        self._send()

    def close(self) -> None:
        """Say that we are done. The server's end of the stream ends the connection."""
        if not self._isClosing:
            self._isClosing = True
            with suppress(SSL.Error):
                self.tls.shutdown()
            self._send()

    def leave(self) -> socket.socket:
        """Keep the connection open without a client, for as long as what is returned is kept."""
        self._load.forget(self._plain)
        return self._plain

    def _shake(self) -> None:
        try:
            self.tls.do_handshake()
            self._isShaken = True
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self._load.refused(str(error))

    def _send(self) -> None:
        data = self._unsent
        # In pieces, of which most of what is sent fits in one.
        with suppress(SSL.WantReadError):
            while True:
                data += self.tls.bio_read(_SIZE)
        if not data:
            return
        try:
            sent = self._plain.send(data)
        except BlockingIOError:
            sent = 0
        except ConnectionError:
            self._unsent = b""
            return
        isNew, self._unsent = not self._unsent, data[sent:]
        if isNew and self._unsent:
            self._load.wantWriting(self._plain, True)

    def _end(self, why: str) -> None:
        if not self.isAccepted:
            self._load.refused(why)
        self._load.forget(self._plain)
        self._plain.close()


class Visitor(Client):
    """Closes as soon as it was accepted."""

    #: The session of the visit, for one that resumes it.
    session: SSL.Session | None = None

    def accepted(self) -> None:
        self.session = self.tls.get_session()
        self.close()


class Talker(Client):
    """Sends messages of one size and counts what comes back: so many in flight, and so many in all."""

    def __init__(self, connection: SSL.Connection, message: bytes, inFlight: int) -> None:
        super().__init__(connection)
        self._message, self._inFlight = message, inFlight
        self._got = self._unsentMessages = 0
        self.left = 0

    def talk(self, count: int) -> None:
        """Send so many messages, and await as many."""
        first = min(count, self._inFlight)
        self.left, self._unsentMessages = count, count - first
        self.write(*[self._message] * first)

    def close(self) -> None:
        self._unsentMessages = 0
        super().close()

    def received(self, size: int) -> None:
        self._got += size
        came, self._got = divmod(self._got, len(self._message))
        self.left -= came
        if more := min(came, self._unsentMessages):
            self._unsentMessages -= more
            self.write(*[self._message] * more)
