"""The contestants: how each is started, in a process of its own on the server's core, and what it has cost."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["OTHER", "PEER", "Contestant", "Server", "contestants", "onLoadCores", "usage"]

#: The one that all ratios are to.
PEER = "Twisted"
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
    for other in others:
        python = str(Path(other).resolve() / ".venv" / "bin" / "python")
        found.append(Contestant(OTHER + Path(other).resolve().name, (python, str(_PROGRAMS / "on_tlscomm.py"))))
    found.append(_inPython("asyncio", "on_asyncio.py"))
    words: tuple[str, ...] = ()
    for module in ("uvloop", "aiofastnet"):
        words = (*words, module)
        if all(map(importlib.util.find_spec, words)):
            found.append(_inPython(module, "on_asyncio.py", *words))
        else:
            missing.append(f"{module} is not installed: make bench installs it")
    if go := shutil.which("go"):
        program = scratch / "go-server"
        built = subprocess.run(
            [go, "build", "-o", str(program), "."],
            cwd=_PROGRAMS / "golang",
            env={**os.environ, "GOFLAGS": "-mod=mod", "GOCACHE": str(scratch / "go-cache")},
            capture_output=True,
            text=True,
            check=False,
        )
        if built.returncode:
            missing.append(f"Go's server cannot be built: {built.stderr.strip()}")
        else:
            found.append(Contestant("Go", (str(program),)))
    else:
        missing.append("Go is not installed")
    return {each.name: each for each in found}, missing


def _inPython(name: str, program: str, *words: str) -> Contestant:
    return Contestant(name, (sys.executable, str(_PROGRAMS / program)), words)


class Server:
    """A running contestant.

    Attributes:
        port: where it listens on the loopback interface.
    """

    def __init__(self, contestant: Contestant, folder: Path) -> None:
        # A process is born where its parent is, and all its threads stay there.
        os.sched_setaffinity(0, _SERVER)
        try:
            self._process = subprocess.Popen(contestant.command(folder), stdout=subprocess.PIPE, text=True)
        finally:
            onLoadCores()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{contestant.name} did not start")
        self.port = int(line)

    def cpu(self) -> float:
        """Seconds of processor time until now, all threads."""
        return usage(self._process.pid)

    def memory(self) -> float:
        """Resident KiB."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1024

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def onLoadCores() -> None:
    """Leave the server's core to the servers."""
    os.sched_setaffinity(0, _LOAD)


def usage(process: int) -> float:
    """Seconds of processor time of a process, as the scheduler counts them: in nanoseconds (proc(5), ``schedstat``)."""
    return sum(int(each.read_text().split()[0]) for each in Path(f"/proc/{process}/task").glob("*/schedstat")) / 1e9
