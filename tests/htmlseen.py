"""What a browser would make of a page, as far as tests of its text need to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

__all__ = ["Seen", "seenIn"]

_EMPTY = frozenset({"meta", "link", "br", "hr", "img", "input", "base"})


@dataclass
class Seen:
    """What is in a page.

    Attributes:
        elements: each element and its attributes, in order.
        wrong: what is not balanced.
        text: all text that is not a style sheet.
        style: the style sheet.
    """

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    text: str = ""
    style: str = ""

    def attributes(self, name: str) -> list[str]:
        """Return all values of an attribute."""
        return [attributes[name] for _, attributes in self.elements if name in attributes]

    def named(self, element: str) -> list[dict[str, str]]:
        """Return the attributes of all elements of a name."""
        return [attributes for name, attributes in self.elements if name == element]


def seenIn(page: str) -> Seen:
    """Return what is in a page."""
    parser = _Parser()
    parser.feed(page)
    parser.close()
    parser.seen.wrong += [f"<{name}> is open at the end" for name in parser.open]
    return parser.seen


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen = Seen()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add(tag, attrs)
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.seen.wrong.append(f"</{tag}> ends {self.open[-3:]} at {self.getpos()}")
        if tag in self.open:
            del self.open[len(self.open) - 1 - self.open[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["style"]:
            self.seen.style += data
        else:
            self.seen.text += data

    def _add(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.elements.append((tag, {name: value or "" for name, value in attrs}))
