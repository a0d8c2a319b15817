"""What was read from certificates is remembered, because the same ones come again.

Strangers write certificates too, of up to 100 KB each, and each takes several times that once it is read. So large ones
are not kept, or a thousand handshakes of a peer that is refused would fill the memory for good.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

from cryptography import x509

__all__ = ["remembering"]

_R = TypeVar("_R")

#: Bytes of all certificates that one answer depends on.
_LARGEST = 1 << 13


def remembering(most: int) -> Callable[[Callable[..., _R]], Callable[..., _R]]:
    """Return a decorator for functions of certificates alone, which remembers what they return for small ones.

    Args:
        most: how many answers are kept, the latest.
    """

    def decorate(read: Callable[..., _R]) -> Callable[..., _R]:
        @lru_cache(maxsize=most)
        def kept(*certificates: x509.Certificate) -> _R:
            # To know the size is to encode them, which costs more than to find an answer that is there.
            if sum(len(each.tbs_certificate_bytes) for each in certificates) > _LARGEST:
                raise _TooLarge
            return read(*certificates)

        @wraps(read, updated=())
        def ask(*certificates: x509.Certificate) -> _R:
            try:
                return kept(*certificates)
            except _TooLarge:
                pass
            return read(*certificates)

        # For measurements, which are of certificates that come for the first time.
        ask.forget = kept.cache_clear  # type: ignore[attr-defined]
        return ask

    return decorate


class _TooLarge(Exception):
    """The answer is not to be kept: a cache keeps what is returned, and not what is raised."""
