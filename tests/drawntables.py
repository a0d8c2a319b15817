"""Reads the tables that are drawn in the docstrings of modules, for tests and for the documentation."""

from __future__ import annotations

import re
from types import ModuleType

__all__ = ["drawnTable"]


def drawnTable(module: ModuleType) -> list[list[str]]:
    """Return the rows of the first table in a module's docstring, its headings first.

    A row whose first cell is empty goes on with the one before it.
    """
    lines = (module.__doc__ or "").splitlines()
    border = next(number for number, line in enumerate(lines) if re.fullmatch(r" *-+(  +-+)+", line))
    columns = [match.start() for match in re.finditer("-+", lines[border])]
    rows: list[list[str]] = []
    for line in (lines[border - 1], *lines[border + 1 :]):
        if not line.strip():
            break
        cells = [line[start:end].strip() for start, end in zip(columns, [*columns[1:], None], strict=True)]
        if cells[0]:
            rows.append(cells)
        else:
            rows[-1] = [f"{before} {cell}".strip() for before, cell in zip(rows[-1], cells, strict=True)]
    return rows
