"""Exceptions of others in a log: all that they say on lines that are theirs, and nothing that a terminal would obey.

A hook, a rule or a protocol may put what a stranger wrote into the text of an exception, and Twisted writes that text
as it is, line breaks and escape sequences included. So a log could be made to show what never happened.
"""

from __future__ import annotations

from io import StringIO
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.reflect import safe_str

from tlscomm.failures._failure import printable

__all__ = ["logFailure"]

#: Characters of what an exception says, and of each line of its traceback.
_LONGEST = 1000


def logFailure(log: Logger, about: str, failure: Failure | None = None, **facts: Any) -> None:
    """Log an exception with its traceback, printable.

    Args:
        log: where.
        about: what failed, as a format of `facts`.
        failure: the exception; the one that is handled now where None.
        facts: as in ``Logger.failure``.
    """
    broken = Failure() if failure is None else failure
    shown = _Printable(broken.value, broken.type, broken.getTracebackObject())  # type: ignore[no-untyped-call]
    log.failure(about, shown, **facts)


class _Printable(Failure):
    """A failure whose texts are printable."""

    def printTraceback(self, file: Any = None, elideFrameworkCode: Any = False, detail: str = "default") -> None:
        if file is None:
            super().printTraceback(file, elideFrameworkCode, detail)  # type: ignore[no-untyped-call]
            return
        written = StringIO()
        super().printTraceback(written, elideFrameworkCode, detail)  # type: ignore[no-untyped-call]
        text, said = written.getvalue(), safe_str(self.value)
        if said:
            text = text.replace(said, printable(said, _LONGEST))
        file.write("\n".join(printable(line, _LONGEST) for line in text.split("\n")))

    def getErrorMessage(self) -> str:
        return printable(super().getErrorMessage(), _LONGEST)
