"""The status of several processes that are one server, as one object."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

from tlscomm.operation._status import MOST_ROWS

__all__ = ["mergedStatus"]

#: Lines of causes and networks.
_MOST_REFUSALS = 100


def mergedStatus(own: Mapping[str, Any], workers: Mapping[int, Mapping[str, Any] | None]) -> dict[str, Any]:
    """Return one object for a supervisor and its workers.

    Each connection and each refusal says of which worker it is, and ``workers`` has a line for each of them.

    Args:
        own: the supervisor's own object: its phase, when it was started, the results of reloads.
        workers: those of the workers by their numbers; None of one that has not answered.
    """
    answers = {number: status for number, status in workers.items() if status is not None}
    first = next(iter(answers.values()), own)
    rows = chain.from_iterable(_numbered(number, each["connections"]["list"]) for number, each in answers.items())
    refusals = chain.from_iterable(_numbered(number, each["refusals"]) for number, each in answers.items())
    return {
        **own,
        "listeners": _listeners(answers) or own["listeners"],
        "connections": {
            "open": sum(each["connections"]["open"] for each in answers.values()),
            "handshaking": sum(each["connections"]["handshaking"] for each in answers.values()),
            "search": own["connections"]["search"],
            "list": list(rows)[:MOST_ROWS],
        },
        "refusals": sorted(refusals, key=lambda each: str(each["last"]), reverse=True)[:_MOST_REFUSALS],
        "expiries": first["expiries"],
        "settings": own["settings"] or first["settings"],
        "workers": [_worker(number, status) for number, status in sorted(workers.items())],
    }


def _numbered(worker: int, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "worker": worker} for row in rows]


def _listeners(answers: Mapping[int, Mapping[str, Any]]) -> list[dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for status in answers.values():
        for listener in status["listeners"]:
            known = merged.setdefault(listener["name"], {**listener, "connections": 0})
            known["connections"] += listener["connections"]
    return list(merged.values())


def _worker(number: int, status: Mapping[str, Any] | None) -> dict[str, Any]:
    if status is None:
        return {"worker": number, "phase": "silent", "pid": None, "open": 0, "started": None}
    return {
        "worker": number,
        "phase": status["phase"],
        "pid": status["pid"],
        "open": status["connections"]["open"],
        "started": status["started"],
    }
