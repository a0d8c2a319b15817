"""``tlscomm explain``: the catalogue of failures, where it is needed.

A user who has a code in a log line has a terminal, and perhaps no browser. The text is that of
`tlscomm.failures`, so it cannot differ from what the exception says.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from inspect import getdoc
from typing import IO, TYPE_CHECKING

import click

from tlscomm._dataclasses import dataclass
from tlscomm.commandline._completing import completeCodes
from tlscomm.commandline._groupedhelp import GroupedCommand
from tlscomm.commandline._options import outputOptions
from tlscomm.commandline._printing import Row, heading, say, table, writeJSON
from tlscomm.failures import (
    CODES,
    Alert,
    CertificateFailure,
    Refused,
    TLSFailure,
    alertForCode,
    codeForAlert,
    printable,
)
from tlscomm.failures._alerts import CLOSE_NOTIFY

if TYPE_CHECKING:
    from tlscomm.commandline._logged import LoggedFailure
    from tlscomm.errortexts import Finding

__all__ = ["Entry", "catalogue", "command", "entryFor"]

_NEXT = (
    "tlscomm probe HOST:PORT shows what a server presents and demands, tlscomm connect HOST:PORT names what is wrong, "
    "and tlscomm explain lists every code"
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What there is to know about one failure before it happens.

    Attributes:
        code: its name.
        group: what kind of failure it is: the class that its exception extends.
        exception: its exception.
        happened: what happened, for a person who reads about it.
        message: what happened, as its message begins.
        stage: where in the life of a connection it usually happens.
        permanent: whether an operator has to change something before another try can succeed.
        reproduce: how to make it happen.
        ours: what to do where our side is at fault, or the peer refused us.
        theirs: what to do where the peer is at fault.
        alerts: the TLS alerts that say it by themselves when the peer sends them. Some others say it together with what
            else is known of the connection.
        sent: the alert that a peer is sent whose certificate is refused for it, empty where none is.
    """

    code: str
    group: str
    exception: str
    happened: str
    message: str
    stage: str
    permanent: bool
    reproduce: str
    ours: str
    theirs: str
    alerts: tuple[str, ...]
    sent: str


def entryFor(code: str) -> Entry:
    """Return what there is to know about a code.

    Raises:
        KeyError: there is no such code.
    """
    failure = CODES[code]
    return Entry(
        code=code,
        group=_group(failure).__name__,
        exception=failure.__name__,
        happened=getdoc(failure) or "",
        message=failure.summary.format(whose="the certificate", owner="the"),
        stage=failure.usualStage,
        permanent=failure.permanent,
        reproduce=failure.reproduce,
        ours=failure.ours,
        theirs=failure.theirs,
        alerts=tuple(alert.name for alert in _alerts(code)),
        sent=_sent(failure),
    )


def catalogue() -> Iterator[tuple[type[TLSFailure], list[Entry]]]:
    """Give each group of failures with its entries, in the order of `tlscomm.failures.CODES`."""
    groups: dict[type[TLSFailure], list[Entry]] = {}
    for code, failure in CODES.items():
        groups.setdefault(_group(failure), []).append(entryFor(code))
    yield from groups.items()


@click.command("explain", cls=GroupedCommand)
@click.argument("what", metavar="[CODE|TEXT|FILE|-]", required=False, shell_complete=completeCodes)
@click.option("--file", "name", metavar="FILE", help="Look through FILE, a log of ours or of another program.")
@outputOptions
def command(what: str | None, name: str | None, asJSON: bool) -> None:
    """Say what a failure CODE means, or what another program's error TEXT can; without any, list the codes.

    TEXT is what OpenSSL, Python, Go, Java, .NET, GnuTLS, curl, nginx, HAProxy, stunnel and others print, with whatever
    stands around it, or a line of tlscomm's own log. FILE has many of them, and - takes them from standard input. The
    exit status is 1 where nothing in it is known.
    """
    if name is not None:
        if what is not None:
            raise click.UsageError("give either a text or --file, not both")
        _showFile(name, asJSON)
    elif what is None:
        _showAll(asJSON)
    elif what in CODES:
        _show(entryFor(what), asJSON)
    elif what == "-":
        from tlscomm.commandline._explained import linesOf

        _showLines(linesOf(sys.stdin.buffer), asJSON)
    elif os.path.isfile(what):
        _showFile(what, asJSON)
    else:
        _showText(what, asJSON)


def _showText(text: str, asJSON: bool) -> None:
    from tlscomm.commandline._logged import failureIn

    if (ours := failureIn(text)) is not None:
        _showLogged([ours], [], asJSON)
        return
    from tlscomm.errortexts import findingsIn

    if found := findingsIn(text):
        _showLogged([], found, asJSON)
    elif os.sep in text and not text.split()[1:]:
        raise click.BadParameter(f"{printable(text)}: there is no such file", param_hint="FILE")
    elif text.split()[1:]:
        raise click.ClickException(_unknownText(text))
    else:
        raise click.BadParameter(_unknown(text), param_hint="CODE")


def _showFile(name: str, asJSON: bool) -> None:
    from tlscomm.commandline._explained import linesOf

    with _opened(name) as stream:
        try:
            _showLines(linesOf(stream), asJSON)
        except BrokenPipeError:
            # Standard output's reader has gone, which is not the file's fault.
            raise
        except OSError as problem:
            raise click.BadParameter(f"{printable(name)}: {problem.strerror}", param_hint="FILE") from None


def _opened(name: str) -> IO[bytes]:
    try:
        return open(name, "rb")
    except OSError as problem:
        raise click.BadParameter(f"{printable(name)}: {problem.strerror}", param_hint="FILE") from None


def _showLines(source: Iterable[str], asJSON: bool) -> None:
    from tlscomm.commandline._explained import Lines
    from tlscomm.errortexts import findingsInLines

    lines = Lines(source)
    found = findingsInLines(lines)
    _showLogged(lines.ours.all(), found, asJSON)


def _showLogged(found: list[LoggedFailure], findings: list[Finding], asJSON: bool) -> None:
    """Explain the failures that lines of ours tell of, each cause once, and then the sentences of other programs."""
    if asJSON:
        from tlscomm.commandline._explained import asObject

        known = [{**asdict(each), "entry": asdict(entryFor(each.code))} for each in found]
        writeJSON({"failures": known, "texts": [asObject(each) for each in findings]})
        return
    if not found and not findings:
        raise click.ClickException(f"there is no failure in what was given, and no sentence that is known; {_NEXT}")
    for each in found:
        say(heading(each.code), table((*_seen(each), *_rows(entryFor(each.code)))), "")
    if findings:
        from tlscomm.commandline._explained import sayFindings

        sayFindings(findings)


def _seen(failure: LoggedFailure) -> Iterator[Row]:
    """Give what is known of this very case."""
    if failure.count > 1:
        yield "How often", f"{failure.count} times; the latest one follows"
    rows = {
        "When": failure.time,
        "Connection": failure.connection,
        "From": failure.peer,
        "Certificate": failure.certificate,
        "Limit": failure.limit,
        "Whose decision": {"local": "ours", "remote": "the peer's"}.get(failure.side, ""),
        "It said": failure.message,
        "Next step": failure.nextStep,
    }
    yield from ((name, text) for name, text in rows.items() if text)


def _showAll(asJSON: bool) -> None:
    if asJSON:
        writeJSON({"codes": [asdict(entry) for _, entries in catalogue() for entry in entries]})
        return
    for group, entries in catalogue():
        say(heading(f"{group.__name__}: {getdoc(group)}"), table((entry.code, entry.message) for entry in entries), "")
    say("tlscomm explain CODE says more about one of them.")


def _show(entry: Entry, asJSON: bool) -> None:
    if asJSON:
        writeJSON(asdict(entry))
    else:
        say(heading(entry.code), table(_rows(entry)))


def _rows(entry: Entry) -> Iterator[Row]:
    yield "What happened", entry.happened
    yield "Message", entry.message
    if entry.ours == entry.theirs:
        yield "What to do", entry.ours
    else:
        yield "If it is ours", entry.ours
        yield "If it is the peer's", entry.theirs
    yield "To reproduce", entry.reproduce
    yield "Stage", entry.stage
    yield "Permanent", "yes, an operator has to change something" if entry.permanent else "no, another try may succeed"
    yield "We hear", ", ".join(entry.alerts) or "none says this by itself"
    yield "We send", entry.sent or "no alert of its own"
    yield "Exception", f"tlscomm.failures.{entry.exception}, a {entry.group}"


def _alerts(code: str) -> Iterator[Alert]:
    for number in range(256):
        alert = Alert(number, "received")
        isNamed = alert.name != f"alert_{number}"
        if isNamed and number != CLOSE_NOTIFY and codeForAlert(number) == code:
            yield alert


def _sent(failure: type[TLSFailure]) -> str:
    # A refusal that does not say why is only ever the peer's.
    isOurs = issubclass(failure, CertificateFailure) and failure is not Refused
    return Alert(alertForCode(failure.code), "sent").name if isOurs else ""


def _group(failure: type[TLSFailure]) -> type[TLSFailure]:
    return next(base for base in failure.__bases__ if issubclass(base, TLSFailure))


def _unknown(code: str) -> str:
    from difflib import get_close_matches

    wanted = code.strip().lower().replace("_", "-")
    nearest = get_close_matches(wanted, CODES, n=3, cutoff=0.5)
    advice = f"the nearest are: {', '.join(nearest)}" if nearest else "tlscomm explain lists them all"
    return f"there is no code {code!r}; {advice}"


def _unknownText(text: str) -> str:
    from difflib import get_close_matches

    words = "-".join(text.lower().split()[:8])
    nearest = get_close_matches(words, CODES, n=3, cutoff=0.4)
    nearestCodes = f"; codes that read like it: {', '.join(nearest)}" if nearest else ""
    return f"this text is not known, so what it means is not known either{nearestCodes}; {_NEXT}"
