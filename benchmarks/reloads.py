"""Whether a server loses anything while its configuration is read again and again, and how soon a change counts.

    .venv/bin/python benchmarks/reloads.py [--reloads N] [--connections N] [--cuts N]

A real ``twistd tlscomm`` runs beside it, and so do two processes that are not of tlscomm (Python's ssl): one connects
again and again, the other has connections that stay, and sends numbered messages on all of them. Meanwhile all of the
configuration is replaced, identity, authorities, revocation list, rules and limits, by renaming files, by writing them
where they are, and by a link that leads to another folder. Of each five replacements three are broken, each in another
way. Then clients are revoked one after the other while they are connected, and the time until they are cut off is
taken; and so for clients that a rule does not let in any more.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from itertools import cycle
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding

from tlscomm.credentials import Credential
from tlscomm.issuing import Authority
from tlscomm.x509._encoding import keyPEM, pem

LOOPBACK = "127.0.0.1"
SERVER = """\
listen = "{place}"
framing = "line"
readTimeout = 0
identity = "server.pem"
key = "server.key"
clientRoots = "clients.pem"
crl = "list.crl"
revocation = "soft"
deny = ["cn={denied}"]
maximumConnections = {most}
"""
_TAKEN = "the configuration was read again"
_REFUSED = "is not read again"
_PATIENCE = 30.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--reloads", type=int, default=100)
    options.add_argument("--connections", type=int, default=50, help="that stay")
    options.add_argument("--cuts", type=int, default=20, help="clients that are revoked")
    options.add_argument("--port", type=int, default=25400)
    options.add_argument("--load", choices=("connecting", "staying"), help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.load == "connecting":
        Connecting(given.port).run()
    elif given.load == "staying":
        Staying(given.port, given.connections).run()
    else:
        with tempfile.TemporaryDirectory() as name:
            os.chdir(name)
            Reloads(Path(name), given).run()


def _client(name: str = "client") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile="trusted.pem")
    context.load_cert_chain(f"{name}.pem")
    return context


def _connect(context: ssl.SSLContext, port: int) -> ssl.SSLSocket:
    plain = socket.create_connection((LOOPBACK, port), timeout=_PATIENCE)
    return context.wrap_socket(plain, server_hostname="localhost")


class Load:
    """A process that keeps the server busy until its standard input ends, and then says what it has seen."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.isOver = threading.Event()
        self.done = 0
        self.problems: list[str] = []

    def run(self) -> None:
        threads = [threading.Thread(target=self._try, args=(work,)) for work in self.works()]
        for thread in threads:
            thread.start()
        sys.stdin.read()
        self.isOver.set()
        for thread in threads:
            thread.join()
        print(json.dumps({"done": self.done, "problems": self.problems}))

    def works(self) -> list[Callable[[], None]]:
        raise NotImplementedError

    def _try(self, work: Callable[[], None]) -> None:
        while not self.isOver.is_set():
            try:
                work()
            except Exception as problem:
                self.problems.append(f"{time.time():.3f} {problem!r}")
                time.sleep(0.05)


class Connecting(Load):
    """Connects, sends a message, awaits it, and leaves."""

    def works(self) -> list[Callable[[], None]]:
        return [self.once, self.once]

    def once(self) -> None:
        with _connect(_client(), self.port) as connection:
            connection.sendall(b"hello\n")
            if (answer := connection.recv(100)) != b"hello\n":
                raise ValueError(f"the answer is {answer!r}")
        self.done += 1
        time.sleep(0.01)


class Staying(Load):
    """Sends numbered messages on connections that stay."""

    def __init__(self, port: int, count: int) -> None:
        super().__init__(port)
        self.count = count

    def works(self) -> list[Callable[[], None]]:
        return [self.exchange]

    def exchange(self) -> None:
        context = _client()
        connections = [_connect(context, self.port) for _ in range(self.count)]
        files = [connection.makefile("rb") for connection in connections]
        number = 0
        while not self.isOver.is_set():
            number += 1
            line = b"%d %s\n" % (number, b"x" * (number % 500))
            for connection in connections:
                connection.sendall(line)
            for file in files:
                if (answer := file.readline()) != line:
                    raise ValueError(f"message {number} came back as {answer[:40]!r}")
                self.done += 1
            time.sleep(0.01)


class Reloads:
    """The server, its files, and what is done to them."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder = folder
        self.options = options
        self.authority = Authority.create("Benchmark")
        self.other = Authority.create("Other")
        self.revoked: list[int] = []
        self.denied = "none"
        self.number = 0
        self.brokenWays = cycle(BROKEN)

    def run(self) -> None:
        Path("trusted.pem").write_bytes(pem([self.authority.certificate]))
        _put(Path("client.pem"), self.authority.issue("client", role="client"))
        self.deploy(self.files())
        with self.serving() as server:
            loads = [self.loading(kind) for kind in ("connecting", "staying")]
            time.sleep(2.0)
            memory = _memoryOf(server.pid)
            taken, refused = self.reload(server)
            self.deploy(self.files())
            print(f"memory of the server: {memory} KiB before, {_memoryOf(server.pid)} KiB after the reloads")
            cuts = {"revoked": self.cutOff(self.revoke), "not allowed any more": self.cutOff(self.deny)}
            seen = [self.ended(load) for load in loads]
        print(f"reloads: {taken} taken, {refused} refused by name")
        for what, found in zip(("new connections", "messages"), seen, strict=True):
            print(f"{what}: {found['done']} went well, {len(found['problems'])} failed")
            for problem in found["problems"][:5]:
                print(f"  {problem}")
        for why, times in cuts.items():
            median, longest = statistics.median(times) * 1000, max(times) * 1000
            print(f"{why} to cut off, {len(times)} times: median {median:.0f} ms, longest {longest:.0f} ms")

    def reload(self, server: subprocess.Popen[bytes]) -> tuple[int, int]:
        """Replace everything as often as was asked for, and return how many were taken and refused."""
        taken = refused = 0
        for turn in range(self.options.reloads):
            isBroken = turn % 5 in (1, 2, 4)
            before = self.log()
            files = self.files()
            if isBroken:
                name, change = next(self.brokenWays)
                change(self, files)
            self.deploy(files, turn % 3)
            if turn % 2:
                # A signal is one reading, and what is refused then is not read once more for the files.
                server.send_signal(signal.SIGHUP)
            line = self.awaited(len(before))
            if (_REFUSED in line) != isBroken:
                raise SystemExit(f"reload {turn} ({name if isBroken else 'good'}) came to: {line}")
            if isBroken:
                refused += 1
                print(f"{turn:3} {name:24} {_cause(line)}")
            else:
                taken += 1
        return taken, refused

    def awaited(self, past: int) -> str:
        """Return the line about a reading that is the next one after so many lines."""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            lines = self.log()
            if len(lines) > past:
                return lines[past]
            time.sleep(0.01)
        raise SystemExit("nothing came of a change")

    def cutOff(self, change: Callable[[Credential], None]) -> list[float]:
        """Put out clients that are connected, and return how long each stayed after the change of a file."""
        cuts = []
        for turn in range(self.options.cuts):
            victim = self.authority.issue(f"victim-{turn}", role="client")
            _put(Path("victim.pem"), victim)
            with _connect(_client("victim"), self.options.port) as connection:
                connection.sendall(b"hello\n")
                connection.recv(100)
                change(victim)
                begun = time.monotonic()
                if connection.recv(100):
                    raise SystemExit("a revoked client was sent something")
                cuts.append(time.monotonic() - begun)
        return cuts

    def revoke(self, client: Credential) -> None:
        self.revoked.append(client.certificate.serial_number)
        _replace(Path("live/list.crl"), self.files()["list.crl"])

    def deny(self, client: Credential) -> None:
        self.denied = client.certificate.subject.rfc4514_string().removeprefix("CN=")
        _replace(Path("live/server.toml"), self.files()["server.toml"])

    def files(self) -> dict[str, bytes]:
        """Return new files for everything."""
        self.number += 1
        identity = self.authority.issue(f"server {self.number}", role="server", dnsNames=["localhost"])
        return {
            "server.pem": pem([identity.certificate]),
            "server.key": keyPEM(identity.privateKey),
            "clients.pem": pem([self.authority.certificate, Authority.create(f"Added {self.number}").certificate]),
            "list.crl": self.authority.revocationList(self.revoked, number=self.number).public_bytes(Encoding.PEM),
            "server.toml": SERVER.format(
                place=f"tcp:{self.options.port}:interface={LOOPBACK}", denied=self.denied, most=1000 + self.number
            ).encode(),
        }

    def deploy(self, files: dict[str, bytes], way: int = 2) -> None:
        """Put files there: each renamed, each written where it is, or all of them behind a link."""
        if way == 2 or not Path("live").exists():
            self.swap(files)
            return
        write = _replace if way == 0 else _overwrite
        for name in ("server.pem", "server.key", "clients.pem", "list.crl", "server.toml"):
            if name in files:
                write(Path("live", name), files[name])
            else:
                Path("live", name).unlink(missing_ok=True)

    def swap(self, files: dict[str, bytes]) -> None:
        folder = Path(f"archive{self.number}")
        folder.mkdir()
        for name, content in files.items():
            _overwrite(folder / name, content)
        Path("next").symlink_to(folder)
        Path("next").rename("live")

    @contextmanager
    def serving(self) -> Iterator[subprocess.Popen[bytes]]:
        program = str(Path(sys.executable).with_name("twistd"))
        words = [program, "-n", "--pidfile", "twistd.pid", "tlscomm", "--configuration", "live/server.toml"]
        with open("server.log", "wb") as log, subprocess.Popen(words, stdout=log, stderr=log) as server:
            try:
                end = time.monotonic() + _PATIENCE
                while b"listening" not in Path("server.log").read_bytes():
                    if time.monotonic() > end or server.poll() is not None:
                        raise SystemExit(Path("server.log").read_text())
                    time.sleep(0.05)
                yield server
            finally:
                server.terminate()
                server.wait()

    def loading(self, kind: str) -> subprocess.Popen[str]:
        words = [sys.executable, str(Path(__file__)), "--load", kind, "--port", str(self.options.port)]
        words += ["--connections", str(self.options.connections)]
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ended(self, load: subprocess.Popen[str]) -> dict[str, object]:
        found: dict[str, object] = json.loads(load.communicate(timeout=_PATIENCE)[0])
        return found

    def log(self) -> list[str]:
        """Return the lines about readings."""
        lines = Path("server.log").read_text(encoding="utf-8").splitlines()
        return [line for line in lines if _TAKEN in line or _REFUSED in line]


def _memoryOf(process: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) if found else 0


def _cause(line: str) -> str:
    found = re.search(r"the former one stays: (.*?)(?: \(changed| Next step)", line)
    return found[1] if found else line


def _put(path: Path, credential: Credential) -> None:
    _replace(path, pem([credential.certificate]) + keyPEM(credential.privateKey))


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f"{path.name}.new")
    _overwrite(beside, content)
    beside.rename(path)


def _overwrite(path: Path, content: bytes) -> None:
    if not path.exists():
        path.touch(0o600)
    path.chmod(0o600)
    with open(path, "wb") as file:
        # In two pieces, as by a writer who takes his time.
        file.write(content[: len(content) // 2])
        file.flush()
        time.sleep(0.005)
        file.write(content[len(content) // 2 :])


Files = dict[str, bytes]


def _identity(files: Files, credential: Credential) -> None:
    files["server.pem"], files["server.key"] = pem([credential.certificate]), keyPEM(credential.privateKey)


def _half(name: str) -> Callable[[Reloads, Files], None]:
    def change(_: Reloads, files: Files) -> None:
        files[name] = files[name][: len(files[name]) // 2]

    return change


def _without(name: str) -> Callable[[Reloads, Files], None]:
    return lambda _, files: files.__delitem__(name)


def _as(name: str, content: bytes) -> Callable[[Reloads, Files], None]:
    return lambda _, files: files.__setitem__(name, content)


def _expired(reloads: Reloads, files: Files) -> None:
    now = datetime.now(timezone.utc)
    issue = reloads.authority.issue
    _identity(files, issue("late", role="server", dnsNames=["localhost"], now=now - timedelta(days=900)))


def _notYet(reloads: Reloads, files: Files) -> None:
    now = datetime.now(timezone.utc)
    issue = reloads.authority.issue
    _identity(files, issue("early", role="server", dnsNames=["localhost"], now=now + timedelta(days=900)))


def _client_(reloads: Reloads, files: Files) -> None:
    _identity(files, reloads.authority.issue("a client", role="client"))


def _otherKey(reloads: Reloads, files: Files) -> None:
    files["server.key"] = keyPEM(reloads.other.issue("other", role="server").privateKey)


def _encrypted(reloads: Reloads, files: Files) -> None:
    key = reloads.authority.issue("x", role="server", dnsNames=["localhost"]).privateKey
    assert key is not None
    encryption = serialization.BestAvailableEncryption(b"nobody knows")
    files["server.key"] = key.private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def _swapped(_: Reloads, files: Files) -> None:
    files["server.pem"], files["server.key"] = files["server.key"], files["server.pem"]


def _certificateForList(reloads: Reloads, files: Files) -> None:
    files["list.crl"] = pem([reloads.authority.certificate])


def _listForRoots(_: Reloads, files: Files) -> None:
    files["clients.pem"] = files["list.crl"]


def _line(text: bytes) -> Callable[[Reloads, Files], None]:
    return lambda _, files: files.__setitem__("server.toml", files["server.toml"] + text + b"\n")


BROKEN: list[tuple[str, Callable[[Reloads, Files], None]]] = [
    ("half a certificate", _half("server.pem")),
    ("half a key", _half("server.key")),
    ("half the authorities", _half("clients.pem")),
    ("half a list", _half("list.crl")),
    ("no certificate", _without("server.pem")),
    ("no key", _without("server.key")),
    ("no authorities", _without("clients.pem")),
    ("no list", _without("list.crl")),
    ("an empty certificate", _as("server.pem", b"")),
    ("an empty key", _as("server.key", b"")),
    ("empty authorities", _as("clients.pem", b"")),
    ("an empty list", _as("list.crl", b"")),
    ("another file for a key", _as("server.key", b"hello")),
    ("a key of another", _otherKey),
    ("an encrypted key", _encrypted),
    ("an expired one", _expired),
    ("one of the future", _notYet),
    ("a client's", _client_),
    ("certificate and key swapped", _swapped),
    ("a certificate for a list", _certificateForList),
    ("a list for authorities", _listForRoots),
    ("half a configuration", _half("server.toml")),
    ("no configuration", _without("server.toml")),
    ("an unknown setting", _line(b"idenitty = 3")),
    ("a wrong rule", _line(b'allow = ["cn"]')),
    ("a wrong limit", _line(b"maximumPending = -1")),
    ("a limit that is a word", _line(b'connectionsPerAddress = "many"')),
    ("versions that do not fit", _line(b'minimumTLS = "1.3"\nmaximumTLS = "1.2"')),
    ("what needs a restart", _line(b'application = "greet"')),
    ("a file that is not there", _line(b'intermediates = ["none.pem"]')),
]


if __name__ == "__main__":
    main()
