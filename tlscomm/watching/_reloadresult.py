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
        others: what else could not be used.
        isPartial: whether the rest was taken all the same: each revocation list counts by itself, where nothing but
            lists has changed.
    """

    time: float
    trigger: str
    problem: BaseException | None = None
    changed: tuple[str, ...] = ()
    others: tuple[BaseException, ...] = ()
    isPartial: bool = False

    @property
    def isTaken(self) -> bool:
        """Whether the new configuration is in use, all of it."""
        return self.problem is None

    def __bool__(self) -> bool:
        """Return whether the new configuration is in use, all of it."""
        return self.isTaken

    def toJSON(self) -> dict[str, Any]:
        """Return the facts for JSON."""
        return {
            "time": self.time,
            "trigger": self.trigger,
            "taken": self.isTaken,
            "problem": None if self.problem is None else _problemJSON(self.problem),
            "others": [_problemJSON(each) for each in self.others],
            "changed": list(self.changed),
        }


def _problemJSON(problem: BaseException) -> dict[str, Any]:
    return problem.toJSON() if isinstance(problem, TLSFailure) else {"message": str(problem)}
