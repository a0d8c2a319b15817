"""asyncio with Python's ``ssl``; with the words ``uvloop`` and ``aiofastnet`` behind the folder, on those.

A protocol and no streams: streams cost more.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from echoing import Splitter, echoed


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = cast(asyncio.Transport, transport).write
        self._take = Splitter().take

    def data_received(self, data: bytes) -> None:
        for message in self._take(data):
            self._write(echoed(message))


def context(folder: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(folder / "server.pem", folder / "server.key")
    made.load_verify_locations(folder / "ca.pem")
    made.verify_mode = ssl.CERT_REQUIRED
    return made


def newLoop(words: tuple[str, ...]) -> asyncio.AbstractEventLoop:
    make: Callable[..., Any] = asyncio.new_event_loop
    if "uvloop" in words:
        import uvloop

        make = uvloop.new_event_loop
    if "aiofastnet" in words:
        import aiofastnet

        make = aiofastnet.loop_factory(make)
    return cast(asyncio.AbstractEventLoop, make())


def main(folder: Path, *words: str) -> None:
    loop = newLoop(words)
    # Refused and broken connections are the load's affair.
    loop.set_exception_handler(lambda *_: None)
    listening = loop.create_server(Echo, "127.0.0.1", 0, ssl=context(folder), backlog=4096)
    server = loop.run_until_complete(listening)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop.run_forever()


main(Path(sys.argv[1]), *sys.argv[2:])
