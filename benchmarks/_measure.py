"""What a measure is: a question that is asked of each contestant in turn, several times."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks._contestants import PEER, Server
from benchmarks._load import Refused

__all__ = ["Measure", "Meter", "Sample", "Samples", "ServerMeasure", "inTurns"]

#: What a server does after the last answer is counted too.
_SETTLING = 0.02


@dataclass
class Sample:
    """One value, and how busy the two sides were while it was measured.

    Attributes:
        value: in the measure's unit.
        server: seconds of processor time of the server, 0 where nothing is said of it.
        load: the same of the load.
        seconds: how long it took.
    """

    value: float = float("nan")
    server: float = 0.0
    load: float = 0.0
    seconds: float = 0.0


#: By the name of the contestant, in the order of the turns.
Samples = dict[str, list[Sample]]


class Measure(ABC):
    """One row of the table.

    Attributes:
        name: for the command line and JSON.
        title: for the table, with the unit.
        peer: the contestant that ``bench-check`` compares with.
    """

    name: str
    title: str
    peer = PEER

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds

    @abstractmethod
    def run(self, servers: Mapping[str, Server], until: float) -> Samples:
        """Measure all.

        Args:
            servers: run already.
            until: no other round begins after this time of ``time.monotonic``, once there has been one.
        """


class ServerMeasure(Measure):
    """Something that is asked of servers. Extend it.

    Attributes:
        without: contestants of which it cannot be asked.
    """

    without: tuple[str, ...] = ()

    def run(self, servers: Mapping[str, Server], until: float) -> Samples:
        asked = {}
        for name, server in servers.items():
            if name in self.without:
                continue
            try:
                self.warmUp(server)
            except Refused as refused:
                print(f"{name}, {self.title}: {refused}", file=sys.stderr)
            else:
                asked[name] = server
        try:
            return inTurns({name: lambda s=s: self.ask(s) for name, s in asked.items()}, self.rounds, until)
        finally:
            for server in asked.values():
                self.finish(server)

    def warmUp(self, server: Server) -> None:
        """Have the server do once what is about to be measured."""
        self.ask(server)

    @abstractmethod
    def ask(self, server: Server) -> Sample:
        """Measure once."""

    def finish(self, server: Server) -> None:
        """Leave nothing open."""


def inTurns(questions: Mapping[str, Callable[[], Sample]], rounds: int, until: float) -> Samples:
    """Ask all in turns. Each begins some turn, so that none has always the same one before it."""
    names = list(questions)
    samples: Samples = {name: [] for name in names}
    for turn in range(rounds if names else 0):
        if turn and time.monotonic() > until:
            break
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            try:
                samples[name].append(questions[name]())
            except Refused as refused:
                print(f"{name}: {refused}", file=sys.stderr)
    return samples


@dataclass
class Meter:
    """Reads the clocks of server and load, before and after."""

    server: Server
    sample: Sample = field(default_factory=Sample)

    @contextmanager
    def running(self) -> Iterator[None]:
        server, load, began = self.server.cpu(), time.process_time(), time.perf_counter()
        try:
            yield
        finally:
            self.sample.load, self.sample.seconds = time.process_time() - load, time.perf_counter() - began
            time.sleep(_SETTLING)
            self.sample.server = self.server.cpu() - server

    def forEach(self, count: int, scale: float) -> Sample:
        """Return what the server used for each of so many, where its unit has so many in a second."""
        self.sample.value = self.sample.server / count * scale
        return self.sample
