"""granian, whose TLS is rustls: an HTTP server, so only connections and their memory can be compared."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path
from threading import Thread

from granian import Granian
from granian.constants import Interfaces


async def answer(scope: object, protocol: object) -> None:
    """No request comes."""


def freePort() -> int:
    with socket.socket() as plain:
        plain.bind(("127.0.0.1", 0))
        return int(plain.getsockname()[1])


def announce(port: int) -> None:
    """Print the port once it takes connections."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            print(port, flush=True)
            return


def main(folder: Path) -> None:
    port = freePort()
    server = Granian(
        "on_granian:answer",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.RSGI,
        backlog=4096,
        # As many connections as the others take.
        backpressure=20_000,
        log_enabled=False,
        ssl_cert=folder / "server.pem",
        ssl_key=folder / "server.key",
        ssl_ca=folder / "ca.pem",
        ssl_client_verify=True,
        working_dir=Path(__file__).parent,
    )
    # It begins to listen in a process of its own, and has no hook for when it does.
    Thread(target=announce, args=(port,), daemon=True).start()
    server.serve()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
