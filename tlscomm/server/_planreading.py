"""A running server's plan, read again: what it now is, and which files say so."""

from __future__ import annotations

from collections.abc import Callable

from tlscomm.configuration import ServerConfiguration
from tlscomm.configuration._fromsettings import sourcesIn
from tlscomm.limits import Limits
from tlscomm.plans._plan import ServerPlan
from tlscomm.plans._planproblems import ConfigurationProblems
from tlscomm.server._configuring import Configuring
from tlscomm.server._planchecking import madeOf, restartNeeded
from tlscomm.watching._watchedfiles import Sources

__all__ = ["PlanReading"]


class PlanReading:
    """Reads the plan of a running server again. All of it may be called in any thread, one at a time.

    Attributes:
        plan: the one in use.
    """

    def __init__(self, plan: ServerPlan, read: Callable[[], ServerPlan] | None, configuring: Configuring) -> None:
        """
        Args:
            plan: what the server was started with.
            read: returns the plan as it is now; None where it stays as it is.
            configuring: makes the configurations.
        """
        self.plan = plan
        self._started = plan
        # Its files are watched even if it cannot be used: it is mended in one of them.
        self._latest = plan
        self._read = read
        self._configuring = configuring

    def configurations(self) -> list[ServerConfiguration]:
        """Return the configurations of the listeners as they are now, in the order in which the server has them.

        Raises:
            ConfigurationProblems: they cannot be used, or not by a server that runs; it tells all that is wrong.
            TLSFailure, ValueError: the one of a command line cannot be used.
        """
        if self._read is not None:
            self._latest = self._read()
        needed = restartNeeded(self._started, self._latest)
        # What cannot be a limit is found out here, as everything else that cannot be used.
        Limits.fromSettings(self._latest.settings)
        try:
            made = madeOf(self._latest, self._configuring, self._configuring.again, isRunning=True)
        except ConfigurationProblems as others:
            raise ConfigurationProblems([*needed, *others.problems]) from None
        if needed:
            raise ConfigurationProblems(needed)
        # They may have changed places in the files.
        byName = dict(zip((each.name for each in self._latest.listeners), made, strict=True))
        return [byName[each.name] for each in self._started.listeners]

    def take(self) -> Limits:
        """What was read last is used from now on; return its limits."""
        self.plan = self._latest
        return Limits.fromSettings(self.plan.settings)

    def sources(self) -> Sources:
        """Return the files that all of it is read from, as they are named now."""
        named = sourcesIn(*(self._configuring.given(each.settings) for each in self._latest.listeners))
        return Sources((*self._latest.files, *named.files), named.lists)
