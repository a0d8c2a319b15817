"""The commands that there are, each imported when it is named.

A command explains its options, which are made from tables, and what one needs for that the others need not wait for.
So they all stand here, with what ``tlscomm --help`` says of each. A test compares that with what they say themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import click

from tlscomm.commandline._groupedhelp import GroupOfCommands, formatCommands

__all__ = ["LazyGroup"]

#: The command of each module, and the beginning of its explanation.
_COMMANDS = {
    "analyze": ("command", "Say how each TLS connection in captures of packets ended, and why."),
    "check": (
        "command",
        "Say what keeps a server from starting with a configuration, what expires when, and whom it would refuse.",
    ),
    "completion": ("command", "Print what has SHELL complete the words of tlscomm."),
    "connect": ("command", "Talk to the server at ADDRESS: send what is typed or given, and print what comes."),
    "explain": (
        "command",
        "Say what a failure CODE means, or what another program's error TEXT can; without any, list the codes.",
    ),
    "help": ("command", "Explain COMMAND, or tlscomm as a whole."),
    "inspect": (
        "command",
        "Say what each FILE holds: certificates, their chain, private keys, PFX, P7B, revocation lists, requests.",
    ),
    "pki": ("group", "Make certificates of your own, renew and revoke them."),
    "probe": (
        "command",
        "Say what the server at ADDRESS presents and demands, and why it refuses a client.",
    ),
    "store": ("group", "Look into certificate stores, and change them."),
    "tunnel": (
        "command",
        "Listen without TLS, and pass each connection on to TARGET over TLS, with a client certificate.",
    ),
    "verify": ("command", "Say whether the other side would accept CREDENTIAL, a PEM or PFX file or store:..."),
}


class _Commands(Mapping[str, click.Command]):
    def __getitem__(self, name: str) -> click.Command:
        attribute, _ = _COMMANDS[name]
        found: click.Command = getattr(import_module(f"tlscomm.commandline.{name}"), attribute)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)


class LazyGroup(GroupOfCommands):
    """A group of the commands that there are."""

    def __init__(self, **options: Any) -> None:
        commands: Any = _Commands()
        super().__init__(**options, commands=commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatCommands(formatter, {name: beginning for name, (_, beginning) in _COMMANDS.items()})
