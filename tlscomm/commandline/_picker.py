"""The dialog "Select Certificate" of Windows, for a terminal.

A user who has three certificates of one name cannot tell which to type. So those that fit the purpose are shown, with
what tells them apart, and the choice comes out as a ``store:`` source that every option takes.

What can be chosen and what is shown of it is `PickedEntry`, which knows no terminal. It is drawn by prompt_toolkit,
which reads keys in every terminal and mends the screen afterwards, whatever happens. Where there is no terminal, or
none that can move its cursor, the same choice is a numbered list.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import click
from prompt_toolkit.application import Application
from prompt_toolkit.data_structures import Point
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input import Input, create_input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import Dimension, FormattedTextControl, HSplit, Layout, Window
from prompt_toolkit.output import Output, create_output
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import get_cwidth

from tlscomm.commandline import _collection
from tlscomm.commandline._certificates import (
    certificateRows,
    issuerTitle,
    present,
    purposes,
    titleOf,
    validity,
    verdictRows,
)
from tlscomm.commandline._entries import keyText, listing
from tlscomm.commandline._printing import Row, isTerminal, say
from tlscomm.credentials import usabilityProblems
from tlscomm.failures import NotInStore, printable
from tlscomm.store import StoreEntry
from tlscomm.x509._facts import certificateFacts
from tlscomm.x509._roles import ROLES, Role

__all__ = ["PickedEntry", "choose", "dialog"]

_TRIES = 3
_LONGEST_LINE = 100
#: Seconds after which a lone escape character is the key Esc, and not the beginning of what an arrow sends.
_ESCAPE_SECONDS = 0.1
_WIDEST_NAME = 40
_PAGE = 10
_EVERYTHING = 1 << 30
#: The rows for a person who compares digits.
_LONG = frozenset({"Public key", "Serial", "Fingerprint"})

_STYLE = Style.from_dict(
    {
        "title": "bold reverse",
        "marked": "reverse",
        "faint": "ansibrightblack",
        "label": "ansicyan",
        "green": "ansigreen",
        "yellow": "ansiyellow",
        "red": "ansired",
    }
)
_KEYS_EXPLAINED = "↑↓ move   type to filter   Tab {} what does not fit   Enter choose   Esc cancel"


class PickedEntry:
    """What can be chosen, what of it is visible, and which one is marked.

    Args:
        entries: all there is, in the order in which it is shown.
        title: what they are entries of.
        purpose: the side of a connection that one is needed for; either where None.
        showsAll: whether what cannot stand there is visible too.
        now: the time to judge by; the present where None.
    """

    def __init__(
        self,
        entries: Sequence[StoreEntry],
        *,
        title: str,
        purpose: Role | None = None,
        showsAll: bool = False,
        now: datetime | None = None,
    ) -> None:
        self.title = title
        self.purpose = purpose
        self.showsAll = showsAll
        self.now = now or present()
        self.filter = ""
        self._roles = ROLES if purpose is None else (purpose,)
        self._all = tuple(entries)
        self._fitting = tuple(entry for entry in entries if self._fits(entry))
        self._texts = {entry.thumbprint: _searchable(entry) for entry in entries}
        self._index = 0

    @property
    def visible(self) -> tuple[StoreEntry, ...]:
        words = self.filter.casefold().split()
        entries = self._all if self.showsAll else self._fitting
        return tuple(entry for entry in entries if all(word in self._texts[entry.thumbprint] for word in words))

    @property
    def index(self) -> int:
        """Which of the visible ones is marked."""
        return max(0, min(self._index, len(self.visible) - 1))

    @property
    def marked(self) -> StoreEntry | None:
        """The one that is chosen next; None where nothing is visible."""
        visible = self.visible
        return visible[self.index] if visible else None

    @property
    def total(self) -> int:
        """How many there are, visible or not."""
        return len(self._all)

    @property
    def hidden(self) -> int:
        """How many there are that do not fit the purpose."""
        return len(self._all) - len(self._fitting)

    def move(self, by: int) -> None:
        self._index = max(0, min(self.index + by, len(self.visible) - 1))

    def type(self, text: str) -> None:
        """Narrow what is visible."""
        self._show(self.filter + "".join(filter(str.isprintable, text)), self.showsAll)

    def erase(self) -> None:
        """Take back the last character that was typed."""
        self._show(self.filter[:-1], self.showsAll)

    def clear(self) -> None:
        self._show("", self.showsAll)

    def toggle(self) -> None:
        """Show what does not fit the purpose, or hide it again."""
        self._show(self.filter, not self.showsAll)

    def _show(self, text: str, showsAll: bool) -> None:
        # The mark stays where it was, as long as that is visible.
        marked = self.marked
        self.filter, self.showsAll = text, showsAll
        visible = self.visible
        self._index = visible.index(marked) if marked in visible else 0

    def _fits(self, entry: StoreEntry) -> bool:
        usable = any(not list(usabilityProblems(entry.credential, role, self.now)) for role in self._roles)
        return usable and entry.failure is None


def choose(choice: PickedEntry) -> StoreEntry | None:
    """Let a person choose.

    Returns:
        What was chosen, None for nothing.

    Raises:
        NotInStore: nothing fits the purpose, and there is no terminal in which the others could be shown.
        click.Abort: the person pressed Ctrl-C.
    """
    # A person takes their time, and each key makes garbage.
    _collection.resume()
    if not _isForDialog():
        return _fromList(choice)
    # What is chosen goes to standard output, which may be caught in a variable: the dialog goes elsewhere.
    stream = sys.stderr if isTerminal(sys.stderr) else sys.stdout
    try:
        return dialog(choice, create_input(sys.stdin), create_output(stream)).run()
    except KeyboardInterrupt:
        raise click.Abort from None


def dialog(choice: PickedEntry, keys: Input, screen: Output) -> Application[StoreEntry | None]:
    """Return the dialog; running it returns what was chosen.

    Args:
        choice: what can be chosen.
        keys: what the person types.
        screen: what the person sees.
    """
    application: Application[StoreEntry | None] = Application(
        layout=_layout(choice),
        key_bindings=_bindings(choice),
        style=_STYLE,
        full_screen=True,
        input=keys,
        output=screen,
    )
    application.ttimeoutlen = _ESCAPE_SECONDS
    return application


def _isForDialog() -> bool:
    isSeen = isTerminal(sys.stderr) or isTerminal(sys.stdout)
    return isTerminal(sys.stdin) and isSeen and os.environ.get("TERM", "dumb") != "dumb"


def _fromList(choice: PickedEntry) -> StoreEntry | None:
    visible = choice.visible
    if not visible:
        purpose = choice.purpose or "server or client"
        raise NotInStore(f"none of {choice.hidden} in {choice.title} can be used as {purpose}; --all shows them")
    say(listing(visible, numbered=True, error=True), error=True)
    for _try in range(_TRIES):
        click.echo("Number, or an empty line for none: ", nl=False, err=True)
        typed = sys.stdin.readline(_LONGEST_LINE).strip()
        if not typed:
            break
        if typed.isascii() and typed.isdigit() and 0 < int(typed) <= len(visible):
            return visible[int(typed) - 1]
        say(f"There is no number {printable(typed)}.", error=True)
    return None


def _layout(choice: PickedEntry) -> Layout:
    entries = FormattedTextControl(
        lambda: _list(choice),
        focusable=True,
        show_cursor=False,
        # The window scrolls so far that this is seen.
        get_cursor_position=lambda: Point(0, choice.index),
    )
    return Layout(
        HSplit(
            [
                _line(lambda: [("class:title", f" Select Certificate: {choice.title}")], "class:title"),
                _line(lambda: _head(choice)),
                Window(entries, height=Dimension(min=1), always_hide_cursor=True),
                Window(char="─", height=1, style="class:faint"),
                Window(
                    FormattedTextControl(lambda: _details(choice)),
                    height=Dimension(min=0, max=14),
                    wrap_lines=True,
                    dont_extend_height=True,
                ),
                _line(lambda: [("class:faint", _KEYS_EXPLAINED.format("hide" if choice.showsAll else "show"))]),
            ]
        ),
        focused_element=entries,
    )


def _line(read: Callable[[], StyleAndTextTuples], style: str = "") -> Window:
    return Window(FormattedTextControl(read), height=1, style=style)


def _head(choice: PickedEntry) -> StyleAndTextTuples:
    count = f"{len(choice.visible)} of {choice.total}"
    return [("class:label", "Filter: "), ("", choice.filter), ("class:label", "▏"), ("class:faint", f"  {count}")]


def _list(choice: PickedEntry) -> StyleAndTextTuples:
    visible = choice.visible
    if not visible:
        why = f"{choice.hidden} do not fit the purpose, Tab shows them" if choice.hidden else "nothing fits"
        return [("class:faint", f"  {why}" if not choice.filter else "  nothing fits what was typed")]
    width = min(_WIDEST_NAME, max(get_cwidth(titleOf(entry.certificate)) for entry in visible))
    lines: StyleAndTextTuples = []
    for number, entry in enumerate(visible):
        style = "class:marked" if number == choice.index else ""
        lines += [(f"{style} {part}", text) for part, text in _columns(entry, width, choice.now)]
        lines.append(("", "\n"))
    return lines[:-1]


def _columns(entry: StoreEntry, width: int, now: datetime) -> Iterator[tuple[str, str]]:
    left = validity(entry.certificate, now)
    yield "", f"  {_fitted(titleOf(entry.certificate), width)}  "
    yield f"class:{left.style}", _fitted(left.plain, 20)
    yield "", _fitted("key" if entry.hasPrivateKey else "no key", 8)
    yield "", _fitted(", ".join(purposes(entry.certificate)), 16)
    yield "class:faint", f"  {issuerTitle(entry.certificate)} "


def _fitted(text: str, width: int) -> str:
    """Return a text that takes up exactly so many columns, of which some letters take two."""
    if get_cwidth(text) > width:
        while get_cwidth(text) > width - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (width - get_cwidth(text))


def _details(choice: PickedEntry) -> StyleAndTextTuples:
    entry = choice.marked
    if entry is None:
        return []
    lines: StyleAndTextTuples = []
    for name, said in _rows(entry, choice.now):
        text = said if isinstance(said, str) else said.plain
        lines += [("class:label", f"{name:<12}"), ("", f"{text}\n")]
    return lines


def _rows(entry: StoreEntry, now: datetime) -> Iterator[Row]:
    # What decides comes first, for the window may be low.
    yield from (row for row in certificateRows(entry.certificate, now) if row[0] not in _LONG)
    yield "Private key", keyText(entry)
    if entry.friendlyName:
        yield "Called", printable(entry.friendlyName)
    yield from (row for row in verdictRows(entry.credential, now) if row[0])
    yield from (row for row in certificateRows(entry.certificate, now) if row[0] in _LONG)


def _bindings(choice: PickedEntry) -> KeyBindings:
    bindings = KeyBindings()
    moves = {"up": -1, "down": 1, "c-p": -1, "c-n": 1, "pageup": -_PAGE, "pagedown": _PAGE}
    for key, by in (*moves.items(), ("home", -_EVERYTHING), ("end", _EVERYTHING)):
        bindings.add(key)(lambda _, by=by: choice.move(by))
    bindings.add("backspace")(lambda _: choice.erase())
    bindings.add("c-u")(lambda _: choice.clear())
    bindings.add("tab")(lambda _: choice.toggle())
    bindings.add(Keys.Any)(lambda event: choice.type(event.data))
    bindings.add(Keys.BracketedPaste)(lambda event: choice.type(event.data))
    # Eager, for else it is awaited whether a key follows that makes another one of it.
    bindings.add("escape", eager=True)(lambda event: event.app.exit(result=None))
    bindings.add("c-c")(lambda event: event.app.exit(exception=KeyboardInterrupt))

    @bindings.add("enter")
    def _enter(event: KeyPressEvent) -> None:
        if choice.marked is not None:
            event.app.exit(result=choice.marked)

    return bindings


def _searchable(entry: StoreEntry) -> str:
    facts = certificateFacts(entry.certificate)
    words = (facts.subject, facts.issuer, *facts.names, entry.thumbprint, printable(entry.friendlyName or ""))
    return " ".join(words).casefold()
