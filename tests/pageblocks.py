"""The blocks of code on the pages: where each is, in which language, and the commands that it has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

__all__ = ["PAGES", "Block", "blocksOf", "commandsOf"]

_ROOT = Path(__file__).parent.parent

PAGES = (*sorted((_ROOT / "docs").glob("*.rst")), *sorted(_ROOT.glob("examples/*/README.rst")), _ROOT / "README.rst")
"""Every page that people read."""

_START = re.compile(r"( *)\.\. code-block:: ?(\w*)")
#: As the buttons know it that copy what is typed (docs/conf.py). A ``#`` would be a comment where it is pasted.
_PROMPT = re.compile(r"\w*\$ (.*)")


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        page: the name of the page, or of the project whose it is.
        line: of its directive, from 1 on.
        language: as the directive has it.
        text: what is in it.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


def blocksOf(path: Path) -> Iterator[Block]:
    """Read the blocks of a page."""
    page = path.stem if path.parent in (_ROOT / "docs", _ROOT) else f"{path.parent.name}/{path.stem}"
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines):
        if start := _START.fullmatch(line):
            indent, language = len(start[1]), start[2]
            yield Block(page, number + 1, language, dedent("\n".join(_indented(lines[number + 1 :], indent))))


def _indented(lines: list[str], indent: int) -> Iterator[str]:
    for line in lines:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            return
        if not re.fullmatch(r" +:[\w-]+:.*", line):
            yield line


def commandsOf(text: str) -> Iterator[tuple[str, str]]:
    """Read what is typed in a terminal, each with what is shown to come of it."""
    typed, shown = "", ""
    isOpen = False
    for line in text.strip("\n").split("\n"):
        if isOpen:
            typed += "\n" + line
        elif prompt := _PROMPT.fullmatch(line):
            if typed:
                yield typed, shown
            typed, shown = prompt[1], ""
        else:
            shown += line + "\n"
            continue
        isOpen = _goesOn(typed)
    if typed:
        yield typed, shown


def _goesOn(typed: str) -> bool:
    """Whether the next line belongs to a command."""
    try:
        shlex.split(typed)
    except ValueError:
        return True
    return typed.endswith("\\")
