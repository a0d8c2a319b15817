"""What can be set, where, and what a value may be.

A value that is wrong is refused in one sentence, whichever interface it came through; only the setting's name is
spelled in the interface's custom, ``--profile`` on a command line and ``profile=`` in an endpoint string.

Every program that looks up plugins imports this module: it imports neither OpenSSL nor cryptography nor the reactor.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import field, replace
from enum import Flag, auto
from typing import TYPE_CHECKING, Any

from tlscomm._dataclasses import dataclass

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

    from tlscomm.access import AccessRule
    from tlscomm.configuration._proxyplace import ProxyPlace
    from tlscomm.verification import Pin

__all__ = [
    "CLIENTS",
    "SERVERS",
    "STRINGS",
    "AccessRuleText",
    "CommandText",
    "GroupsText",
    "Interface",
    "NetworkText",
    "PinText",
    "PrefixLengths",
    "ProtocolsText",
    "ProxyText",
    "Rate",
    "Seconds",
    "Setting",
    "SettingType",
    "Text",
    "Whole",
    "Word",
    "YesNo",
]

#: More of anything cannot be counted on every machine.
_MOST = (1 << 31) - 1

#: Once in a quarter of an hour.
_LEAST_RATE = 0.001


class Interface(Flag):
    """Where a setting can be said."""

    TWISTD = auto()
    SERVER_STRING = auto()
    CLIENT_STRING = auto()
    CONNECT = auto()
    TUNNEL = auto()
    VERIFY = auto()
    INSPECT = auto()
    STORE_ADD = auto()
    STORE_EXPORT = auto()
    ANALYZE = auto()


SERVERS = Interface.TWISTD | Interface.SERVER_STRING
"""Where a server is described, whose peers are clients."""

CLIENTS = Interface.CLIENT_STRING | Interface.CONNECT | Interface.TUNNEL
"""Where a client is described, whose peers are servers."""

STRINGS = Interface.SERVER_STRING | Interface.CLIENT_STRING
"""Endpoint strings, in which a name stands once."""


class SettingType(ABC):
    """What the values of a setting may be.

    Attributes:
        metavar: what stands for a value in explanations.
    """

    metavar: str

    @abstractmethod
    def parse(self, value: object, name: str) -> Any:
        """Return the value that was meant.

        Args:
            value: a text, or what a configuration file has for it: a number, true or false.
            name: what to call the setting in the error.

        Raises:
            ValueError: it is none; the message is the one sentence that says so.
        """

    def parseSeveral(self, text: str, separator: str, name: str) -> tuple[Any, ...]:
        """Return the values in a text that holds several; it raises as `parse`."""
        return tuple(self.parse(part, name) for part in text.split(separator))


@dataclass(frozen=True)
class Text(SettingType):
    """The name of a file, of a function, or another text that only what uses it can judge."""

    metavar: str = "TEXT"
    mayBeEmpty: bool = False

    def parse(self, value: object, name: str) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{name} is a text, not {value!r}")
        # As a path, nothing is the folder that the program is in.
        if not value and not self.mayBeEmpty:
            raise ValueError(f"{name} is empty; leave it out, or name a {self.metavar.lower()}")
        return value


class CommandText(SettingType):
    """A command with its arguments, quoted as for a shell, which does not see it."""

    metavar = "COMMAND"

    def parse(self, value: object, name: str) -> str:
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                if shlex.split(value):
                    return value
        raise ValueError(f"{name} is a command with its arguments, and each quote is closed, not {value!r}")


@dataclass(frozen=True)
class Word(SettingType):
    """One of a few words."""

    choices: tuple[str, ...]

    @property
    def metavar(self) -> str:  # type: ignore[override]
        return "|".join(self.choices)

    def parse(self, value: object, name: str) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise ValueError(f"{name} is one of {', '.join(self.choices)}, not {value!r}")
        return value


class YesNo(SettingType):
    """Whether something is done. On command lines its mere name says the opposite of the default."""

    metavar = "yes|no"

    def parse(self, value: object, name: str) -> bool:
        if isinstance(value, bool):
            return value
        if value not in ("yes", "no"):
            raise ValueError(f"{name} is yes or no, not {value!r}")
        return value == "yes"


class Seconds(SettingType):
    """How long to wait. 0 means for ever, which is None here."""

    metavar = "S"

    def parse(self, value: object, name: str) -> float | None:
        seconds = -1.0
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            with contextlib.suppress(ValueError, OverflowError):
                seconds = float(value)
        if not 0 <= seconds < 1e9:
            raise ValueError(f"{name} is a number of seconds, or 0 for none, not {value!r}")
        return seconds or None


@dataclass(frozen=True)
class Whole(SettingType):
    """A whole number between two others."""

    least: int = 1
    most: int = _MOST
    metavar: str = "N"

    def parse(self, value: object, name: str) -> int:
        number = self._number(value)
        if number is None or not self.least <= number <= self.most:
            isBounded = self.most != _MOST or (number is not None and number > self.most)
            bounds = f"from {self.least} to {self.most}" if isBounded else f"of {self.least} or more"
            raise ValueError(f"{name} is a whole number {bounds}, not {value!r}")
        return number

    @staticmethod
    def _number(value: object) -> int | None:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        # Python converts no more than a few thousand digits.
        isNumber = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20
        return int(value) if isNumber else None  # type: ignore[call-overload]


class Rate(SettingType):
    """How often in a second; less than once as well."""

    metavar = "RATE"

    def parse(self, value: object, name: str) -> float:
        rate = 0.0
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            with contextlib.suppress(ValueError, OverflowError):
                rate = float(value)
        if not _LEAST_RATE <= rate <= _MOST:
            raise ValueError(f"{name} is a number of {_LEAST_RATE:g} or more a second, not {value!r}")
        return rate


class PrefixLengths(SettingType):
    """How many leading bits of an address count, of IPv4 and of IPv6."""

    metavar = "IPV4,IPV6"

    def parse(self, value: object, name: str) -> tuple[int, int]:
        parts = value.split(",") if isinstance(value, str) else ()
        numbers = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) <= 3]
        if len(parts) != 2 or len(numbers) != 2 or not (1 <= numbers[0] <= 32 and 1 <= numbers[1] <= 128):
            raise ValueError(f"{name} is two numbers of bits, of IPv4 and of IPv6, as 24,56, not {value!r}")
        return numbers[0], numbers[1]


class AccessRuleText(SettingType):
    """An access rule."""

    metavar = "RULE"

    def parse(self, value: object, name: str) -> AccessRule:
        from tlscomm.access import parseRule

        try:
            return parseRule(_text(value))
        except ValueError as why:
            raise ValueError(f"{name}: {why}") from None

    def parseSeveral(self, text: str, separator: str, name: str) -> tuple[AccessRule, ...]:
        from tlscomm.access._ruletext import parseRules

        try:
            # A comma in quotes separates none.
            return parseRules(text)
        except ValueError as why:
            raise ValueError(f"{name}: {why}") from None


class GroupsText(SettingType):
    """Key exchange groups in their order, as OpenSSL's commands take them, or with commas."""

    metavar = "GROUP[:GROUP…]"

    def parse(self, value: object, name: str) -> tuple[str, ...]:
        groups = tuple(re.split("[:,]", value)) if isinstance(value, str) else ()
        # Whether there are such groups OpenSSL knows, which is asked when a context is made.
        if not groups or not all(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", each) for each in groups):
            raise ValueError(
                f"{name} is names of groups with colons between them, as X25519MLKEM768:X25519, not {value!r}"
            )
        return groups


class PinText(SettingType):
    """A certificate or a key, by its digest."""

    metavar = "PIN"

    def parse(self, value: object, name: str) -> Pin:
        from tlscomm.verification import parsePin

        try:
            return parsePin(_text(value))
        except ValueError as why:
            raise ValueError(f"{name}: {why}") from None


class ProxyText(SettingType):
    """A proxy that a client connects through."""

    metavar = "URL"

    def parse(self, value: object, name: str) -> ProxyPlace:
        from tlscomm.configuration._proxyplace import parseProxy

        try:
            return parseProxy(_text(value))
        except ValueError as why:
            raise ValueError(f"{name}: {why}") from None


class ProtocolsText(SettingType):
    """Application protocols in their order (RFC 7301), as their identifiers in ASCII."""

    metavar = "PROTOCOL[,PROTOCOL…]"

    def parse(self, value: object, name: str) -> tuple[bytes, ...]:
        protocols = tuple(value.split(",")) if isinstance(value, str) else ()
        if not protocols or not all(re.fullmatch(r"[!-+\--~]{1,255}", each) for each in protocols):
            raise ValueError(f"{name} is names of protocols with commas between them, as h2,http/1.1, not {value!r}")
        return tuple(each.encode("ascii") for each in protocols)


class NetworkText(SettingType):
    """A network of IP addresses, or ``unix`` for all UNIX sockets, which is None here."""

    metavar = "NETWORK"

    def parse(self, value: object, name: str) -> IPv4Network | IPv6Network | None:
        from ipaddress import ip_network

        text = _text(value)
        if text == "unix":
            return None
        try:
            return ip_network(text)
        except ValueError:
            meant = ", such as 10.0.0.0/8 or 2001:db8::1, or unix"
            with contextlib.suppress(ValueError):
                # With bits set beyond the length.
                meant = f"; {ip_network(text, strict=False)} is one"
            raise ValueError(f"{name}: {value!r} is no network{meant}") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a text is needed, not {value!r}")
    return value


@dataclass(frozen=True)
class Setting:
    """One thing that can be set.

    Attributes:
        name: what endpoint strings call it; the options of command lines are spelled from it.
        type: what its values may be.
        interfaces: where it can be said.
        about: what it does, in one or more sentences of reStructuredText. ``{peer}`` stands for the side that the
            other one is, ``{profile}`` for the setting of that name as the interface spells it.
        default: the value where none is given; None where that depends, and for what is then left out.
        otherwise: what holds where none is given, for explanations, if `default` does not say it.
        isRepeatable: whether options may be given several times. The value is then a tuple.
        separator: what stands between several values in an endpoint string; None where it can hold but one.
        see: where the documentation says more, as a reference in reStructuredText.
        formerly: how it was spelled before, which is still understood: ``oldName=``, ``--old-name``.
        isProcessWide: whether ``twistd tlscomm`` has one value for all of its listeners.
        differing: what is different on some interfaces, as attributes by name.
    """

    name: str
    type: SettingType
    interfaces: Interface
    about: str
    default: Any = None
    otherwise: str = ""
    isRepeatable: bool = False
    separator: str | None = None
    see: str = ""
    formerly: tuple[str, ...] = ()
    isProcessWide: bool = False
    differing: Mapping[Interface, Mapping[str, Any]] = field(default_factory=dict)

    def on(self, interface: Interface) -> Setting:
        """Return the setting as it is on an interface, or on each of several together."""
        changes: dict[str, Any] = {}
        for where, differences in self.differing.items():
            if interface in where:
                changes.update(differences)
        return replace(self, **changes, differing={}) if changes else self

    @property
    def option(self) -> str:
        """The option of command lines, without hyphens in front."""
        return f"no-{_dashed(self.name)}" if self.isFlag and self.default else _dashed(self.name)

    @property
    def isFlag(self) -> bool:
        """Whether it is a word without a value on command lines."""
        return isinstance(self.type, YesNo)

    def spelled(self, interface: Interface) -> str:
        """Return how an interface spells the setting."""
        return f"{self.name}=" if interface in STRINGS else f"--{self.option}"

    def parse(self, value: object, interface: Interface) -> Any:
        """Return one value that was meant; see `SettingType.parse`."""
        return self.type.parse(value, self.spelled(interface))

    def parseArgument(self, text: str, interface: Interface) -> Any:
        """Return what an argument of an endpoint string means, which holds all values that there are."""
        if self.isRepeatable and self.separator is not None:
            return self.type.parseSeveral(text, self.separator, self.spelled(interface))
        value = self.parse(text, interface)
        return (value,) if self.isRepeatable else value

    def explained(self, interface: Interface) -> str:
        """Return what it does on an interface, in reStructuredText."""
        sentence = _filled(self.about, interface)
        if self.isFlag and interface in STRINGS:
            return f"``{'no' if self.default else 'yes'}``: {sentence}"
        return sentence

    def without(self, interface: Interface) -> str:
        """Return what holds where it is not given, in reStructuredText; nothing where there is nothing to say."""
        if self.otherwise:
            return _filled(self.otherwise, interface)
        if self.isFlag:
            return f"``{'yes' if self.default else 'no'}``" if interface in STRINGS else ""
        values = self.default if isinstance(self.default, tuple) else (self.default,)
        return ", ".join(f"``{value}``" for value in values if value is not None)

    def helpText(self, interface: Interface) -> str:
        """Return the same for a terminal, with what is to be known besides."""
        text = self.explained(interface)
        if self.isRepeatable:
            text += " May be given several times."
        # Twisted adds a default that is a value.
        if default := self.without(interface) if self.otherwise or interface is not Interface.TWISTD else "":
            text += f" Default: {default}."
        return text.replace("``", "")


def _filled(text: str, interface: Interface) -> str:
    return text.format_map(_Spellings(interface))


class _Spellings(dict[str, str]):
    """How an interface spells settings, and what it calls the other side."""

    def __init__(self, interface: Interface) -> None:
        super().__init__(peer="client" if interface in SERVERS else "server" if interface in CLIENTS else "peer")
        self._interface = interface

    def __missing__(self, name: str) -> str:
        return f"{name}=" if self._interface in STRINGS else f"--{_dashed(name)}"


def _dashed(name: str) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", "-", name).lower()
