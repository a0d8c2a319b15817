"""The framings there are, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tlscomm.messages._delimited import Delimited
from tlscomm.messages._framing import Framing
from tlscomm.messages._prefixed import Int32, Netstring

__all__ = ["FRAMINGS", "framingNamed"]


def framingNamed(name: str) -> Framing:
    """Find a framing by the name that options and endpoint strings use.

    Args:
        name: a key of `FRAMINGS`.

    Returns:
        The framing, which any number of connections can share.

    Raises:
        ValueError: there is no such framing; the message lists those there are.
    """
    try:
        return FRAMINGS[name]
    except KeyError:
        raise ValueError(f"no framing is named {name!r}; there are {', '.join(FRAMINGS)}") from None


_ALL: tuple[Framing, ...] = (
    # The source document's (S8): its reader stops at the delimiter, or when the stream ends.
    Delimited("eof", "<EOF>", endsWithStream=True),
    Delimited("line", "\n", optional="\r"),
    Netstring(),
    Int32(),
)

#: The framings by name, the default first.
FRAMINGS: Mapping[str, Framing] = MappingProxyType({framing.name: framing for framing in _ALL})
