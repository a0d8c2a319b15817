"""The options that say how a peer's chain is judged, the same for each command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["chainOptions"]

F = TypeVar("F", bound=Callable[..., Any])


def chainOptions(function: F) -> F:
    """Give a command ``--intermediates``, ``--pin`` and ``--profile``, as arguments of `tlscomm._settings`."""
    intermediates = click.option(
        "--intermediates",
        multiple=True,
        metavar="SOURCE",
        help="Authorities that are known and not trusted by themselves, where they are not sent: a file or a folder; "
        "repeatable.",
    )
    pins = click.option(
        "--pin",
        "pins",
        multiple=True,
        metavar="PIN",
        help="A certificate or key that has to be in the chain: fingerprint=sha256:... or spki=sha256:...; repeatable.",
    )
    profile = click.option(
        "--profile",
        type=click.Choice(["compatible", "strict"]),
        default="compatible",
        show_default=True,
        help="How much of the rules for certificates is insisted on: strict is RFC 5280 and the Web PKI.",
    )
    return intermediates(pins(profile(function)))
