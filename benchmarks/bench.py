"""What tlscomm costs, next to others, in one run.

    .venv/bin/python -m benchmarks.bench [--quick] [--json FILE]

Every contestant is a process of its own, and what counts is the processor time that it used. It runs on one core, and
the clients on another. The contestants take turns, several times, so that whatever else the machine does meets them
all; the table has the medians. docs/benchmarks.rst says how to read it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import ssl
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks._contestants import OTHER, Contestant, Server, contestants, onLoadCores
from benchmarks._credentials import Certificates
from benchmarks._load import Refused
from benchmarks._measures import Measure, Sample, measures, raiseFileLimit
from benchmarks._table import heading, row


def main() -> None:
    arguments = readArguments()
    raiseFileLimit()
    onLoadCores()
    with tempfile.TemporaryDirectory() as name:
        run(Path(name), arguments)


def readArguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all values there too")
    parser.add_argument("--only", action="append", default=[], metavar="MEASURE", help="may be given several times")
    parser.add_argument("--contestant", action="append", default=[], metavar="NAME", help="may be given several times")
    parser.add_argument("--other", action="append", default=[], metavar="CHECKOUT", help="another tlscomm to compare")
    parser.add_argument("--rounds", type=int, help="how many times each is asked")
    return parser.parse_args()


def run(folder: Path, arguments: argparse.Namespace) -> None:
    found, missing = contestants(folder, arguments.other)
    for sentence in missing:
        print(sentence)
    wanted = arguments.contestant
    chosen = [each for name, each in found.items() if not wanted or name in wanted or name.startswith(OTHER)]
    result: dict[str, Any] = {"about": about(), "measures": {}}
    print(heading([each.name for each in chosen]), flush=True)
    certificates = Certificates(folder)
    for measure in measures(certificates, arguments.quick):
        if arguments.only and measure.name not in arguments.only:
            continue
        measure.rounds = arguments.rounds or measure.rounds
        samples = compare(measure, chosen, folder)
        result["measures"][measure.name] = {"title": measure.title, "samples": asJSON(samples)}
        print(row(measure.title, samples), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


def compare(measure: Measure, chosen: list[Contestant], folder: Path) -> dict[str, list[Sample]]:
    """Ask all in turns. Each begins some turn first, so that none has always the same one before it."""
    samples: dict[str, list[Sample]] = {each.name: [] for each in chosen}
    asked = [each for each in chosen if each.name not in measure.without]
    servers = {each.name: Server(each, folder) for each in asked}
    try:
        for name, server in list(servers.items()):
            try:
                measure.warmUp(server)
            except Refused as refused:
                print(f"{name}, {measure.title}: {refused}", file=sys.stderr)
                del servers[name]
        names = list(servers)
        for turn in range(measure.rounds):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                samples[name].append(measure.ask(servers[name]))
    finally:
        for server in servers.values():
            server.stop()
    return samples


def about() -> dict[str, Any]:
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "ssl": ssl.OPENSSL_VERSION,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
    }


def asJSON(samples: dict[str, list[Sample]]) -> dict[str, Any]:
    return {name: [vars(each) for each in values] for name, values in samples.items()}


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(f"{time.monotonic() - began:.0f} s")
