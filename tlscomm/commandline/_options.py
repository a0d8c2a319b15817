"""Options of commands: those of the settings table, and those that all commands share."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import reduce, wraps
from typing import Any, TypeVar, cast

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from tlscomm.commandline._completing import completionsOf
from tlscomm.commandline._groupedhelp import GroupedOption
from tlscomm.commandline._plan import Address, EndpointText, addressIn
from tlscomm.commandline._verbosity import setVerbosity
from tlscomm.configuration._settings import defaultsOn, settingsOn
from tlscomm.configuration._settingtypes import CLIENTS, Interface, Setting

__all__ = ["addressArgument", "outputOptions", "settingOptions"]

F = TypeVar("F", bound=Callable[..., object])


#: What other programs call an option, by the name of the setting.
_ALIASES = {"upgrade": ("--starttls",)}


class _Value(click.ParamType):  # type: ignore[type-arg]
    """The values of a setting, refused in the sentence that every interface has."""

    name = "value"

    def __init__(self, setting: Setting, interface: Interface) -> None:
        self._setting = setting
        self._interface = interface

    def convert(self, value: object, _parameter: click.Parameter | None, context: click.Context | None) -> object:
        try:
            return self._setting.parse(value, self._interface)
        except ValueError as wrong:
            raise click.UsageError(str(wrong), context) from None

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        kind = self._setting.type
        return completionsOf(kind.metavar, getattr(kind, "choices", ()), ctx, param, incomplete)


def addressArgument(function: F) -> F:
    """Give a command an argument ``address``: an `Address`, or an `EndpointText`."""
    return click.argument("address", metavar="ADDRESS", callback=_address)(function)


def _address(_context: click.Context, _argument: click.Parameter, text: str) -> Address | EndpointText:
    try:
        return addressIn(text)
    except ValueError as wrong:
        raise click.BadParameter(str(wrong)) from None


def outputOptions(function: F) -> F:
    """Give a command ``--json``, ``--quiet`` and ``--verbose``.

    The command gets whether its output is one JSON object as an argument ``asJSON``. How much it says besides is known
    to what it says it with: `tlscomm.commandline._printing.remark` is silent under ``--quiet``, and
    `tlscomm.commandline._verbosity.verbosity` tells how much more is wanted.
    """

    @wraps(function)
    def gathered(*, verbose: int, quiet: bool, **words: Any) -> object:
        setVerbosity(verbose, quiet=quiet)
        return function(**words)

    options = (
        click.option(
            "--json", "asJSON", is_flag=True, cls=GroupedOption, help="Print one JSON object, whatever happens."
        ),
        click.option("-v", "--verbose", count=True, cls=GroupedOption, help="Say more, of failures first of all."),
        click.option("-q", "--quiet", is_flag=True, cls=GroupedOption, help="Say what was asked for, and failures."),
    )
    return cast(F, reduce(lambda decorated, option: option(decorated), reversed(options), gathered))


def settingOptions(interface: Interface, only: Collection[str] | None = None) -> Callable[[F], F]:
    """Return a decorator that gives a command the settings of its interface.

    The command gets their values by name, as one argument ``settings``. One that was not given has its default; where
    it has none, it is missing.

    Args:
        interface: the command's.
        only: the names of those that have options; all where None. The others have their defaults.
    """
    table = [setting for setting in settingsOn(interface) if only is None or setting.name in only]

    def decorate(function: F) -> F:
        @wraps(function)
        def gathered(**words: Any) -> object:
            sourceOf = click.get_current_context().get_parameter_source
            settings = defaultsOn(interface)
            for setting in table:
                value = words.pop(setting.name)
                if sourceOf(setting.name) is not ParameterSource.DEFAULT:
                    # A flag says the opposite of the default.
                    settings[setting.name] = not setting.default if setting.isFlag else value
            return function(settings=settings, **words)

        options = (_option(setting, interface) for setting in reversed(table))
        return cast(F, reduce(lambda decorated, option: option(decorated), options, gathered))

    return decorate


def _option(setting: Setting, interface: Interface) -> Callable[[F], F]:
    help = setting.helpText(interface)
    if setting.isFlag:
        return click.option(f"--{setting.option}", setting.name, is_flag=True, help=help)
    return click.option(
        f"--{setting.option}",
        *(_ALIASES.get(setting.name, ()) if interface in CLIENTS else ()),
        setting.name,
        type=_Value(setting, interface),
        metavar=setting.type.metavar,
        multiple=setting.isRepeatable,
        help=help,
    )
