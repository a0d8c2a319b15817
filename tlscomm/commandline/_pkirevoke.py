"""``tlscomm pki revoke`` and ``crl``: certificates that are taken back, and the list that says so."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from tlscomm.commandline._groupedhelp import GroupedCommand
from tlscomm.commandline._options import outputOptions
from tlscomm.commandline._pkioptions import NOT_PUBLIC, PLACE, answering, authorityOptions, namedAuthority
from tlscomm.commandline._printing import Command, Row, say, sayNote, table, writeJSON
from tlscomm.failures import printable
from tlscomm.failures._wording import timeText
from tlscomm.issuing._choices import LIST_DAYS, MOST_LIST_DAYS, REASONS

if TYPE_CHECKING:
    from tlscomm.issuing._revoking import Revocations

__all__ = ["crl", "revoke"]

_REASON = f"Why (RFC 5280): {', '.join(REASONS)}."

F = Callable[..., None]


def _daysOption(function: F) -> F:
    return click.option(
        "--days",
        type=click.FloatRange(min=0, min_open=True, max=MOST_LIST_DAYS),
        metavar="DAYS",
        default=LIST_DAYS,
        show_default=True,
        help="How long the list is valid; not longer than the authority.",
    )(function)


@click.command("revoke", cls=GroupedCommand, epilog=NOT_PUBLIC)
@click.argument("targets", nargs=-1, required=True, metavar="NAME|FILE|SERIAL…")
@click.option("--reason", type=click.Choice(REASONS, case_sensitive=False), metavar="REASON", help=_REASON)
@click.option("--release", "isRelease", is_flag=True, help="Take it off the list; only after certificateHold.")
@_daysOption
@authorityOptions
@outputOptions
def revoke(
    *, targets: Sequence[str], reason: str | None, isRelease: bool, days: float, asJSON: bool, **words: Any
) -> None:
    """Revoke certificates, and write the authority's list with them at once.

    NAME is what one was issued with, and stands for all that were issued with it and have not expired; FILE has the
    certificate, and SERIAL is its number in hexadecimal: each stands for that one. Servers and clients that read the
    list (--crl) refuse it from then on.
    """
    from tlscomm.issuing import _revoking

    if isRelease and reason:
        raise click.UsageError("--release takes it off the list, and --reason puts it on it")
    with answering(asJSON=asJSON):
        files = namedAuthority(*(words[each] for each in PLACE))
        now = datetime.now(timezone.utc)
        if isRelease:
            made = _revoking.release(files, targets, now, days)
        else:
            made = _revoking.revoke(files, targets, reason or "", now, days=days)
        _tell(made, "released" if isRelease else "revoked", asJSON=asJSON)
        if isRelease and made.already and not made.changed:
            click.get_current_context().exit(1)


@click.command("crl", cls=GroupedCommand, epilog=NOT_PUBLIC)
@_daysOption
@authorityOptions
@outputOptions
def crl(*, days: float, asJSON: bool, **words: Any) -> None:
    """Write the authority's list of revoked certificates once more, before the one of before expires.

    An expired list makes peers that read it refuse everybody: write it by a timer, twice as often as it has to be.
    """
    from tlscomm.issuing._revoking import renewList

    with answering(asJSON=asJSON):
        files = namedAuthority(*(words[each] for each in PLACE))
        _tell(renewList(files, datetime.now(timezone.utc), days), "written", asJSON=asJSON)


def _tell(made: Revocations, outcome: str, *, asJSON: bool) -> None:
    if asJSON:
        writeJSON(
            {
                "outcome": outcome,
                "file": str(made.path),
                "number": made.number,
                "nextUpdate": timeText(made.nextUpdate),
                "revoked": made.revoked,
                "changed": [each.toJSON() for each in made.changed],
                "unchanged": [each.toJSON() for each in made.already],
                "failure": None,
            }
        )
        return
    for each in made.changed:
        say(f"{outcome.capitalize()} {_titleOf(each)}.")
    for each in made.already:
        sayNote(
            f"{_titleOf(each)} was revoked before, {each.reason or 'without a reason'}; nothing has changed for it"
            if outcome == "revoked"
            else f"{_titleOf(each)} is not on hold; nothing has changed for it"
        )
    say(table(_rows(made)))
    if outcome != "written":
        path = shlex.quote(str(made.path))
        say(
            "",
            "Servers and clients that read it take the new one by themselves. Have the others read it:",
            Command(f"twistd -n tlscomm … --crl {path}"),
        )


def _rows(made: Revocations) -> Iterator[Row]:
    yield "List", f"{made.path}, number {made.number}, {made.revoked} revoked"
    yield "Next update", f"{timeText(made.nextUpdate)}; before that: tlscomm pki crl"


def _titleOf(each: Any) -> str:
    name = printable(each.name) or "a certificate that the record does not have"
    return f"{name} ({each.serial:x})"
