"""What one process is to serve, as it was said, before a file is read or a port opened.

Command lines and configuration files end in the same plan. Whether a setting is the whole process's or a listener's is
in the table of settings (`Setting.isProcessWide`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tlscomm._dataclasses import dataclass
from tlscomm.configuration._settings import settingsOn
from tlscomm.configuration._settingtypes import Interface

__all__ = ["ONLY_LISTENER", "PROCESS_WIDE", "ListenerPlan", "Origin", "ServerPlan", "planFromOptions"]

ONLY_LISTENER = "default"
"""What the listener is called that the options of a command line describe."""

PROCESS_WIDE = frozenset(each.name for each in settingsOn(Interface.TWISTD) if each.isProcessWide)
"""The names of the settings that are the whole process's."""


@dataclass(frozen=True)
class Origin:
    """Where something was said.

    Attributes:
        file: the configuration file, as it was named; empty for the command line.
        line: counted from 1; 0 where the whole file is meant.
        column: counted from 1; 0 where the whole line is meant.
    """

    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        numbers = (str(number) for number in (self.line, self.column) if number)
        return ":".join((self.file, *numbers)) if self.file else "the command line"


@dataclass(frozen=True)
class ListenerPlan:
    """What is served with one configuration, on one or more ports.

    Attributes:
        name: what it is called in logs, metrics and the status; no other listener has it.
        settings: those of a listener, by name, parsed, with their defaults.
        origin: where the listener itself was.
        origins: where each of them was said, by name, and of several values each, after the place of them all; what
            was not said is not among them.
    """

    name: str
    settings: Mapping[str, Any]
    origin: Origin = Origin()
    origins: Mapping[str, tuple[Origin, ...]] = field(default_factory=dict)

    def originOf(self, name: str, number: int = -1) -> Origin:
        """Return where a setting was said, or one of its values; the listener's place where it was not."""
        said = self.origins.get(name, (self.origin,))
        return said[number + 1] if number + 1 < len(said) else said[0]


@dataclass(frozen=True)
class ServerPlan:
    """What one process is to serve.

    Attributes:
        settings: those of the whole process, by name, parsed, with their defaults.
        listeners: at least one.
        origins: where each of the settings was said, as a listener has them.
        files: the configuration files, absolute, and the folders in which more of them may come.
    """

    settings: Mapping[str, Any]
    listeners: tuple[ListenerPlan, ...]
    origins: Mapping[str, tuple[Origin, ...]] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    def originOf(self, name: str) -> Origin:
        """Return where a setting was said."""
        return self.origins.get(name, (Origin(),))[0]


def planFromOptions(settings: Mapping[str, Any]) -> ServerPlan:
    """Return the plan of a server with one listener.

    Args:
        settings: those of `Interface.TWISTD`, by name.
    """
    ofListener = {name: value for name, value in settings.items() if name not in PROCESS_WIDE}
    ofProcess = {name: value for name, value in settings.items() if name in PROCESS_WIDE}
    return ServerPlan(ofProcess, (ListenerPlan(ONLY_LISTENER, ofListener),))
