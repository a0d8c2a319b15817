"""Where what the captures are made with lies, and how a program is started and ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PROGRAMS", "Place", "buildPrograms", "found", "python", "start", "stop"]

PROGRAMS = Path(__file__).parent.parent / "programs"

#: Debian keeps servers where only root looks.
SEARCHED = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Place:
    """What a server or client is told.

    Attributes:
        folder: of the credentials of one kind, and of configurations.
        built: of the programs that were compiled.
        host: an address to listen on, or to connect to.
        port: the same.
        echo: the port of a server without TLS that sends back what it is sent.
        version: ``1.2`` or ``1.3``.
        keylog: the file that those who can add their secrets to.
    """

    folder: Path
    built: Path
    host: str
    port: int
    echo: int
    version: str
    keylog: Path

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def file(self, name: str) -> str:
        return str(self.folder / name)

    @property
    def option(self) -> str:
        """The option of OpenSSL's programs for the version."""
        return "-tls" + self.version.replace(".", "_")


def found(program: str) -> str:
    return next(str(Path(p, program)) for p in SEARCHED.split(":") if Path(p, program).exists())


def buildPrograms(folder: Path) -> None:
    """Compile the programs of languages that need it."""
    folder.mkdir()
    environment = {**os.environ, "GOCACHE": str(folder / "go"), "GO111MODULE": "off"}
    for command in (
        ["go", "build", "-o", str(folder / "peer"), str(PROGRAMS / "peer.go")],
        ["javac", "-d", str(folder), str(PROGRAMS / "Peer.java")],
        ["mcs", f"-out:{folder / 'Peer.exe'}", str(PROGRAMS / "Peer.cs")],
    ):
        subprocess.run(command, check=True, env=environment)


def start(command: Sequence[str], place: Place, log: Path) -> subprocess.Popen[bytes]:
    """Start a program whose working folder has the credentials, and whose key log is set for those that read one."""
    environment = {**os.environ, "SSLKEYLOGFILE": str(place.keylog), "HOME": str(place.folder), "PYTHONUNBUFFERED": "1"}
    with log.open("ab") as file:
        return subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=file, stderr=file, cwd=place.folder, env=environment
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdin:
        process.stdin.close()


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]
