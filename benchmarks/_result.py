"""One run as it is kept: when and where it was, and every value."""

from __future__ import annotations

import json
import os
import platform
import ssl
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from OpenSSL import SSL

from benchmarks._measure import Measure, Samples
from benchmarks._table import OURS, busy, median

__all__ = ["Result"]


@dataclass
class Result:
    """What was measured.

    Attributes:
        about: date, machine and versions.
        measures: by name: the title; all values and their medians by contestant; what tlscomm's median is of that of
            its peer; and what part of a core server and load used.
    """

    about: dict[str, Any]
    measures: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def now(cls) -> Result:
        return cls(
            {
                "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "processor": _processor(),
                "cores": os.cpu_count(),
                "busy": f"{os.getloadavg()[0]:.1f} processes wanted to run when it began",
                "Python": platform.python_version(),
                "OpenSSL of tlscomm": SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode(),
                "OpenSSL of Python": ssl.OPENSSL_VERSION,
            }
        )

    def add(self, measure: Measure, samples: Samples) -> None:
        medians = {name: _short(median(values)) for name, values in samples.items() if values}
        of = measure.peer if measure.peer in medians else None
        self.measures[measure.name] = {
            "title": measure.title,
            "medians": medians,
            "peer": of,
            "ratio": _short(medians[OURS] / medians[of]) if of and OURS in medians else None,
            "values": {name: [_short(each.value) for each in values] for name, values in samples.items()},
            "busy": {name: [busy(values, "server"), busy(values, "load")] for name, values in samples.items()},
        }

    def toJSON(self) -> dict[str, Any]:
        return {"about": self.about, "measures": self.measures}

    def write(self, path: Path) -> None:
        """Write JSON with a line for each measure: two runs can then be looked at side by side."""
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(each)}" for name, each in self.measures.items())
        path.write_text(f'{{"about": {json.dumps(self.about)},\n"measures": {{\n{lines}\n}}}}\n')


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
