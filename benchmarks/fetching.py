"""What a server costs that fetches revocation lists and its staple, while strangers name addresses to it.

    .venv/bin/python benchmarks/fetching.py [--strangers N] [--entries N]

Three real servers run beside it: ``twistd tlscomm --fetch-crls … --staple fetch``, Python's ``http.server`` with the
list of our authority, and ``openssl ocsp`` as its responder. A client of ours names the list. Then strangers come, each
with an issuer of its own that has the name of our authority and four addresses on that web server. The price of one is
told next to that of the client of ours, whose handshake is a good one, and to that of a stranger on a server that
fetches nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID

from tlscomm.credentials import Credential, exportCredential
from tlscomm.issuing import Authority
from tlscomm.x509 import _der

LOOPBACK = "127.0.0.1"
FETCHING = "--fetch-crls lists --staple fetch --fetch-from-private-addresses"
#: A list is looked at for so many seconds at most.
PATIENCE = 60.0
#: Where the entries are in a signed list that has two dates.
_ENTRIES = 5


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--strangers", type=int, default=1000)
    options.add_argument("--entries", type=int, default=400_000)
    options.add_argument("--port", type=int, default=23480, help="the first of three ports that are free")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        Measurement(Path(name), given).run()


class Measurement:
    """The servers and the clients in one folder."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self._folder, self._options = folder, options
        self._serverPort, self._webPort, self._responderPort = range(options.port, options.port + 3)
        self._authority = Authority.create("our authority")
        (folder / "web").mkdir()
        (folder / "web" / "our.crl").write_bytes(largeList(self._authority, options.entries))

    def run(self) -> None:
        self._writeCredentials()
        with self._web(), self._responder(), self._server(FETCHING) as server:
            size = (self._folder / "web" / "our.crl").stat().st_size
            print(f"our list: {self._options.entries:,} entries, {size / 1e6:.1f} MB")
            self._fetchOurs(server)
            self._meetStrangers(server)
            print(f"staple: {self._staple()}")
        with self._server("") as server:
            print(f"price of a stranger where nothing is fetched: {self._priceOfStrangers(server) * 1e3:.2f} ms")

    def _fetchOurs(self, server: Process) -> None:
        before, began, longest = server.memory(), time.perf_counter(), 0.0
        while True:
            start = time.perf_counter()
            isAccepted = self._ask("client.pem")
            longest = max(longest, time.perf_counter() - start)
            if isAccepted:
                break
            if start - began > PATIENCE:
                raise SystemExit((self._folder / "server.log").read_text())
        took = time.perf_counter() - began
        print(f"there after {took:.1f} s, in which the slowest handshake took {longest * 1e3:.0f} ms")
        print(f"memory: {before:.0f} MB before, {server.memory():.0f} MB after, {server.peak():.0f} MB at most")

    def _meetStrangers(self, server: Process) -> None:
        good = self._price(server, lambda number: self._ask("client.pem"), 200)
        asked, before = self._requests(), server.memory()
        refused = self._priceOfStrangers(server)
        print(f"{self._options.strangers} strangers, requests for them: {self._requests() - asked}")
        print(f"memory: {before:.0f} MB before, {server.memory():.0f} MB after")
        print(f"price of a stranger: {refused * 1e3:.2f} ms, of our client: {good * 1e3:.2f} ms ({refused / good:.2f})")
        files = len([*(self._folder / "lists").iterdir()])
        print(f"our client is let in: {self._ask('client.pem')}; files: {files}")

    def _priceOfStrangers(self, server: Process) -> float:
        return self._price(server, lambda number: self._ask(f"stranger{number % 20}.pem"), self._options.strangers)

    def _price(self, server: Process, connect: Callable[[int], object], count: int) -> float:
        before, longest = server.seconds(), 0.0
        for number in range(count):
            start = time.perf_counter()
            connect(number)
            longest = max(longest, time.perf_counter() - start)
        print(f"of {count} handshakes the slowest took {longest * 1e3:.0f} ms")
        return (server.seconds() - before) / count

    def _ask(self, name: str) -> bool:
        context = ssl.create_default_context(cafile=str(self._folder / "ca.pem"))
        context.load_cert_chain(self._folder / name)
        with (
            suppress(OSError),
            socket.create_connection((LOOPBACK, self._serverPort), PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            connection.sendall(b"hello<EOF>")
            return connection.recv(100) == b"hello<EOF>"
        return False

    def _staple(self) -> str:
        command = ["openssl", "s_client", "-connect", f"{LOOPBACK}:{self._serverPort}", "-status"]
        done = subprocess.run(command, input="", capture_output=True, text=True, check=False, timeout=PATIENCE)
        return "".join(re.findall(r"Cert Status: (\w+)", done.stdout)) or "none"

    def _requests(self) -> int:
        return (self._folder / "web.log").read_text().count("GET ")

    def _writeCredentials(self) -> None:
        web, responder = f"http://{LOOPBACK}:{self._webPort}/", f"http://{LOOPBACK}:{self._responderPort}/"
        place = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(responder))
        access = (x509.AuthorityInformationAccess([place]), False)
        identity = self._authority.issue("localhost", role="server", dnsNames=["localhost"], extensions=[access])
        self._write("server.pem", identity, self._authority.certificate)
        self._write("client.pem", self._authority.issue("client", role="client", extensions=[naming(web + "our.crl")]))
        for number in range(20):
            impostor = Authority.create("our authority")
            urls = [f"{web}stranger{number}-{each}" for each in range(4)]
            stranger = impostor.issue("stranger", role="client", extensions=[naming(*urls)])
            self._write(f"stranger{number}.pem", stranger, impostor.certificate)
        (self._folder / "ca.pem").write_bytes(self._authority.certificate.public_bytes(Encoding.PEM))
        self._write("ca-key.pem", Credential(self._authority.certificate, (), self._authority.privateKey))
        self._index(identity.certificate)

    def _index(self, certificate: x509.Certificate) -> None:
        """Write what ``openssl ocsp`` knows: one certificate, which is valid."""
        until = certificate.not_valid_after_utc.strftime("%y%m%d%H%M%SZ")
        number = f"{certificate.serial_number:X}"
        line = f"V\t{until}\t\t{'0' * (len(number) % 2)}{number}\tunknown\t/CN=localhost\n"
        (self._folder / "index.txt").write_text(line)

    def _write(self, name: str, credential: Credential, *more: x509.Certificate) -> None:
        content = exportCredential(credential, "pem", insecureUnencryptedKey=True)
        path = self._folder / name
        path.touch(0o600)
        path.write_bytes(content + b"".join(each.public_bytes(Encoding.PEM) for each in more))

    def _server(self, more: str) -> Any:
        twistd = str(Path(sys.executable).with_name("twistd"))
        words = f"--listen tcp:{self._serverPort}:interface={LOOPBACK} --identity server.pem --client-roots ca.pem"
        command = [twistd, "-n", "--pidfile=", "tlscomm", *words.split(), *more.split()]
        return self._running(command, "server.log", "listening on")

    def _web(self) -> Any:
        command = [sys.executable, "-u", "-m", "http.server", str(self._webPort), "--bind", LOOPBACK]
        return self._running([*command, "--directory", "web"], "web.log", "Serving HTTP")

    def _responder(self) -> Any:
        command = f"openssl ocsp -index index.txt -CA ca.pem -rsigner ca-key.pem -port {self._responderPort} -ndays 1"
        return self._running(command.split(), "responder.log", "ACCEPT")

    @contextmanager
    def _running(self, command: list[str], log: str, begins: str) -> Iterator[Process]:
        """Run a program until its log says that it has begun, and then while the block runs."""
        with (self._folder / log).open("wb") as file:
            process = subprocess.Popen(command, cwd=self._folder, stdout=file, stderr=subprocess.STDOUT)
        try:
            waitFor(self._folder / log, begins)
            yield Process(process.pid)
        finally:
            process.kill()
            process.wait()


class Process:
    """What a process has used."""

    def __init__(self, number: int) -> None:
        self._place = Path(f"/proc/{number}")

    def seconds(self) -> float:
        fields = (self._place / "stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        return self._megabytes("VmRSS")

    def peak(self) -> float:
        return self._megabytes("VmHWM")

    def _megabytes(self, name: str) -> float:
        (line,) = (line for line in (self._place / "status").read_text().splitlines() if line.startswith(name))
        return int(line.split()[1]) / 1024


def waitFor(log: Path, words: str) -> None:
    began = time.perf_counter()
    while words not in log.read_text():
        if time.perf_counter() - began > PATIENCE:
            raise SystemExit(log.read_text())
        time.sleep(0.1)


def naming(*urls: str) -> tuple[x509.CRLDistributionPoints, bool]:
    points = [x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None) for url in urls]
    return x509.CRLDistributionPoints(points), False


def largeList(authority: Authority, entries: int) -> bytes:
    """Make a list of any length. The library's builder copies it for each entry that is added."""
    whole = _der.first(authority.revocationList([1]).public_bytes(Encoding.DER))
    tbs, algorithm, _ = whole.parts()
    fields = [part.encoded for part in tbs.parts()]
    when = _der.encode(0x17, datetime.now(timezone.utc).strftime("%y%m%d%H%M%SZ").encode())
    made = b"".join(
        _der.encode(_der.SEQUENCE, _der.encode(_der.INTEGER, b"\x40" + os.urandom(19)), when) for _ in range(entries)
    )
    signed = _der.encode(_der.SEQUENCE, *fields[:_ENTRIES], _der.encode(_der.SEQUENCE, made), *fields[_ENTRIES + 1 :])
    key = authority.privateKey
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = b"\0" + key.sign(signed, ec.ECDSA(hashes.SHA256()))
    return _der.encode(_der.SEQUENCE, signed, algorithm.encoded, _der.encode(_der.BIT_STRING, signature))


if __name__ == "__main__":
    main()
