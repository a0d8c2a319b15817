"""``tlscomm explain``: the catalogue of failures, where it is needed.

A user who has a code in a log line has a terminal, and perhaps no browser. The text is that of `tlscomm.failures` and
`tlscomm.failures`, so it cannot differ from what the exception says.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from inspect import getdoc
from typing import TYPE_CHECKING

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

__all__ = ["Entry", "catalogue", "command", "entryFor"]


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
@click.argument("what", metavar="[CODE|LINE|FILE|-]", required=False, shell_complete=completeCodes)
@outputOptions
def command(what: str | None, asJSON: bool) -> None:
    """Say what a failure CODE means, how to make it happen and what to do; without CODE, list them all.

    In the place of CODE, LINE is one of a server's log, as JSON or as text, or what tlscomm connect --json prints. FILE
    has many of them, and - takes them from standard input.
    """
    if what is None:
        _showAll(asJSON)
    elif what in CODES:
        _show(entryFor(what), asJSON)
    elif what == "-":
        from tlscomm.commandline._logged import failuresIn

        _showLogged(failuresIn(sys.stdin), asJSON)
    elif os.path.isfile(what):
        _showFile(what, asJSON)
    else:
        _showLine(what, asJSON)


def _showLine(line: str, asJSON: bool) -> None:
    from tlscomm.commandline._logged import failureIn

    if (found := failureIn(line)) is None:
        raise click.BadParameter(_unknown(line), param_hint="CODE")
    _showLogged([found], asJSON)


def _showFile(name: str, asJSON: bool) -> None:
    from tlscomm.commandline._logged import failuresIn

    try:
        with open(name, encoding="utf-8", errors="replace") as lines:
            _showLogged(failuresIn(lines), asJSON)
    except OSError as problem:
        raise click.BadParameter(f"{printable(name)}: {problem.strerror}", param_hint="FILE") from None


def _showLogged(failures: Iterable[LoggedFailure], asJSON: bool) -> None:
    """Explain the failures that lines tell of, each cause once, by the latest line that has it."""
    latest: dict[tuple[str, str], LoggedFailure] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for each in failures:
        key = each.code, each.side
        latest[key] = each
        counts[key] += each.count
    found = [replace(latest[key], count=count) for key, count in counts.most_common()]
    if asJSON:
        writeJSON({"failures": [{**asdict(each), "entry": asdict(entryFor(each.code))} for each in found]})
        return
    if not found:
        raise click.ClickException("there is no failure in what was given")
    for each in found:
        say(heading(each.code), table((*_seen(each), *_rows(entryFor(each.code)))), "")


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
