"""What an operator wants to know of a configuration before a server is started with it, or reads it again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tlscomm._dataclasses import dataclass
from tlscomm.configuration import ServerConfiguration
from tlscomm.configuration._expiries import Expiry, expiriesOf
from tlscomm.failures import PassphraseRequired, TLSFailure
from tlscomm.limits._admission import MOST_AWAITED
from tlscomm.operation._operation import SITES
from tlscomm.plans._plan import ListenerPlan, ServerPlan
from tlscomm.plans._planproblems import ConfigurationProblems, PlanProblem
from tlscomm.relaying import Forwarding
from tlscomm.server._configuring import Configuring
from tlscomm.server._placechecking import PlaceReport, reportOn
from tlscomm.server._planchecking import failedAttempts, problemsIn, processProblems
from tlscomm.serving._service import OTHER_FILES

try:
    import resource
except ImportError:  # Windows has no such limit.
    resource = None  # type: ignore[assignment]

__all__ = ["CheckedListener", "CheckedPlan", "check", "toJSON"]

_DAY = 86_400.0


@dataclass(frozen=True)
class CheckedListener:
    """What was found out of one listener.

    Attributes:
        name: its name.
        places: each place to listen as it was said, and whether it could be opened.
        configuration: None where it cannot be made.
    """

    name: str
    places: tuple[tuple[str, PlaceReport], ...]
    configuration: ServerConfiguration | None


@dataclass(frozen=True)
class CheckedPlan:
    """What was found out of a plan.

    Attributes:
        problems: why a server could not be started.
        listeners: what was found out of each.
        sites: the places of metrics, status and health, in the same way.
        warnings: sentences about what is no reason to refuse it.
    """

    problems: tuple[PlanProblem, ...]
    listeners: tuple[CheckedListener, ...] = ()
    sites: tuple[tuple[str, PlaceReport], ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def blocked(self) -> bool:
        """Whether a place cannot be opened."""
        return any(report.isProblem for _, report in self.places)

    @property
    def places(self) -> Iterator[tuple[str, PlaceReport]]:
        """All places to listen."""
        for listener in self.listeners:
            yield from listener.places
        yield from self.sites

    def expiries(self) -> list[tuple[Expiry, tuple[str, ...]]]:
        """Return what expires when, the next first, each with the names of the listeners that rest on it."""
        found: dict[Expiry, list[str]] = {}
        for listener in self.listeners:
            for expiry in () if listener.configuration is None else expiriesOf(listener.configuration):
                found.setdefault(expiry, []).append(listener.name)
        rows = [(expiry, tuple(names)) for expiry, names in found.items() if expiry.at is not None]
        return sorted(rows, key=lambda row: row[0].secondsLeft(0) or 0.0)

    def expiring(self, now: float, days: float) -> list[Expiry]:
        """Return what expires soon: a certificate within so many days, a revocation list within one of them.

        Args:
            now: in seconds since 1970.
            days: before a certificate expires.
        """
        limits = {"list": min(days, 1.0) * _DAY}
        rows = (each for each, _ in self.expiries())
        return [each for each in rows if (each.secondsLeft(now) or 0.0) < limits.get(each.kind, days * _DAY)]


def check(plan: ServerPlan | None, problems: Sequence[PlanProblem]) -> CheckedPlan:
    """Find out all that can be without a start: nothing is served, nothing is asked over the network, no file changes.

    The modules of applications and hooks are imported. A person at the terminal is asked for pass phrases, as at a
    start, unless the plan is wrong anyway.

    Args:
        plan: as far as it could be read.
        problems: what was wrong with that.
    """
    if plan is None:
        return CheckedPlan(ConfigurationProblems(problems).problems)
    configuring = Configuring()
    found = list(problems)
    listeners = [_checked(listener, plan, configuring, found, isSilent=bool(problems)) for listener in plan.listeners]
    found += processProblems(plan)
    sites = {place for name in SITES if isinstance(place := plan.settings.get(name), str)}
    return CheckedPlan(
        ConfigurationProblems(found).problems,
        tuple(listeners),
        tuple((place, _report(place, plan)) for place in sorted(sites)),
        tuple(_limitWarnings(plan)),
    )


def _checked(
    listener: ListenerPlan, plan: ServerPlan, configuring: Configuring, found: list[PlanProblem], *, isSilent: bool
) -> CheckedListener:
    configuration = None
    places = tuple((place, _report(place, plan)) for place in listener.settings["listen"])
    if listener.settings["identity"]:
        try:
            make = configuring.again if isSilent else configuring.first
            configuration = make(listener.settings)
        except (TLSFailure, ValueError):
            pass
        told = {each.origin for each in found}
        # What was said wrong is told, and what follows from that is not.
        new = (failedAttempts if isSilent else problemsIn)(listener, configuring)
        found += [each for each in new if each.origin not in told and not (isSilent and _isUnasked(each))]
    return CheckedListener(listener.name, places, configuration)


def _isUnasked(problem: PlanProblem) -> bool:
    return isinstance(problem.failure, PassphraseRequired)


def _report(place: str, plan: ServerPlan) -> PlaceReport:
    return reportOn(place, reusePort=bool(plan.settings.get("reusePort")))


def _limitWarnings(plan: ServerPlan) -> Iterator[str]:
    most = plan.settings.get("maximumConnections")
    if resource is None or most is None:  # type: ignore[redundant-expr]
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    each = Forwarding.filesPerConnection if any(listener.settings["forward"] for listener in plan.listeners) else 1
    awaited = MOST_AWAITED if any(listener.settings["proxyFrom"] for listener in plan.listeners) else 0
    wanted = each * most + OTHER_FILES + awaited
    if hard != resource.RLIM_INFINITY and hard < wanted:
        yield (
            f"{most} connections may need {wanted} open files, and a process that is started here may have {hard}: "
            "raise that limit (LimitNOFILE= of a systemd unit), or lower maximumConnections"
        )


def toJSON(checked: CheckedPlan, now: float) -> dict[str, Any]:
    """Return the facts for JSON.

    Args:
        checked: what was found out.
        now: in seconds since 1970.
    """
    return {
        "problems": [each.toJSON() for each in checked.problems],
        "warnings": list(checked.warnings),
        "listeners": [
            {
                "name": each.name,
                "places": [{"place": place, **report.toJSON()} for place, report in each.places],
            }
            for each in checked.listeners
        ],
        "sites": [{"place": place, **report.toJSON()} for place, report in checked.sites],
        "expiries": [
            {**each.toJSON(), "daysLeft": round((each.secondsLeft(now) or 0.0) / _DAY, 1), "listeners": list(names)}
            for each, names in checked.expiries()
        ],
    }
