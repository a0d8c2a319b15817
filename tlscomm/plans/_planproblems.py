"""What is wrong with a plan: all of it at once, each with the place where it was said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tlscomm._dataclasses import dataclass
from tlscomm.failures import TLSFailure, printable
from tlscomm.plans._plan import Origin

__all__ = ["ConfigurationProblems", "PlanProblem"]

#: Of one sentence; an access rule that is quoted may be long.
_LONGEST = 1000
#: A file that is something else entirely has as many as it has lines.
_MOST = 100


@dataclass(frozen=True)
class PlanProblem:
    """One thing that is wrong with a plan.

    Attributes:
        origin: where it was said.
        message: what is wrong, in one sentence.
        nextStep: what to do about it; empty where the sentence says that.
        failure: the failure that it would be, where it is one.
        isMissing: whether something is missing that may stand in what could not be read.
    """

    origin: Origin
    message: str
    nextStep: str = ""
    failure: TLSFailure | None = None
    isMissing: bool = False

    def __str__(self) -> str:
        said = f"{self.origin}: {printable(self.message, _LONGEST)}"
        return f"{said.rstrip('.')}. Next step: {self.nextStep}" if self.nextStep else said

    @classmethod
    def of(cls, origin: Origin, problem: Exception) -> PlanProblem:
        """Return what an exception says of something that was said there."""
        if isinstance(problem, TLSFailure):
            return cls(origin, str(problem), problem.nextStep, problem)
        return cls(origin, str(problem))

    def toJSON(self) -> dict[str, Any]:
        """Return the facts for JSON."""
        return {
            "file": self.origin.file or None,
            "line": self.origin.line or None,
            "column": self.origin.column or None,
            "message": printable(self.message, _LONGEST),
            "nextStep": self.nextStep or None,
            "failure": None if self.failure is None else self.failure.toJSON(),
        }


class ConfigurationProblems(ValueError):
    """A configuration cannot be used.

    Attributes:
        problems: all that is wrong with it, each once, in the order of the files and of their lines.
    """

    def __init__(self, problems: Iterable[PlanProblem]) -> None:
        """
        Args:
            problems: at least one, those of each file after those of the files that include it.
        """
        found = tuple({(each.origin, each.message): each for each in problems}.values())
        files = list(dict.fromkeys(each.origin.file for each in found))
        self.problems = tuple(
            sorted(found, key=lambda each: (files.index(each.origin.file), each.origin.line, each.origin.column))
        )
        lines = [str(problem) for problem in self.problems[:_MOST]]
        if len(self.problems) > _MOST:
            lines.append(f"and {len(self.problems) - _MOST} more")
        super().__init__("\n".join(lines))

    @property
    def code(self) -> str:
        """That of the first failure among them; ``configuration`` where none is one."""
        return next((each.failure.code for each in self.problems if each.failure is not None), "configuration")

    @property
    def told(self) -> str:
        """The same for a person."""
        count = len(self.problems)
        return f"the configuration cannot be used, for {count} reason{'s' if count > 1 else ''}:\n{self}"
