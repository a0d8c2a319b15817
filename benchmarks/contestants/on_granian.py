"""granian, whose TLS is rustls: an HTTP server, so only connections and their memory can be compared."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from granian import Granian
from granian.constants import Interfaces


async def answer(scope: object, protocol: object) -> None:
    """No request comes."""


def freePort() -> int:
    with socket.socket() as plain:
        plain.bind(("127.0.0.1", 0))
        return int(plain.getsockname()[1])


def main(folder: Path) -> None:
    port = freePort()
    server = Granian(
        "on_granian:answer",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.RSGI,
        backlog=4096,
        log_enabled=False,
        ssl_cert=folder / "server.pem",
        ssl_key=folder / "server.key",
        ssl_ca=folder / "ca.pem",
        ssl_client_verify=True,
        working_dir=Path(__file__).parent,
    )
    server.on_startup(lambda: print(port, flush=True))
    server.serve()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
