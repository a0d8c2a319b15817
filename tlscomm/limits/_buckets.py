"""How often something may happen: a bucket of tokens, which time fills again."""

from __future__ import annotations

__all__ = ["Bucket"]


class Bucket:
    """A bucket of tokens.

    A clock that is set back costs it nothing: time that seems not to have passed fills nothing, and counting goes on
    from there. One that is set forward fills it, and not more than that.

    Attributes:
        left: the tokens in it, as of when it was looked at last.
    """

    __slots__ = ("_latest", "left")

    def __init__(self, size: float, now: float) -> None:
        """
        Args:
            size: how many tokens it has at first.
            now: the time, in seconds.
        """
        self.left = size
        self._latest = now

    def has(self, rate: float, size: float, now: float) -> bool:
        """Return whether there is a token.

        Args:
            rate: how many come in a second.
            size: how many there can be.
            now: the time.
        """
        if now > self._latest:
            self.left = min(size, self.left + (now - self._latest) * rate)
        self._latest = now
        return self.left >= 1
