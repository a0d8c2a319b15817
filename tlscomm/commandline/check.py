"""``tlscomm check``: would a server start with this configuration, for how long, and whom would it refuse?"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from tlscomm.commandline._groupedhelp import GroupedCommand
from tlscomm.commandline._options import outputOptions, settingOptions
from tlscomm.commandline._printing import Styled, heading, say, sayingWarnings, sayNote, table, writeJSON
from tlscomm.configuration._settings import settingsOn
from tlscomm.configuration._settingtypes import Interface
from tlscomm.failures import TLSFailure, printable

if TYPE_CHECKING:
    from tlscomm.plans._plan import ServerPlan
    from tlscomm.plans._planproblems import PlanProblem
    from tlscomm.server._checking import CheckedPlan
    from tlscomm.server._peerchecking import JudgedPeer, PeerToJudge

__all__ = ["command"]

#: The exit status of a configuration that cannot be used, of one with something to see to, and of one that would refuse
#: peers. 2 is wrong usage.
_REFUSED, _WARNED, _SHUT_OUT = 1, 3, 4
_DAY = 86_400.0
#: Peers that are let in are counted beyond these.
_MOST_SHOWN = 20


@click.command("check", cls=GroupedCommand)
@click.argument("file", required=False, metavar="[FILE]")
@click.option(
    "--warn-days",
    "warnDays",
    type=click.FloatRange(0),
    default=30.0,
    show_default=True,
    metavar="DAYS",
    help="Warn of certificates that expire within so many days, and of revocation lists within one.",
)
@click.option(
    "--against",
    metavar="PLACE",
    help="Say which peers of the running server would be refused, that are connected or were lately. PLACE is "
    "where its --status listens: 127.0.0.1:PORT, or the path of a Unix socket.",
)
@click.option(
    "--peers",
    metavar="PATH",
    help="Say which of these would be refused: a folder with a file for each peer's certificates, one such "
    "file, or /peers.json of a server in a file that ends in .json.",
)
@outputOptions
@settingOptions(Interface.TWISTD)
def command(
    *, file: str | None, settings: dict[str, Any], warnDays: float, against: str | None, peers: str | None, asJSON: bool
) -> None:
    """Say what keeps a server from starting with a configuration, what expires when, and whom it would refuse.

    FILE is what `twistd tlscomm --configuration FILE` would read; the other options are those of twistd tlscomm. No
    server is started, no port stays open, and nothing is asked over the network.

    The exit status is 0 where all is well; 1 where the server would not start; 4 where it would refuse a peer of
    --against or --peers; 3 where something expires soon or is to be seen to; 2 for wrong usage.
    """
    if file is not None and "configuration" in settings and _isGiven("configuration"):
        raise click.UsageError("FILE and --configuration say the same: leave out one of them")
    path = file if file is not None else settings.get("configuration")
    from tlscomm.server._checking import check, toJSON

    plan, problems = _plan(path, settings)
    with sayingWarnings():
        checked = check(plan, problems)
        judged = _judged(checked, against, peers)
    now = time.time()
    if asJSON:
        writeJSON(
            {
                "outcome": _OUTCOMES[_status(checked, judged, now, warnDays)],
                **toJSON(checked, now),
                "peers": None if judged is None else [each.toJSON() for each in judged],
            }
        )
    else:
        _say(checked, judged, now, warnDays)
    click.get_current_context().exit(_status(checked, judged, now, warnDays))


_OUTCOMES = {0: "usable", _REFUSED: "refused", _WARNED: "warned", _SHUT_OUT: "peers-refused"}


def _plan(path: str | None, settings: dict[str, Any]) -> tuple[ServerPlan | None, list[PlanProblem]]:
    given = {each.name for each in settingsOn(Interface.TWISTD) if _isGiven(each.name)}
    if path is not None:
        from tlscomm.plans._planfromfiles import planWithProblems

        options = {name: _asOption(settings[name]) for name in given - {"configuration"}}
        return planWithProblems(path, options)
    if "identity" not in given:
        raise click.UsageError("name a configuration FILE, or at least --identity; see tlscomm check --help")
    from tlscomm.plans._plan import planFromOptions

    return planFromOptions({name: _asOption(value) for name, value in settings.items()}), []


def _isGiven(name: str) -> bool:
    return click.get_current_context().get_parameter_source(name) is not ParameterSource.DEFAULT


def _asOption(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _judged(checked: CheckedPlan, against: str | None, path: str | None) -> list[JudgedPeer] | None:
    if against is None and path is None:
        return None
    from tlscomm.server._peerchecking import judged, peersFromFiles, peersOfServer

    peers: list[PeerToJudge] = []
    leftOut = 0
    try:
        if against is not None:
            peers, leftOut = peersOfServer(against)
        if path is not None:
            named, more = peersFromFiles(path)
            peers, leftOut = [*peers, *named], leftOut + more
    except (TLSFailure, ValueError) as problem:
        raise click.ClickException(str(problem)) from None
    usable = {each.name: each.configuration for each in checked.listeners if each.configuration is not None}
    if leftOut:
        sayNote(f"{leftOut} peers of the server are not among those that it tells of, because they are too many")
    # A server that would not start would not refuse a peer either.
    return list(judged(peers, usable)) if len(usable) == len(checked.listeners) else None


def _status(checked: CheckedPlan, judged: Sequence[JudgedPeer] | None, now: float, warnDays: float) -> int:
    if checked.problems or checked.blocked:
        return _REFUSED
    if any(not each.isLetIn for each in judged or ()):
        return _SHUT_OUT
    return _WARNED if checked.warnings or checked.expiring(now, warnDays) else 0


def _say(checked: CheckedPlan, judged: Sequence[JudgedPeer] | None, now: float, warnDays: float) -> None:
    for problem in checked.problems:
        code = "" if problem.failure is None else problem.failure.code
        say(
            Styled(
                (str(problem.origin), "bold"), ": ", *_marked(str(problem).removeprefix(f"{problem.origin}: "), code)
            )
        )
    for warning in checked.warnings:
        say(Styled(("Warning", "yellow"), f": {warning}"))
    places = list(checked.places)
    if places:
        say(heading("Places to listen"), table((printable(place), _placeText(report)) for place, report in places))
    if rows := checked.expiries():
        soon = checked.expiring(now, warnDays)
        say(
            heading("Expires"),
            table((_daysText(each, now), _expiryText(each, names, each in soon)) for each, names in rows),
        )
    if judged is not None:
        _sayPeers(judged)
    verdict = {
        0: "All is well.",
        _REFUSED: "A server would not start.",
        _WARNED: "A server would start; see above.",
        _SHUT_OUT: "A server would start, and refuse peers.",
    }
    say(verdict[_status(checked, judged, now, warnDays)])


def _marked(text: str, code: str) -> list[str | tuple[str, str]]:
    return [(code, "bold red"), text.removeprefix(code)] if code and text.startswith(code) else [text]


def _placeText(report: Any) -> Styled:
    style = "red" if report.isProblem else "green" if report.state == "free" else "yellow"
    words = {"in-use": "in use", "unknown": "not known"}
    note = ", which may be the server that is to read this" if report.isOurs else ""
    return Styled((words.get(report.state, report.state), style), f", {report.detail}{note}" if report.detail else "")


def _daysText(expiry: Any, now: float) -> str:
    return f"{(expiry.secondsLeft(now) or 0.0) / _DAY:.1f} days"


def _expiryText(expiry: Any, names: Iterable[str], isSoon: bool) -> Styled:
    at = expiry.at.strftime("%Y-%m-%d %H:%M UTC")
    text = f"{expiry.kind} {expiry.name} ({', '.join(printable(name) for name in names)})"
    return Styled((at, "yellow" if isSoon else ""), f"  {text}")


def _sayPeers(judged: Sequence[JudgedPeer]) -> None:
    refused = [each for each in judged if not each.isLetIn]
    say(heading(f"Peers: {len(judged) - len(refused)} would get in, {len(refused)} would be refused"))
    for each in refused[:_MOST_SHOWN]:
        connected = " (connected now)" if each.peer.isConnected else ""
        if each.failure is None:
            say(f"{each.peer.name}{connected}: its listener {printable(each.peer.listener or '')} is there no more")
            continue
        say(
            Styled(
                f"{each.peer.name}{connected}, at {printable(each.listener)}: ",
                (each.failure.code, "bold red"),
                f": {each.failure.message} Next step: {each.failure.nextStep}",
            )
        )
    if len(refused) > _MOST_SHOWN:
        say(f"and {len(refused) - _MOST_SHOWN} more; --json has all")
