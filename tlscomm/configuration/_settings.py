"""Every setting of a server and of a client, once.

The options of ``twistd tlscomm`` and of the ``tlscomm`` commands, the arguments of endpoint strings and the tables of
the documentation are made from this table, in its order. A new setting is one entry in one of its parts.
"""

from __future__ import annotations

from typing import Any

from tlscomm.configuration._connectionsettings import CONNECTIONS
from tlscomm.configuration._credentialsettings import CREDENTIALS
from tlscomm.configuration._limitsettings import LIMITS
from tlscomm.configuration._observationsettings import OBSERVATION
from tlscomm.configuration._operationsettings import OPERATION
from tlscomm.configuration._placesettings import PLACES
from tlscomm.configuration._settingtypes import STRINGS, Interface, Setting
from tlscomm.configuration._verificationsettings import VERIFICATION

__all__ = ["SETTINGS", "SETTING_GROUPS", "defaultsOn", "formerNamesOn", "settingsOn"]

#: The settings under the headings that explanations have for them.
SETTING_GROUPS: dict[str, tuple[Setting, ...]] = {
    "Place": PLACES,
    "Identity": CREDENTIALS,
    "Verification": VERIFICATION,
    "Connection": CONNECTIONS,
    "Limits": LIMITS,
    "Observation": OBSERVATION,
    "Operation": OPERATION,
}

SETTINGS: tuple[Setting, ...] = tuple(setting for settings in SETTING_GROUPS.values() for setting in settings)


def settingsOn(interface: Interface) -> tuple[Setting, ...]:
    """Return the settings of an interface, or of any of several, each as it is there."""
    return tuple(setting.on(interface & setting.interfaces) for setting in SETTINGS if interface & setting.interfaces)


def defaultsOn(interface: Interface) -> dict[str, Any]:
    """Return the values of what is not said, by name. What has no default is not among them."""
    settings = settingsOn(interface)
    found = {each.name: each.type.parse(each.default, each.name) for each in settings if _hasDefault(each)}
    return {**{each.name: each.default or () for each in settings if each.isRepeatable}, **found}


def _hasDefault(setting: Setting) -> bool:
    return setting.default is not None and not setting.isRepeatable


def formerNamesOn(interface: Interface) -> dict[str, str]:
    """Return how the interface spells what was spelled otherwise before, by the former spelling."""
    isString = interface in STRINGS
    return {
        former: each.spelled(interface)
        for each in settingsOn(interface)
        for former in each.formerly
        if former.endswith("=") == isString
    }
