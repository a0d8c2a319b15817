"""The contestants: how each is started, in a process of its own on the server's core, and what it has cost."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["GRANIAN", "OTHER", "PEER", "TRACED", "Contestant", "Server", "contestants", "onLoadCores"]

#: The one that all ratios are to.
PEER = "Twisted"
#: An HTTP server, which can be asked for connections and not for messages.
GRANIAN = "granian"
#: tlscomm where each connection is recorded, and its trace made if it is asked for.
TRACED = "tlscomm, traced"
#: What the names of tlscomm's other checkouts begin with.
OTHER = "tlscomm of "

_CORES = sorted(os.sched_getaffinity(0))
#: The first core is the server's, and the others the load's.
_SERVER, _LOAD = {_CORES[0]}, set(_CORES[1:] or _CORES)

_PROGRAMS = Path(__file__).with_name("contestants")


@dataclass(frozen=True)
class Contestant:
    """A kind of server.

    Attributes:
        name: what tables call it.
        program: what starts it. The folder of the certificates comes behind.
        words: what comes behind that.
    """

    name: str
    program: tuple[str, ...]
    words: tuple[str, ...] = ()

    def command(self, folder: Path) -> list[str]:
        return [*self.program, str(folder), *self.words]


def contestants(scratch: Path, others: Sequence[str] = ()) -> tuple[dict[str, Contestant], list[str]]:
    """Find those that can be run here.

    Args:
        scratch: a folder for what has to be built.
        others: checkouts of tlscomm, each with its ``.venv``, to compare with this one.

    Returns:
        The contestants by name, and what is to be said of those that are missing.
    """
    found, missing = [_inPython("tlscomm", "on_tlscomm.py"), _inPython(PEER, "on_twisted.py")], []
    found.append(_inPython(TRACED, "on_tlscomm.py", "traced"))
    for other in others:
        python = str(Path(other).resolve() / ".venv" / "bin" / "python")
        found.append(Contestant(OTHER + Path(other).resolve().name, (python, str(_PROGRAMS / "on_tlscomm.py"))))
    found.append(_inPython("asyncio", "on_asyncio.py"))
    for words in ("uvloop",), ("uvloop", "aiofastnet"), (GRANIAN,):
        if all(map(importlib.util.find_spec, words)):
            program = "on_granian.py" if GRANIAN in words else "on_asyncio.py"
            found.append(_inPython(words[-1], program, *words))
        else:
            missing.append(f"{words[-1]} is not installed: make bench installs it")
    if go := shutil.which("go"):
        found.append(Contestant("Go", (str(_built(go, scratch)),)))
    else:
        missing.append("Go is not installed")
    return {each.name: each for each in found}, missing


def _inPython(name: str, program: str, *words: str) -> Contestant:
    return Contestant(name, (sys.executable, str(_PROGRAMS / program)), words)


def _built(go: str, scratch: Path) -> Path:
    """Build Go's server. The cache of the compiler is thrown away with it."""
    program = scratch / "go-server"
    environment = {**os.environ, "GOCACHE": str(scratch / "go-cache"), "GOFLAGS": "-mod=mod"}
    subprocess.run([go, "build", "-o", str(program), "."], cwd=_PROGRAMS / "golang", env=environment, check=True)
    return program


class Server:
    """A running contestant.

    Attributes:
        name: the contestant's.
        port: where it listens on the loopback interface.
    """

    def __init__(self, contestant: Contestant, folder: Path) -> None:
        self.name = contestant.name
        # A process is born where its parent is, and all its threads and children stay there.
        os.sched_setaffinity(0, _SERVER)
        try:
            # A session of its own, to end its children with it.
            self._process = subprocess.Popen(
                contestant.command(folder), stdout=subprocess.PIPE, text=True, start_new_session=True
            )
        finally:
            onLoadCores()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{contestant.name} did not start")
        self.port = int(line)

    def cpu(self) -> float:
        """Seconds of processor time until now, all processes and threads, as the scheduler counts them (proc(5))."""
        files = (
            each
            for number in _withChildren(self._process.pid)
            for each in Path(f"/proc/{number}/task").glob("*/schedstat")
        )
        return sum(int(each.read_text().split()[0]) for each in files) / 1e9

    def memory(self) -> float:
        """Resident KiB of all processes."""
        pages = sum(
            int(Path(f"/proc/{number}/statm").read_text().split()[1]) for number in _withChildren(self._process.pid)
        )
        return pages * os.sysconf("SC_PAGE_SIZE") / 1024

    def _places(self) -> list[Path]:
        return [Path("/proc", str(number)) for number in _withChildren(self._process.pid)]

    def stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


def onLoadCores() -> None:
    """Leave the server's core to the servers."""
    os.sched_setaffinity(0, _LOAD)


def _withChildren(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *(each for child in children for each in _withChildren(int(child)))]
