"""Record what Go, Java and Node say of each fault of the gallery, for the tests, which do not need these programs.

    python scripts/errortexts/record.py go|java|node

writes ``tests/errortexts/NAME.tsv``: a line for each text, with the role of the program, the case and the text. As
``client`` it refused a faulty server, as ``server`` a faulty client, and as ``refused`` it is a client that was
refused.
"""

import contextlib
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from foreignpeers import (  # noqa: E402
    LOOPBACK,
    FaultyServers,
    clientCases,
    demanding,
    meet,
    otherServers,
    presenting,
    serverCases,
    writeFiles,
)

COMMANDS = {
    "go": ("go", "run", str(HERE / "go.go")),
    "java": ("java", str(HERE / "Java.java")),
    "node": ("node", str(HERE / "node.js")),
}
VERSIONS = {"go": ("go", "version"), "java": ("java", "--version"), "node": ("node", "--version")}


def said(output: IO[str]) -> str:
    for line in output:
        if line.startswith("said"):
            return line[5:].rstrip("\n")
    raise EOFError


def record(name: str, folder: Path) -> Iterator[str]:
    version = subprocess.run(VERSIONS[name], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    yield f"# {version}"
    servers = FaultyServers()
    command = (*COMMANDS[name], str(folder))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        port = int(program.stdout.readline().split()[1])

        def ask(line: str) -> str:
            program.stdin.write(f"{line}\n")
            program.stdin.flush()
            return said(program.stdout)

        for case, start in (*((c, None) for c in serverCases()), *otherServers(folder)):
            with contextlib.suppress(ssl.SSLError):
                to = start(servers) if start else servers.presenting(presenting(folder, "server", case.name))
                yield f"client\t{case.name}\t" + ask(f"client {LOOPBACK}:{to} {case.serverName}")
        to = servers.presenting(demanding(folder))
        for case in clientCases():
            yield f"refused\t{case.name}\t" + ask(f"presenting {LOOPBACK}:{to} {case.name}")
            with contextlib.suppress(OSError):
                meet(port, presenting(folder, "client", case.name))
            yield f"server\t{case.name}\t" + said(program.stdout)
        program.kill()
    servers.close()


def main() -> None:
    for name in sys.argv[1:] or COMMANDS:
        with tempfile.TemporaryDirectory() as folder:
            writeFiles(Path(folder))
            text = "".join(f"{line}\n" for line in record(name, Path(folder)))
        place = ROOT / "tests" / "errortexts" / f"{name}.tsv"
        place.parent.mkdir(exist_ok=True)
        place.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
