"""What `tlscomm explain` says of other programs' sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any

from tlscomm.commandline._logged import FailureCounts, failureIn
from tlscomm.commandline._printing import Row, heading, say, table
from tlscomm.failures import CODES, TLSFailure

if TYPE_CHECKING:
    from tlscomm.errortexts import ErrorText, Finding

__all__ = ["Lines", "asObject", "linesOf", "sayFindings"]

_LONGEST_LINE = 1 << 20

_SIDES = {
    "local": "the program that printed it refused its peer, or could not go on",
    "remote": "the peer refused the program that printed it",
    "either": "it does not say which side decided",
}


class Lines:
    """The lines of a log: our own failures are taken out, and the rest can be looked through for other programs' words.

    Attributes:
        ours: how often each failure came that lines of ours told of, as far as the lines were read.
    """

    def __init__(self, source: Iterable[str]) -> None:
        self.ours = FailureCounts()
        self._source = source

    def __iter__(self) -> Iterator[str]:
        for line in self._source:
            found = failureIn(line)
            if found is None:
                yield line
            else:
                self.ours.add(found)
                # It keeps its number.
                yield ""


def linesOf(stream: IO[bytes]) -> Iterator[str]:
    """Give the lines of a stream, which may be of any length and hold any bytes; a very long one comes in pieces."""
    return (line.decode("utf-8", "replace") for line in iter(lambda: stream.readline(_LONGEST_LINE), b""))


def asObject(finding: Finding) -> dict[str, Any]:
    """Return what is known of a sentence, for JSON."""
    text = finding.text
    return {
        "sentence": text.sentence,
        "programs": list(text.programs),
        "side": text.side,
        "causes": [{"code": code, "message": _message(CODES[code])} for code in text.causes],
        "apart": text.apart,
        "command": text.command,
        "seen": text.seen,
        "isVague": text.isVague,
        "count": finding.count,
        "line": finding.line,
        "example": finding.example,
    }


def sayFindings(findings: Iterable[Finding]) -> None:
    """Print what each sentence can mean."""
    for each in findings:
        say(heading(each.text.sentence), table(_rows(each)), "")
    say("tlscomm explain CODE says more about one of them.")


def _rows(finding: Finding) -> Iterator[Row]:
    text = finding.text
    if finding.count > 1:
        yield "How often", f"{finding.count} times, first in line {finding.line}"
    elif finding.line > 1:
        yield "Where", f"line {finding.line}"
    yield "It said", finding.example
    yield "Printed by", _programs(text)
    yield "Whose decision", _SIDES[text.side]
    causes = "\n".join(f"{code}: {_message(CODES[code])}" for code in text.causes)
    yield ("It means" if len(text.causes) == 1 else "It can mean"), causes
    yield ("Look at" if len(text.causes) == 1 else "Told apart by"), text.apart
    yield "Command", text.command


def _programs(text: ErrorText) -> str:
    seen = {"not run": "", "other people's reports": " (as other people report)"}
    return ", ".join(text.programs) + seen.get(text.seen, f" (wording of: {text.seen})")


def _message(failure: type[TLSFailure]) -> str:
    return failure.summary.format(whose="the certificate", owner="the")
