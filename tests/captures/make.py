"""Makes the captures: see README.rst beside this file.

Arguments: parts of the names of captures that are made anew, and where there are none, those that are missing are made;
or ``--describe`` to write the manifest anew alone. It needs root, for tcpdump, and the programs.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from making.cases import CASES, Capture, Connection
from making.clients import CLIENTS
from making.credentials import makeCredentials
from making.places import Place, buildPrograms, start, stop
from making.seeing import describe, finish
from making.servers import SERVERS

HERE = Path(__file__).parent
MANIFEST = HERE / "manifest.json"
FIRST_PORT, PORTS = 41700, 98


def echo(listener: socket.socket) -> None:
    """Send back what comes, for servers that pass on what they decrypt."""

    def serve(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(4096):
                connection.sendall(data)

    while True:
        threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()


class Maker:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.built = folder / "built"
        buildPrograms(self.built)
        for kind in ("ec", "rsa"):
            makeCredentials(folder / kind, kind)
            (folder / kind / "early.txt").write_text("early\n")
        listener = socket.create_server(("127.0.0.1", 0))
        self.echo = listener.getsockname()[1]
        threading.Thread(target=echo, args=[listener], daemon=True).start()
        self.made = 0

    def make(self, capture: Capture) -> dict[str, Any]:
        port = FIRST_PORT + self.made % PORTS
        self.made += 1
        keylog = self.folder / f"{capture.name}.keys"
        keylog.touch()
        place = Place(self.folder / capture.keys, self.built, capture.host, port, self.echo, capture.version, keylog)
        log = self.folder / f"{capture.name}.log"
        server = start(SERVERS[capture.server](place, capture.identity, capture.options), place, log)
        try:
            awaitListening(place, server, log)
            time.sleep(0.3)
            raw = self.folder / f"{capture.name}.raw"
            dump = self.startCapture(raw, port, capture.form)
            try:
                for connection in capture.connections:
                    self.connect(connection, place, log)
                time.sleep(0.4)
            finally:
                stop(dump)
        finally:
            stop(server)
        file = finish(raw, keylog, capture, HERE)
        return describe(file, port, capture)

    def startCapture(self, file: Path, port: int, form: str) -> subprocess.Popen[bytes]:
        interface = "any" if form == "any" else "lo"
        command = ["tcpdump", "-i", interface, "-s", "0", "-U", "--immediate-mode", "-w", str(file)]
        command += ["--time-stamp-precision=nano"] if form == "nano" else []
        process = subprocess.Popen([*command, f"tcp port {port}"], stderr=subprocess.PIPE, stdin=subprocess.PIPE)
        assert process.stderr
        while b"listening on" not in process.stderr.readline():
            assert process.poll() is None
        return process

    def connect(self, connection: Connection, place: Place, log: Path) -> None:
        version = connection.version or place.version
        here = Place(place.folder, place.built, place.host, place.port, place.echo, version, place.keylog)
        command = CLIENTS[connection.client](
            here, connection.identity, connection.root, connection.name, connection.options
        )
        with log.open("ab") as file:
            file.write(f"--- {connection}\n".encode())
        client = start(command, here, log)
        time.sleep(0.4)
        with suppress(OSError):
            _type(client, connection)
        with suppress(subprocess.TimeoutExpired):
            client.wait(8)
        with suppress(OSError):
            stop(client)
        time.sleep(0.1)


def _type(client: subprocess.Popen[bytes], connection: Connection) -> None:
    """Type what the client is to send, and then what ends it."""
    assert client.stdin
    for typed in connection.typed:
        client.stdin.write(typed.encode())
        client.stdin.flush()
        time.sleep(0.3)
    if connection.client in ("openssl", "gnutls"):
        client.stdin.write(b"Q\n" if connection.client == "openssl" else b"")
        client.stdin.close()


def awaitListening(place: Place, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until something listens there, without a connection that a program would take for its first."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        table = Path("/proc/net/tcp6").read_text() + Path("/proc/net/tcp").read_text()
        if any(f":{place.port:04X} " in line and " 0A " in line for line in table.splitlines()):
            return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {place.port}:\n{log.read_text()}")


def readManifest() -> dict[str, Any]:
    return {each["file"]: each for each in json.loads(MANIFEST.read_text())} if MANIFEST.exists() else {}


def writeManifest(described: dict[str, Any]) -> None:
    """Write one line for each connection."""
    files = []
    for _, entry in sorted(described.items()):
        rest = {key: value for key, value in entry.items() if key != "connections"}
        connections = ",\n".join(f"  {json.dumps(each)}" for each in entry["connections"])
        files.append(f'{json.dumps(rest)[:-1]}, "connections": [\n{connections}\n]}}')
    MANIFEST.write_text("[\n" + ",\n".join(files) + "\n]\n")


def describeAgain() -> None:
    old, new = readManifest(), {}
    for capture in CASES:
        for name in (f"{capture.name}.pcap", f"{capture.name}.pcapng"):
            if name in old:
                new[name] = describe(HERE / name, old[name]["port"], capture)
    writeManifest(new)


def main() -> None:
    wanted = sys.argv[1:]
    if wanted == ["--describe"]:
        return describeAgain()
    described = readManifest()
    with tempfile.TemporaryDirectory() as folder:
        maker = Maker(Path(folder))
        for capture in CASES:
            isThere = any((HERE / f"{capture.name}.{ending}").exists() for ending in ("pcap", "pcapng"))
            if any(part in capture.name for part in wanted) if wanted else not isThere:
                made = maker.make(capture)
                described[made["file"]] = made
                writeManifest(described)
                print(capture.name, *made.get("surprises", []), flush=True)
    return None


if __name__ == "__main__":
    main()
