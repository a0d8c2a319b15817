"""What was set, as it may be shown to an operator.

No setting takes a pass phrase or a key: they are named by their files and variables, and those names are shown. What is
shown is text, numbers, yes and no, and lists of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tlscomm.failures import printable
from tlscomm.plans._plan import ServerPlan

__all__ = ["shownSettings"]

#: What the settings of the whole process are under. No listener is called so.
_PROCESS = "the whole process"

#: Characters of one value.
_LONGEST = 500


def shownSettings(plan: ServerPlan) -> dict[str, dict[str, Any]]:
    """Return what was set, or holds where it was not, for JSON: of the process, and of each listener by its name.

    Args:
        plan: what is served.
    """
    process = {_PROCESS: _shown(plan.settings)}
    return {**process, **{each.name: _shown(each.settings) for each in plan.listeners}}


def _shown(settings: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: _value(value) for name, value in settings.items() if value not in (None, (), [])}
    # Its arguments may have a token among them.
    return {name: value.split()[0] if name == "renewCommand" else value for name, value in shown.items()}


def _value(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, tuple | list):
        return [_value(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): _value(each) for name, each in value.items()}
    # Of a rule and of a pin this is how they are written.
    return printable(str(value), _LONGEST)
