"""The options that name our own credentials, and what opens them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from tlscomm.commandline._passphrases import Places, passphraseOptions, personalPrompt

if TYPE_CHECKING:
    from tlscomm._identities import Identities

__all__ = ["identitiesIn", "identityOptions", "readableKeyOption"]

F = TypeVar("F", bound=Callable[..., object])


def readableKeyOption(function: F) -> F:
    """Give a command ``--insecure-allow-readable-key``."""
    return click.option(
        "--insecure-allow-readable-key",
        "insecureAllowReadableKey",
        is_flag=True,
        help="Accept a private key in a file that other users of the machine can read.",
    )(function)


def identityOptions(function: F) -> F:
    """Give a command ``--identity`` and all that says more about it. The command gets one argument ``identities``."""

    @wraps(function)
    def gathered(
        *,
        identity: tuple[str, ...],
        key: tuple[str, ...],
        places: Places,
        insecureAllowReadableKey: bool,
        **words: Any,
    ) -> object:
        found = identitiesIn(identity, key, places, insecureAllowReadableKey=insecureAllowReadableKey)
        return function(identities=found, **words)

    decorated = click.option(
        "--key",
        multiple=True,
        metavar="FILE",
        help="The private key, where --identity has none; repeatable, each is that of the certificate that it fits.",
    )(passphraseOptions("opens what is encrypted")(readableKeyOption(gathered)))
    return cast(
        F,
        click.option(
            "--identity",
            multiple=True,
            metavar="SOURCE",
            help="Our certificate, with its private key or without: a file, or store:...; repeatable, and the one is "
            "shown that the server accepts.",
        )(decorated),
    )


def identitiesIn(
    identity: tuple[str, ...], key: tuple[str, ...], places: Places, *, insecureAllowReadableKey: bool = False
) -> Identities:
    """Return what the options say of our credentials, with a person who may be asked."""
    from tlscomm._identities import Identities

    return Identities(
        identity=identity,
        key=key,
        passphraseFile=places.files,
        passphraseEnv=places.variables,
        passphraseFD=places.descriptors,
        prompt=personalPrompt(),
        insecureAllowReadableKey=insecureAllowReadableKey,
    )
