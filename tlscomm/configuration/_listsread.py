"""Revocation lists and OCSP responses of a configuration that is in use, read again without the rest of it.

Each of them is a statement that its authority has signed, and counts by itself. So one that is damaged keeps no other
from counting, and a new one is no reason to build contexts again and to forget sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from tlscomm.configuration._base import Configuration
from tlscomm.configuration._server import ServerConfiguration
from tlscomm.failures import TLSFailure
from tlscomm.revocation import Revocation, Staple

__all__ = ["ListsRead"]


class ListsRead:
    """What has changed of them. It is made in a thread."""

    def __init__(self, configurations: Iterable[Configuration]) -> None:
        """
        Args:
            configurations: those in use. Some of them may have the same lists.
        """
        holders = {id(each): each for configuration in configurations for each in _holdersIn(configuration)}
        self._takes = [_reading(each) for each in holders.values()]

    def take(self) -> list[TLSFailure]:
        """Have it count, where the reactor runs, and return why some could not be read."""
        return [problem for take in self._takes for problem in take()]


def _holdersIn(configuration: Configuration) -> list[Revocation | Staple]:
    revocation = configuration.verifier.revocation
    staple = configuration.staple if isinstance(configuration, ServerConfiguration) else None
    return [revocation] if staple is None else [revocation, staple]


def _reading(holder: Revocation | Staple) -> Callable[[], list[TLSFailure]]:
    # Each takes what it has read itself.
    return partial(holder.takeFiles, holder.readFiles())  # type: ignore[arg-type]
