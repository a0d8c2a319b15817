"""What is found out before a server of several processes starts: all that a server of one process finds out.

A process of its own does it, at the terminal of the person who started the program, before a daemon leaves that, and
with the privileges of the start. So the supervisor neither reads keys nor runs what an application's module does when
it is imported, and says the same about what is wrong.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from tlscomm.processes._launching import workerCommand, workerEnvironment
from tlscomm.server._refusedstart import RefusedStart

__all__ = ["REPORT", "whatWasSaid"]

REPORT = "TLSCOMM_REPORT_FILE"
"""The environment variable that names the file for what was found, by its number."""

_LONGEST_REPORT = 1 << 20


def whatWasSaid(words: Sequence[str], descriptors: Iterable[int]) -> Mapping[str, Any]:
    """Return what the person said who started the program, when everything else is in order.

    Args:
        words: those after ``tlscomm`` on the command line of twistd.
        descriptors: the files that pass phrases are in.

    Raises:
        RefusedStart: a server cannot be started.
    """
    reading, writing = os.pipe()
    with open(reading, "rb") as report:
        # ^C at a question is for the process that asks.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            process = subprocess.Popen(
                workerCommand("check", words),
                env={**workerEnvironment(), REPORT: str(writing)},
                pass_fds=[writing, *_open(descriptors)],
            )
            os.close(writing)
            content = report.read(_LONGEST_REPORT)
            status = process.wait()
        finally:
            signal.signal(signal.SIGINT, before)
    return _said(content, status)


def _said(content: bytes, status: int) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        raise RefusedStart(
            f"the process that looks whether a server can start has ended with exit status {status}.\n"
            "Next step: Leave out --processes, and see what is said then."
        ) from None
    if "problem" in found:
        raise RefusedStart(found["problem"])
    said: Mapping[str, Any] = found["said"]
    return said


def _open(descriptors: Iterable[int]) -> list[int]:
    """Return those that are open. What is said of the others comes from where they are read."""
    found = []
    for number in descriptors:
        with suppress(OSError, OverflowError):
            os.fstat(number)
            found.append(number)
    return found
