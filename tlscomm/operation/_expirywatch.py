"""What a server does as time goes by: it warns of what expires, and has identities renewed where a command is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import is_not
from typing import Any

from twisted.application.service import Service
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from tlscomm._clocks import timeOfDay
from tlscomm.configuration import ServerConfiguration
from tlscomm.configuration._expiries import expiriesOf
from tlscomm.failures._loggedfailure import logFailure
from tlscomm.operation._expirywarnings import ExpiryWarnings
from tlscomm.operation._renewalcommand import Renewable, RenewalCommands
from tlscomm.store import isStoreSource

__all__ = ["ExpiryWatch"]

_log = Logger(namespace="tlscomm")

#: Seconds between two looks at what is to be renewed, and at what is to be warned of.
_SECONDS, _WARNINGS_SECONDS = 60.0, 3600.0


class ExpiryWatch(Service):
    """Looks every minute."""

    def __init__(
        self, reactor: Any, inUse: Callable[[], Sequence[tuple[ServerConfiguration, Mapping[str, Any]]]]
    ) -> None:
        """
        Args:
            reactor: starts processes and tells the time.
            inUse: returns the configurations of the listeners, each with the settings that it was made of.
        """
        self._inUse = inUse
        self._now = timeOfDay(reactor)
        self._warnings = ExpiryWarnings()
        self._next = 0.0
        self._seen: list[ServerConfiguration] = []
        self._commands = RenewalCommands(reactor)
        self._loop = LoopingCall(self._look)
        self._loop.clock = reactor

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        self._loop.start(_SECONDS)

    def stopService(self) -> None:
        super().stopService()  # type: ignore[no-untyped-call]
        if self._loop.running:
            self._loop.stop()
        self._commands.stop()

    def _look(self) -> None:
        try:
            self._lookOnce()
        except Exception:
            # A bug must be seen and must not end the looks.
            logFailure(_log, "looking at what expires broke")

    def _lookOnce(self) -> None:
        now, inUse = self._now(), self._inUse()
        configurations = [configuration for configuration, _ in inUse]
        passed = self._loop.clock.seconds()
        if passed >= self._next or any(map(is_not, configurations, self._seen)):
            # To go through hundreds of authorities takes some milliseconds.
            self._next, self._seen = passed + _WARNINGS_SECONDS, configurations
            self._warnings.look((expiry for each in configurations for expiry in expiriesOf(each)), now)
        self._commands.look((each for one in inUse for each in _renewables(*one)), now)


def _renewables(configuration: ServerConfiguration, settings: Mapping[str, Any]) -> Iterator[Renewable]:
    if (command := settings.get("renewCommand")) is None:
        return
    credentials = (configuration.credential, *configuration.others)
    keys = settings["key"]
    for path, credential in zip(settings["identity"], credentials, strict=False):
        if not isStoreSource(path):
            certificate = credential.certificate
            yield Renewable(
                path,
                certificate.not_valid_before_utc,
                certificate.not_valid_after_utc,
                command,
                settings.get("renewBefore"),
                keys[0] if len(keys) == 1 else "",
            )
