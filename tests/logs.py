"""What is logged, for tests that want to read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.logger import globalLogPublisher

__all__ = ["logged"]


@contextmanager
def logged(namespace: str = "tlscomm") -> Iterator[list[dict[str, Any]]]:
    """Collect the events of a namespace while the block runs."""
    events: list[dict[str, Any]] = []

    def observe(event: Any) -> None:
        if event.get("log_namespace") == namespace:
            events.append(event)

    globalLogPublisher.addObserver(observe)
    try:
        yield events
    finally:
        globalLogPublisher.removeObserver(observe)
