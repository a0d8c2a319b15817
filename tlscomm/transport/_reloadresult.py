"""What came of reading a configuration again."""

from __future__ import annotations

from typing import Any

from tlscomm._dataclasses import dataclass
from tlscomm.failures import TLSFailure

__all__ = ["ReloadResult"]


@dataclass(frozen=True)
class ReloadResult:
    """What came of reading a whole configuration again. It was taken as a whole, or not at all.

    Attributes:
        time: when it ended, in seconds since 1970.
        trigger: why it was read: ``signal``, ``files`` or ``program``.
        problem: why it was not taken, and the former one stays; None where it was taken.
        changed: the sources whose content differs from before, as they were named; for people.
    """

    time: float
    trigger: str
    problem: BaseException | None = None
    changed: tuple[str, ...] = ()

    @property
    def isTaken(self) -> bool:
        """Whether the new configuration is in use."""
        return self.problem is None

    def __bool__(self) -> bool:
        """Return whether the new configuration is in use."""
        return self.isTaken

    def toJSON(self) -> dict[str, Any]:
        """Return the facts for JSON."""
        problem: Any = None
        if isinstance(self.problem, TLSFailure):
            problem = self.problem.toJSON()
        elif self.problem is not None:
            problem = {"message": str(self.problem)}
        return {
            "time": self.time,
            "trigger": self.trigger,
            "taken": self.isTaken,
            "problem": problem,
            "changed": list(self.changed),
        }
