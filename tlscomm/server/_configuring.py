"""A listener's configuration, from its settings and from the person who started the program."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.python.usage import UsageError

from tlscomm.configuration import ServerConfiguration
from tlscomm.configuration._fromsettings import serverConfiguration
from tlscomm.credentials._passphrasesources import Prompt
from tlscomm.failures import printable
from tlscomm.issuing import DevelopmentAuthority, ensureDevelopmentAuthority
from tlscomm.server._applications import hookNamed

__all__ = ["Person", "configurationFrom", "developmentAuthority"]


def configurationFrom(
    settings: Mapping[str, Any], development: DevelopmentAuthority | None, pipes: Sequence[Prompt], prompt: Prompt
) -> ServerConfiguration:
    given = {**settings, "passphraseFD": pipes}
    if development is not None:
        given["identity"], given["key"] = ([str(development.path(f"server.{ending}"))] for ending in ("pem", "key"))
        if not given["clientRoots"] and given.get("clientCertificates") != "none":
            given["clientRoots"] = [str(development.path("ca.pem"))]
    hook = hookNamed(given["hook"]) if "hook" in given else None
    return serverConfiguration(given, prompt=prompt, hook=hook)


class Person:
    """Who started the program, and is asked for pass phrases once: later it has no terminal, or other things to do."""

    def __init__(self) -> None:
        self._answers: dict[str, bytes | None] = {}

    def ask(self, source: str) -> bytes | None:
        """Ask for a pass phrase, where there is a terminal."""
        if sys.stdin is None or not sys.stdin.isatty():
            return None
        try:
            answer = os.fsencode(getpass.getpass(f"Pass phrase for {source}: "))
        except (EOFError, KeyboardInterrupt):
            answer = None
        self._answers[source] = answer
        return answer

    def remember(self, source: str) -> bytes | None:
        """Return what was answered last."""
        return self._answers.get(source)


def developmentAuthority() -> DevelopmentAuthority:
    try:
        folder = Path(os.environ.get("TLSCOMM_HOME") or Path.home() / ".tlscomm" / "development").absolute()
        return ensureDevelopmentAuthority(folder)
    except (OSError, RuntimeError) as problem:
        raise UsageError(
            f"the development identity cannot be made: {printable(str(problem))}; name the server's own with "
            "--identity, or a folder for the development identity in the environment variable TLSCOMM_HOME"
        ) from None
