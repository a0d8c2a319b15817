"""Signals that a service listens to while it runs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime

__all__ = ["Signals"]


class Signals:
    """What is called at which signal. It ends as it began: the former dispositions come back."""

    def __init__(self, clock: IReactorTime) -> None:
        """
        Args:
            clock: where it is a reactor, a call is made in its thread, and not in the middle of anything.
        """
        self._clock = clock
        self._former: dict[signal.Signals, Any] = {}

    def listenTo(self, name: str, call: Callable[[], object]) -> None:
        """Call something at a signal, where the system has it and this is the main thread.

        Args:
            name: ``SIGHUP`` for example.
            call: is called in the reactor.
        """
        # Windows has few of them.
        number: signal.Signals | None = getattr(signal, name, None)
        if number is not None and threading.current_thread() is threading.main_thread():
            fromThread = getattr(self._clock, "callFromThread", lambda call: call())
            former = signal.signal(number, lambda *_: fromThread(call))
            self._former.setdefault(number, former)

    def release(self) -> None:
        """Listen to none any more."""
        for number, former in self._former.items():
            signal.signal(number, former)
        self._former.clear()
