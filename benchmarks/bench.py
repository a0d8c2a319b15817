"""What tlscomm costs, next to others, in one run.

    .venv/bin/python -m benchmarks.bench [--quick] [--json FILE]

Every contestant is a process of its own, and what counts is the processor time that it used. It runs on one core, and
the clients on another. The contestants take turns, several times, so that whatever else the machine does meets them
all. The table has their medians, half the distance of the quartiles, and what tlscomm's value is of each.
docs/benchmarks.rst says how to read it.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks._comparison import comparison
from benchmarks._contestants import OTHER, Contestant, Server, contestants, onLoadCores
from benchmarks._credentials import Certificates
from benchmarks._measure import Measure
from benchmarks._measures import measures
from benchmarks._memory import raiseFileLimit
from benchmarks._result import Result
from benchmarks._table import heading, row

#: Seconds after which no round begins. The rounds that have begun, and what is left, take the rest of a minute or ten.
_QUICK, _LONG = 45.0, 540.0


def main() -> None:
    arguments = readArguments()
    raiseFileLimit()
    onLoadCores()
    # So that the servers end with it, whatever ends it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory() as name:
        result = run(Path(name), arguments)
    if arguments.json:
        result.write(arguments.json)
    if arguments.check:
        check(arguments.check, result)


def check(path: Path, result: Result) -> None:
    """Name what became slower since the run of a file, and exit with 1 if anything did."""
    stored = json.loads(path.read_text())
    lines, isAnySlower = comparison(stored, result.toJSON())
    print(f"since {stored['about']['date']}:")
    print("\n".join(lines) or "nothing became slower by a tenth")
    if isAnySlower:
        raise SystemExit(1)


def readArguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all values there too")
    parser.add_argument("--check", type=Path, metavar="FILE", help="name what became slower since that run")
    parser.add_argument("--only", action="append", default=[], metavar="MEASURE", help="may be given several times")
    parser.add_argument("--contestant", action="append", default=[], metavar="NAME", help="may be given several times")
    parser.add_argument("--other", action="append", default=[], metavar="CHECKOUT", help="another tlscomm to compare")
    parser.add_argument("--rounds", type=int, help="how many times each is asked, however long it takes")
    return parser.parse_args()


def run(folder: Path, arguments: argparse.Namespace) -> Result:
    found, missing = contestants(folder, arguments.other)
    wanted = arguments.contestant
    chosen = {name: each for name, each in found.items() if not wanted or name in wanted or name.startswith(OTHER)}
    certificates = Certificates(folder)
    asked = [
        each
        for each in measures(certificates, found, arguments.quick)
        if not arguments.only or each.name in arguments.only
    ]
    for sentence in missing:
        print(sentence)
    print(heading(list(chosen)), flush=True)
    with running(chosen, folder) as servers:
        return measure(asked, servers, arguments)


def measure(asked: list[Measure], servers: Mapping[str, Server], arguments: argparse.Namespace) -> Result:
    """Ask all. Each measure has an equal part of the time that is left."""
    result, end = Result.now(), time.monotonic() + (_QUICK if arguments.quick else _LONG)
    for place, each in enumerate(asked):
        now = time.monotonic()
        until = now + (end - now) / (len(asked) - place)
        if arguments.rounds:
            each.rounds, until = arguments.rounds, float("inf")
        samples = each.run(servers, until)
        result.add(each, samples)
        print(row(each.title, list(servers), samples), flush=True)
    return result


@contextmanager
def running(chosen: Mapping[str, Contestant], folder: Path) -> Iterator[dict[str, Server]]:
    servers: dict[str, Server] = {}
    try:
        for name, each in chosen.items():
            servers[name] = Server(each, folder)
        yield servers
    finally:
        for server in servers.values():
            server.stop()


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(f"{time.monotonic() - began:.0f} s")
