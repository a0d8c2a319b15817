"""All measures, with the numbers that make a run of ten minutes, or of one."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks._commands import Connect, Help
from benchmarks._contestants import Contestant
from benchmarks._credentials import Certificates
from benchmarks._handshakes import Handshakes, NewClients, Returning
from benchmarks._inmemory import InMemory
from benchmarks._measure import Measure
from benchmarks._memory import Memory
from benchmarks._messages import Messages
from benchmarks._storm import Storm

__all__ = ["measures"]

_MEMORY = 10_000
_DIFFERENT = 1000


def measures(certificates: Certificates, contestants: Mapping[str, Contestant], isQuick: bool) -> list[Measure]:
    """Return them, in the order of the table. A long one begins with what cannot be cut short."""
    rounds, less = (3, 8) if isQuick else (9, 1)
    return [
        Memory(certificates, _MEMORY // less // 3 if isQuick else _MEMORY, contestants),
        Handshakes(certificates, rounds, 400 // less, 1),
        Handshakes(certificates, rounds, _DIFFERENT // less, _DIFFERENT // less),
        NewClients(certificates, rounds, 200 // less, first=_MEMORY),
        Returning(certificates, rounds, 400 // less),
        InMemory(certificates, rounds, 400 // less, contestants),
        Messages(certificates, rounds, name="ping", size=100, count=32_000 // less),
        Messages(certificates, rounds, name="flight", size=100, count=96_000 // less, inFlight=64),
        Messages(certificates, rounds, name="64k", size=1 << 16, count=1600 // less),
        Messages(certificates, rounds, name="1m", size=1 << 20, count=80 // less, connections=4),
        Storm(certificates, rounds, 500),
        Connect(certificates, rounds, contestants),
        Help(certificates, rounds, contestants),
    ]
