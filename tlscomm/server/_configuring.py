"""The configurations of listeners, from their settings and from the person who started the program."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.python.usage import UsageError

from tlscomm.configuration import ServerConfiguration
from tlscomm.configuration._fromsettings import serverConfiguration
from tlscomm.credentials._passphrasesources import Prompt, passphraseSource
from tlscomm.failures import printable
from tlscomm.issuing import DevelopmentAuthority, ensureDevelopmentAuthority
from tlscomm.server._applications import hookNamed

__all__ = ["Configuring"]


class Configuring:
    """Makes the configurations of a process's listeners, at the start and whenever they are read again.

    The person who started the program is asked for pass phrases at the start alone, and a pipe can be read once: what
    they said is kept. The development identity is made when the first listener needs it.
    """

    def __init__(self) -> None:
        self._person = _Person()
        self._pipes: dict[int, Prompt | None] = {}
        self._development: DevelopmentAuthority | None = None

    def first(self, settings: Mapping[str, Any]) -> ServerConfiguration:
        """Return a listener's configuration, and ask the person where that is needed.

        Args:
            settings: those of the listener, by name.

        Raises:
            TLSFailure: the credential or the authorities cannot be used.
            UsageError, ValueError: something else that the settings say cannot be done.
        """
        return self._configuration(settings, self._person.ask)

    def again(self, settings: Mapping[str, Any]) -> ServerConfiguration:
        """Return the same of files that may have changed, with what the person said before; for any thread."""
        return self._configuration(settings, self._person.remember)

    def developmentFor(self, settings: Mapping[str, Any]) -> DevelopmentAuthority | None:
        """Return what a listener's identity comes from where it names none; None where it names one."""
        if settings["identity"]:
            return None
        if self._development is None:
            self._development = _developmentAuthority()
        return self._development

    def _configuration(self, settings: Mapping[str, Any], prompt: Prompt) -> ServerConfiguration:
        pipes = (self._pipe(number) for number in settings["passphraseFD"])
        given = {**settings, "passphraseFD": [pipe for pipe in pipes if pipe is not None]}
        if (development := self.developmentFor(settings)) is not None:
            given["identity"], given["key"] = ([str(development.path(f"server.{ending}"))] for ending in ("pem", "key"))
            if not given["clientRoots"] and given.get("clientCertificates") != "none":
                given["clientRoots"] = [str(development.path("ca.pem"))]
        hook = hookNamed(given["hook"]) if "hook" in given else None
        return serverConfiguration(given, prompt=prompt, hook=hook)

    def _pipe(self, number: int) -> Prompt | None:
        if number not in self._pipes:
            self._pipes[number] = passphraseSource(descriptor=number)
        return self._pipes[number]


class _Person:
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


def _developmentAuthority() -> DevelopmentAuthority:
    try:
        folder = Path(os.environ.get("TLSCOMM_HOME") or Path.home() / ".tlscomm" / "development").absolute()
        return ensureDevelopmentAuthority(folder)
    except (OSError, RuntimeError) as problem:
        raise UsageError(
            f"the development identity cannot be made: {printable(str(problem))}; name the server's own with "
            "--identity, or a folder for the development identity in the environment variable TLSCOMM_HOME"
        ) from None
