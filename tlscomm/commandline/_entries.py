"""What people and programs are told of entries in a certificate store."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import datetime

from rich.table import Table
from rich.text import Text

from tlscomm.commandline._certificates import (
    certificateJSON,
    certificateRows,
    issuerTitle,
    present,
    purposes,
    titleOf,
    validity,
    verdictRows,
    verdictsJSON,
)
from tlscomm.commandline._printing import Row, Styled, isTerminal
from tlscomm.failures import printable
from tlscomm.store import StoreEntry

__all__ = ["entryJSON", "entryRows", "keyText", "listing"]

#: How long a thumbprint is.
_THUMBPRINT = 40


def listing(entries: Iterable[StoreEntry], *, numbered: bool = False, error: bool = False) -> Table:
    """Return a table of entries: on a terminal as narrow as it can be, in a pipe with one line for each.

    Args:
        entries: what to list.
        numbered: whether each has a number.
        error: whether it is for standard error.
    """
    now = present()
    isNarrow = isTerminal(sys.stderr if error else sys.stdout)
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = ("Name", "Valid", "Key", "For", *(() if isNarrow else ("Issuer", "Thumbprint")))
    for name in ("", *names) if numbered else names:
        # A thumbprint that is cut off cannot be copied.
        table.add_column(name, overflow="fold", no_wrap=isNarrow and name == "Name")
    for number, entry in enumerate(entries, 1):
        cells = _cells(entry, now, isNarrow=isNarrow)
        table.add_row(*((str(number), *cells) if numbered else cells))
    return table


def keyText(entry: StoreEntry) -> Styled:
    """Say whether an entry has its private key, and what is special about it."""
    if entry.failure is not None:
        return Styled((entry.failure.code, "bold red"))
    if not entry.hasPrivateKey:
        return Styled(("no", "dim"))
    return Styled("yes" if entry.isExportable else "yes, not exportable")


def entryRows(entry: StoreEntry) -> Iterator[Row]:
    """Give all there is to know of an entry, a line each, its chain excepted."""
    now = present()
    yield from certificateRows(entry.certificate, now)
    yield "Private key", keyText(entry)
    yield "Friendly name", printable(entry.friendlyName or "none")
    yield "Source", entry.source
    yield "File", "the operating system's" if entry.path is None else printable(str(entry.path))
    if entry.failure is not None:
        yield "Problem", f"{entry.failure.code}: {entry.failure.message}"
    yield from verdictRows(entry.credential, now)


def entryJSON(entry: StoreEntry) -> dict[str, object]:
    """Return the same for a program."""
    now = present()
    return {
        **entry.toJSON(),
        **certificateJSON(entry.certificate, now),
        "usableAs": verdictsJSON(entry.credential, now),
    }


def _cells(entry: StoreEntry, now: datetime, *, isNarrow: bool) -> tuple[Text | Styled | str, ...]:
    title, issuer = titleOf(entry.certificate), issuerTitle(entry.certificate)
    return (
        _stacked(title, f"by {issuer}", entry.thumbprint) if isNarrow else Text(title, style="cyan"),
        validity(entry.certificate, now),
        keyText(entry),
        Text(", ".join(purposes(entry.certificate))),
        *(() if isNarrow else (Text(issuer), entry.thumbprint)),
    )


def _stacked(title: str, *more: str) -> Text:
    """Put lines on top of each other, none of them wider than a thumbprint."""
    lines = [Text(title, style="cyan"), *(Text(line, style="dim") for line in more)]
    for line in lines:
        line.truncate(_THUMBPRINT, overflow="ellipsis")
    return Text("\n").join(lines)
