"""The configurations of listeners, from their settings and from the person who started the program."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twisted.python.usage import UsageError

from tlscomm.configuration import ServerConfiguration
from tlscomm.configuration._fromsettings import serverConfiguration
from tlscomm.credentials._passphrasesources import Prompt
from tlscomm.failures import printable
from tlscomm.issuing import DevelopmentAuthority, ensureDevelopmentAuthority
from tlscomm.server._applications import hookNamed
from tlscomm.server._person import Person
from tlscomm.verification import Hook

__all__ = ["Configuring"]

#: What is otherwise where there is no application: a client may well be busy for long with what it has read.
_FORWARDING = {"writeTimeout": 3600.0}

_EVERY_CLIENT = (
    "--forward would let every client through: name the authorities that may issue client certificates with "
    "--client-roots, or say that this is meant with --client-certificates none"
)


class Configuring:
    """Makes the configurations of a process's listeners, at the start and whenever they are read again.

    The person who started the program is asked for pass phrases at the start alone, and a pipe can be read once: what
    they said is kept. The development identity is made when the first listener needs it.

    Attributes:
        person: who started the program.
        watchHook: returns a hook as it is to be asked.
    """

    def __init__(self, said: Mapping[str, Any] | None = None) -> None:
        """
        Args:
            said: what the person has said to another process (`Person.said`); None where this one asks.
        """
        self.person = Person(said)
        self.watchHook: Callable[[Hook], Hook] = lambda hook: hook
        self._development: DevelopmentAuthority | None = None

    def first(self, settings: Mapping[str, Any]) -> ServerConfiguration:
        """Return a listener's configuration, and ask the person where that is needed.

        Args:
            settings: those of the listener, by name.

        Raises:
            TLSFailure: the credential or the authorities cannot be used.
            UsageError, ValueError: something else that the settings say cannot be done.
        """
        return self._configuration(settings, self.person.ask)

    def again(self, settings: Mapping[str, Any]) -> ServerConfiguration:
        """Return the same of files that may have changed, with what the person said before; for any thread."""
        return self._configuration(settings, self.person.remember)

    def developmentFor(self, settings: Mapping[str, Any]) -> DevelopmentAuthority | None:
        """Return what a listener's identity comes from where it names none; None where it names one."""
        if settings["identity"]:
            return None
        if self._development is None:
            self._development = _developmentAuthority()
        return self._development

    def given(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return a listener's settings, with what the development identity and pipes add to them."""
        given = {**settings, "passphraseFD": [self.person.pipe(number) for number in settings["passphraseFD"]]}
        if settings["forward"]:
            given = {**_FORWARDING, **given}
        if (development := self.developmentFor(settings)) is not None:
            given["identity"], given["key"] = ([str(development.path(f"server.{ending}"))] for ending in ("pem", "key"))
            if not given["clientRoots"] and given.get("clientCertificates") != "none":
                given["clientRoots"] = [str(development.path("ca.pem"))]
        return given

    def _configuration(self, settings: Mapping[str, Any], prompt: Prompt) -> ServerConfiguration:
        given = self.given(settings)
        if given["forward"] and not given["clientRoots"] and "clientCertificates" not in given:
            raise ValueError(_EVERY_CLIENT)
        hook = self.watchHook(hookNamed(given["hook"])) if "hook" in given else None
        return serverConfiguration(given, prompt=prompt, hook=hook, serverNames=_namesServed(given))


def _namesServed(settings: Mapping[str, Any]) -> tuple[str, ...] | None:
    if not settings["forward"]:
        return None
    from tlscomm.relaying._fromsettings import namesServed

    return namesServed(settings)


def _developmentAuthority() -> DevelopmentAuthority:
    try:
        folder = Path(os.environ.get("TLSCOMM_HOME") or Path.home() / ".tlscomm" / "development").absolute()
        return ensureDevelopmentAuthority(folder)
    except (OSError, RuntimeError) as problem:
        raise UsageError(
            f"the development identity cannot be made: {printable(str(problem))}; name the server's own with "
            "--identity, or a folder for the development identity in the environment variable TLSCOMM_HOME"
        ) from None
