"""Makes the captures anew: see README.rst beside this file.

Arguments: parts of names of captures, all where there are none. It needs root, for tcpdump, and the programs.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

from making.cases import CASES, Capture, Connection
from making.clients import CLIENTS
from making.credentials import makeCredentials
from making.places import Place, buildPrograms, start, stop
from making.seeing import describe, finish
from making.servers import SERVERS

HERE = Path(__file__).parent
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

    def make(self, capture: Capture) -> dict[str, object]:
        port = FIRST_PORT + self.made % PORTS
        self.made += 1
        keylog = self.folder / f"{capture.name}.keys"
        keylog.touch()
        place = Place(
            self.folder / capture.keys, self.built, capture.host, port, self.echo, capture.version, keylog
        )
        log = self.folder / f"{capture.name}.log"
        server = start(SERVERS[capture.server](place, capture.identity, capture.options), place, log)
        try:
            awaitListening(place, server)
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
        assert client.stdin
        time.sleep(0.4)
        try:
            for typed in connection.typed:
                client.stdin.write(typed.encode())
                client.stdin.flush()
                time.sleep(0.3)
            if connection.client in ("openssl", "gnutls"):
                client.stdin.write(b"Q\n" if connection.client == "openssl" else b"")
                client.stdin.close()
        except OSError:
            pass
        try:
            client.wait(8)
        except subprocess.TimeoutExpired:
            pass
        try:
            stop(client)
        except OSError:
            pass
        time.sleep(0.1)


def awaitListening(place: Place, server: subprocess.Popen[bytes]) -> None:
    """Wait until something listens there, without a connection that a program would take for its first."""
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        table = Path("/proc/net/tcp6").read_text() + Path("/proc/net/tcp").read_text()
        if any(f":{place.port:04X} " in line and " 0A " in line for line in table.splitlines()):
            return
        time.sleep(0.05)
    raise SystemExit(f"port {place.port} is not listened on ({family.name})")


def main() -> None:
    wanted = sys.argv[1:]
    manifest = HERE / "manifest.json"
    described = {each["file"]: each for each in json.loads(manifest.read_text())} if manifest.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        maker = Maker(Path(folder) / "made") if Path(folder, "made").mkdir() is None else None
        assert maker
        for capture in CASES:
            if wanted and not any(part in capture.name for part in wanted):
                continue
            made = maker.make(capture)
            described[str(made["file"])] = made
            text = json.dumps([described[name] for name in sorted(described)], indent=1)
            manifest.write_text(text + "\n")
            print(capture.name, *made.get("surprises", []), flush=True)
            shutil.copy(maker.folder / f"{capture.name}.log", "/tmp/peers-logs")


if __name__ == "__main__":
    main()
