"""Pages that are made from the data that the code and the tests use: they cannot say anything else.

``failure-catalogue`` shows every failure as ``tlscomm explain`` does, ``failure-table`` the table that the tests play,
``failure-gallery`` the exhibits of the gallery, and ``chain-rules`` the rules that chains have to keep.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from inspect import getdoc
from pathlib import Path

from docutils.nodes import Node
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tlscomm.commandline.explain import Entry, catalogue
from tlscomm.errortexts import ERROR_TEXTS
from tlscomm.failures import Alert
from tlscomm.issuing import EXHIBITS
from tlscomm.verification import PROFILES, RULES, Profile
from tlscomm.verification._rule import Rule

sys.path.append(str(Path(__file__).parents[2] / "tests"))

from failuretable import CONNECT_ROWS, ROWS, VERSIONS, Row, Verdict

_GROUP_NAMES = {
    "CredentialFailure": "Our own credential",
    "CertificateFailure": "A certificate",
    "NegotiationFailure": "The negotiation",
    "ConnectionFailure": "The connection",
    "MessageFailure": "Messages",
}

#: How many sentences of other programs a failure has beside it.
_SENTENCES = 6

_COLUMNS = [(version, side) for version in VERSIONS for side in ("client", "server")]


class _Generated(SphinxDirective):
    """A directive that writes reStructuredText."""

    def run(self) -> list[Node]:
        text = "\n".join(self.lines())
        return self.parse_text_to_nodes(text, allow_section_headings=True)

    def lines(self) -> Iterable[str]:
        raise NotImplementedError


class Catalogue(_Generated):
    def lines(self) -> Iterator[str]:
        for group, entries in catalogue():
            yield from _section(_GROUP_NAMES[group.__name__], "~")
            yield from (getdoc(group) or "", "")
            for entry in entries:
                yield from _entry(entry)


class Table(_Generated):
    def lines(self) -> Iterator[str]:
        for group in dict.fromkeys(row.group for row in ROWS):
            rows = [row for row in ROWS if row.group == group]
            yield from _section(group, "~")
            isOfOneSide = all(len(row.verdicts) == 1 for row in rows)
            yield from _oneSided(rows) if isOfOneSide else _bothSided(rows)
        yield from _section("No connection", "~")
        cells = [[plain(row.case), ":ref:`connect-failed <failure-connect-failed>`"] for row in CONNECT_ROWS]
        yield from tableOf(["what goes wrong", "the client says"], cells)


class GalleryTable(_Generated):
    def lines(self) -> Iterator[str]:
        cells = [
            [
                f"``{exhibit.name}``",
                plain(exhibit.fault),
                " and ".join(exhibit.roles),
                f":ref:`{exhibit.code} <failure-{exhibit.code}>`" if exhibit.code else "accepted",
            ]
            for exhibit in EXHIBITS
        ]
        return tableOf(["name", "what is wrong", "for", "failure"], cells, "28 44 12 16")


def _entry(entry: Entry) -> Iterator[str]:
    yield from (f".. _failure-{entry.code}:", "")
    yield from _section(entry.code, "^")
    yield from (entry.happened, "")
    yield f":Message: {plain(entry.message)}"
    if entry.ours == entry.theirs:
        yield f":What to do: {plain(entry.ours)}"
    else:
        yield f":If it is ours: {plain(entry.ours)}"
        yield f":If it is the peer's: {plain(entry.theirs)}"
    yield f":To reproduce: {plain(entry.reproduce)}"
    yield f":Permanent: {'yes, an operator has to act' if entry.permanent else 'no, another try may succeed'}"
    if entry.sent:
        yield f":Alert that we send: {plain(entry.sent)}"
    if entry.alerts:
        yield f":Alerts that we hear: {plain(', '.join(entry.alerts))}"
    if elsewhere := _elsewhere(entry.code):
        yield f":Elsewhere this reads: {elsewhere} (:doc:`errors`)"
    yield from (f":Exception: :class:`tlscomm.failures.{entry.exception}`", "")


def _elsewhere(code: str) -> str:
    """Return the sentences of other programs that stand for a failure before all, a few of them."""
    first = [each.sentence for each in ERROR_TEXTS if each.causes[0] == code and not each.isVague]
    return "; ".join(plain(each) for each in first[:_SENTENCES])


def _bothSided(rows: list[Row]) -> Iterator[str]:
    heads = [f"TLS {version}, the {side} says" for version, side in _COLUMNS]
    cells = [[plain(row.case), *(_said(row.verdicts.get(column)) for column in _COLUMNS)] for row in rows]
    return tableOf(["what goes wrong", *heads], cells, "32 17 17 17 17")


def _oneSided(rows: list[Row]) -> Iterator[str]:
    cells = []
    for row in rows:
        ((_, side), verdict) = next(iter(row.verdicts.items()))
        awaited = f", waiting for {verdict.says}" if verdict.says else ""
        cells.append([plain(row.case), side, _said(verdict) + awaited])
    return tableOf(["what goes wrong", "who says", "what"], cells, "48 12 40")


def _said(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    text = f":ref:`{verdict.code} <failure-{verdict.code}>`"
    if verdict.alert is None:
        return text
    verb = "sends" if verdict.side == "local" else "hears"
    return f"{text}; {verb} {plain(Alert(verdict.alert, 'sent').name)} ({verdict.alert})"


def tableOf(heads: list[str], rows: Iterable[list[str]], widths: str = "auto") -> Iterator[str]:
    # On a phone cells stand below each other, and three say without their heads what they are.
    look = ["   :class: stacked"] if len(heads) <= 3 else []
    yield from (".. list-table::", *look, "   :header-rows: 1", f"   :widths: {widths}", "")
    for row in [heads, *rows]:
        for index, cell in enumerate(row):
            yield f"   {'*' if index == 0 else ' '} - {cell}"
    yield ""


def _section(title: str, underline: str) -> Iterator[str]:
    yield from (title, underline * len(title), "")


def plain(text: str) -> str:
    """Return text without any meaning as markup."""
    return re.sub(r"([*`|_\\])", r"\\\1", text)


class ChainRules(_Generated):
    def lines(self) -> Iterator[str]:
        yield from (".. list-table::", "   :header-rows: 1", "")
        yield from _cells("rule", "compatible", "strict", "what has to hold", "source", "failure")
        for rule in RULES:
            done = (_done(rule, profile) for profile in PROFILES)
            yield from _cells(f"``{rule.name}``", *done, rule.about, rule.source, f"``{rule.code}``")


def _done(rule: Rule, profile: Profile) -> str:
    if not rule.isRequiredBy(profile):
        return "warns"
    return "refuses; warns of a trusted authority" if rule.isOfForm else "refuses"


def _cells(first: str, *others: str) -> Iterator[str]:
    yield f"   * - {first}"
    yield from (f"     - {other}" for other in others)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("failure-catalogue", Catalogue)
    app.add_directive("failure-table", Table)
    app.add_directive("chain-rules", ChainRules)
    app.add_directive("failure-gallery", GalleryTable)
    return {"parallel_read_safe": True}
