"""The plan that configuration files describe, together with the options of the command line.

What is said nearest to a listener holds for it: the command line before the listener's own table, that before the top
level of the files, and that before the default.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from tlscomm._dataclasses import dataclass
from tlscomm.configuration._settings import defaultsOn, settingsOn
from tlscomm.configuration._settingtypes import Interface, Rate, Seconds, Setting, Text, Whole, YesNo
from tlscomm.failures import printable
from tlscomm.plans._configurationfile import ConfigurationFile, readFiles
from tlscomm.plans._listeningplaces import conflictsIn
from tlscomm.plans._plan import ONLY_LISTENER, ListenerPlan, Origin, ServerPlan
from tlscomm.plans._planproblems import ConfigurationProblems, PlanProblem
from tlscomm.store import isStoreSource

__all__ = ["planFromFile", "planWithProblems"]

_SETTINGS = {each.name: each for each in settingsOn(Interface.TWISTD) if each.name != "configuration"}
#: In the place of a value that is wrong, which is told already.
_WRONG: Any = object()

#: What else may stand in a file, and where.
_TOP_WORDS = ("include", "listener")
_LISTENER_WORDS = ("name",)

#: Settings that say more about another: where that is said anew, these do not come along from further away.
_GROUPS = {"identity": ("key",), "application": ("forward",), "forward": ("application",)}

#: Texts that name files, by what stands for their values, and those among them that are no files.
_PATHS = frozenset({"FILE", "FOLDER", "SOURCE", "PATH"})
_WORDS = frozenset({"system", "fetch"})

#: An endpoint string for a Unix socket whose path is relative.
_RELATIVE_SOCKET = re.compile(r"^((?:[^:=]*=)?unix:)(?:(?:address|path)=)?([^/].*)$")

_MOST_LISTENERS = 100
_LONGEST_NAME = 64


@dataclass(frozen=True)
class _Said:
    """A value, and where it was said: the whole, and each of several."""

    value: Any
    origins: tuple[Origin, ...] = (Origin(),)

    @property
    def origin(self) -> Origin:
        return self.origins[0]


_Values = Mapping[str, _Said]


def planFromFile(path: str, options: Mapping[str, Any], shown: str = "") -> ServerPlan:
    """Return the plan that a file describes.

    Args:
        path: of the file.
        options: what the command line says besides, by name, parsed.
        shown: what messages call the file; as the path where empty.

    Raises:
        ConfigurationProblems: it describes none.
    """
    plan, problems = planWithProblems(path, options, shown)
    if problems or plan is None:
        raise ConfigurationProblems(problems)
    return plan


def planWithProblems(
    path: str, options: Mapping[str, Any], shown: str = ""
) -> tuple[ServerPlan | None, list[PlanProblem]]:
    """Return the plan that a file describes as far as it does, and all that is wrong.

    Args:
        path: of the file.
        options: what the command line says besides, by name, parsed.
        shown: what messages call the file; as the path where empty.
    """
    files, problems = readFiles(path, shown or path)
    planning = _Planning({name: _Said(value) for name, value in options.items()})
    for file in files:
        planning.take(file)
    plan = planning.plan() if files else None
    isWhole = planning.isWhole and all(file.isWhole for file in files) and not problems
    found = [each for each in planning.problems if isWhole or not each.isMissing]
    order = {file.shown: number for number, file in enumerate(files)}
    return plan, sorted([*problems, *found], key=lambda each: order.get(each.origin.file, -1))


class _Planning:
    """Puts together what the files say."""

    def __init__(self, options: _Values) -> None:
        self.problems: list[PlanProblem] = []
        self.isWhole = True
        self._options = options
        self._top: dict[str, _Said] = {}
        self._listeners: list[tuple[dict[str, _Said], Origin]] = []
        self._first: Origin | None = None
        self._files: list[str] = []

    def take(self, file: ConfigurationFile) -> None:
        """Take what a file says."""
        self._first = self._first or file.origin()
        self._files += [file.path, *file.folders]
        top = {key: value for key, value in file.values.items() if key not in _TOP_WORDS}
        for name, said in self._values(file, top, ()).items():
            if (other := self._top.get(name)) is not None:
                self._refuse(said.origin, f"{name} is set already, at {other.origin}; a setting is set in one file")
            else:
                self._top[name] = said
        tables = file.values.get("listener", [])
        if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
            self._refuse(file.origin("listener"), "a listener is a table of its own: write [[listener]]")
            self.isWhole = False
            return
        for number, table in enumerate(tables):
            path = ("listener", number)
            self._listeners.append((self._values(file, table, path), file.origin(*path)))

    def plan(self) -> ServerPlan:
        """Return what all of them say, once they are taken."""
        ofProcess = {each.name for each in _SETTINGS.values() if each.isProcessWide}
        settings, origins = _resolved(ofProcess, (self._options, self._top))
        listeners = tuple(self._plans({each for each in _SETTINGS if each not in ofProcess}))
        plan = ServerPlan(settings, listeners, origins, tuple(self._files))
        for origin, message in conflictsIn(plan):
            self._refuse(origin, message)
        return plan

    def _plans(self, names: Iterable[str]) -> Iterator[ListenerPlan]:
        tables = self._listeners or [({}, self._first or Origin())]
        hasTables = bool(self._listeners)
        if len(tables) > _MOST_LISTENERS:
            self._refuse(tables[_MOST_LISTENERS][1], f"this is one listener too many; {_MOST_LISTENERS} is the most")
        if hasTables and "listen" in self._top:
            self._refuse(self._top["listen"].origin, "listen is a listener's: put it below its [[listener]]")
        if len(tables) > 1 and "listen" in self._options:
            self._refuse(Origin(), f"--listen is one listener's, and the configuration has {len(tables)}")
        taken: dict[str, Origin] = {}
        for said, origin in tables[:_MOST_LISTENERS]:
            yield self._listener(names, said, origin, hasTables, taken)

    def _listener(
        self, names: Iterable[str], said: _Values, origin: Origin, hasTable: bool, taken: dict[str, Origin]
    ) -> ListenerPlan:
        settings, origins = _resolved(names, (self._options, said, self._top))
        if hasTable and "listen" not in origins:
            self._miss(origin, 'this listener does not say where it listens: add listen = ["tcp:8443"]')
        if "identity" not in origins:
            self._miss(origin, 'no identity: add identity = ["server.pem"], the certificate with its chain and its key')
        for level in (said, self._top):
            if "forward" in level and "application" in level:
                self._refuse(level["forward"].origin, "a listener has an application, or it forwards; not both")
        places = settings["listen"]
        name = said["name"].value if "name" in said else str(places[0]) if hasTable and places else ONLY_LISTENER
        place = said["name"].origin if "name" in said else origin
        if name in taken:
            self._refuse(place, f"the listener {printable(name)} has the name of the one at {taken[name]}")
        taken.setdefault(name, place)
        return ListenerPlan(name, settings, origin, origins)

    def _values(
        self, file: ConfigurationFile, table: Mapping[str, Any], path: tuple[str | int, ...]
    ) -> dict[str, _Said]:
        found = {}
        for key, value in table.items():
            origin = file.origin(*path, key)
            if key == "name" and path:
                isName = isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable()
                if isName:
                    found[key] = _Said(value, (origin,))
                else:
                    self._refuse(origin, f"a name is a text of 1 to {_LONGEST_NAME} characters, not {value!r}")
            elif problem := _misplaced(key, isInListener=bool(path)):
                self._refuse(origin, problem)
            else:
                found[key] = self._parsed(file, _SETTINGS[key], value, (*path, key))
        return found

    def _parsed(self, file: ConfigurationFile, setting: Setting, value: Any, path: tuple[str | int, ...]) -> _Said:
        """Return the values that were meant, or `_WRONG` in their place where one of them is wrong."""
        isSeveral = setting.isRepeatable and isinstance(value, list)
        found: list[Any] = []
        origins = [file.origin(*path)]
        for number, each in enumerate(value if isSeveral else [value]):
            origins.append(file.origin(*path, number))
            try:
                found.append(_beside(file, setting, _parse(setting, each)))
            except ValueError as problem:
                self._refuse(origins[-1], str(problem))
                found.append(_WRONG)
        isRight = not any(each is _WRONG for each in found)
        return _Said((found if setting.isRepeatable else found[0]) if isRight else _WRONG, tuple(origins))

    def _refuse(self, origin: Origin, message: str) -> None:
        self.problems.append(PlanProblem(origin, message))

    def _miss(self, origin: Origin, message: str) -> None:
        self.problems.append(PlanProblem(origin, message, isMissing=True))


def _resolved(names: Iterable[str], levels: Iterable[_Values]) -> tuple[dict[str, Any], dict[str, tuple[Origin, ...]]]:
    """Return the values that hold, and where they were said.

    Args:
        names: of the settings.
        levels: what was said, the nearest first.
    """
    wanted = set(names)
    said: dict[str, _Said] = {}
    for level in levels:
        led = {follower for leader in said for follower in _GROUPS.get(leader, ())}
        said.update({name: each for name, each in level.items() if name in wanted - set(said) - led})
    defaults = {name: value for name, value in defaultsOn(Interface.TWISTD).items() if name in wanted}
    values = {name: list(value) if _SETTINGS[name].isRepeatable else value for name, value in defaults.items()}
    values.update({name: each.value for name, each in said.items() if each.value is not _WRONG})
    return values, {name: each.origins for name, each in said.items()}


def _misplaced(key: str, *, isInListener: bool) -> str:
    """Return why a key cannot stand where it does, and nothing where it can."""
    setting = _SETTINGS.get(key)
    if setting is None:
        if key in _TOP_WORDS and isInListener:
            return f"{key} stands at the top of a file, and not in a listener"
        if key == "name":
            return "a name is a listener's: put it below its [[listener]]"
        if key == "configuration":
            return "configuration is an option of the command line; a file names others with include"
        return f"there is no setting {printable(repr(key))}{_nearest(key, isInListener)}"
    if isInListener and setting.isProcessWide:
        return f"{key} is the whole process's: put it above the first [[listener]]"
    return ""


def _nearest(key: str, isInListener: bool) -> str:
    words = _LISTENER_WORDS if isInListener else _TOP_WORDS
    known = {_plain(name): name for name in (*_SETTINGS, *words)}
    known |= {_plain(former): each.name for each in _SETTINGS.values() for former in each.formerly}
    found = get_close_matches(_plain(key), known, n=1, cutoff=0.6)
    return f"; the nearest is {known[found[0]]}" if found else ""


def _plain(name: str) -> str:
    return name[:_LONGEST_NAME].replace("-", "").replace("_", "").rstrip("=").lower()


def _parse(setting: Setting, value: Any) -> Any:
    """Return what a value of a file means; TOML tells numbers and truth from texts, and so do files."""
    if isinstance(value, dict):
        raise ValueError(f"{setting.name} is no table")
    if isinstance(value, list):
        raise ValueError(f"{setting.name} is one value, not a list")
    if isinstance(setting.type, YesNo) and not isinstance(value, bool):
        raise ValueError(f"{setting.name} is true or false, not {printable(repr(value))}")
    if isinstance(setting.type, Seconds | Whole | Rate) and isinstance(value, str):
        raise ValueError(f"{setting.name} is a number, which stands without quotes, not {printable(repr(value))}")
    return setting.type.parse(value, setting.name)


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace(":", "\\:")


def _beside(file: ConfigurationFile, setting: Setting, value: Any) -> Any:
    """Return a value, with paths that are relative to the file's folder made absolute."""
    folder = os.path.dirname(file.path)
    if not isinstance(setting.type, Text) or not isinstance(value, str):
        return value
    if setting.type.metavar.endswith("ENDPOINT"):
        # Where to forward to may have the name of a host in front.
        return _RELATIVE_SOCKET.sub(lambda found: f"{found[1]}{os.path.join(_escaped(folder), found[2])}", value)
    isFile = setting.type.metavar in _PATHS and value not in _WORDS and not isStoreSource(value)
    return os.path.join(folder, value) if isFile else value
