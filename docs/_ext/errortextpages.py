"""The pages of other programs' sentences, made from the table that ``tlscomm explain`` uses.

``error-texts`` shows the sentences of one library, each under a heading with its very words, so that a search finds it.
"""

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from docutils.nodes import Node
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tlscomm.errortexts import ERROR_TEXTS, ErrorText

sys.path.append(str(Path(__file__).parent))

from failurepages import plain

_SIDES = {
    "local": "the program that prints it refused its peer, or could not go on",
    "remote": "the peer refused the program that prints it",
    "either": "the sentence does not say which side decided",
}


class ErrorTexts(SphinxDirective):
    """All sentences, by the program that was written for first."""

    def run(self) -> list[Node]:
        text = "\n".join(self._lines())
        return self.parse_text_to_nodes(text, allow_section_headings=True)

    def _lines(self) -> Iterator[str]:
        ordered = sorted(ERROR_TEXTS, key=lambda entry: entry.programs[0].lower())
        for name, entries in groupby(ordered, lambda entry: entry.programs[0]):
            title = f"What {name} says"
            yield from (title, "-" * len(title), "")
            for entry in entries:
                yield from _entry(entry)


def _entry(entry: ErrorText) -> Iterator[str]:
    title = plain(entry.sentence)
    yield from (title, "~" * (2 * len(title)), "")
    yield f":Printed by: {plain(', '.join(entry.programs))}"
    yield f":Wording of: {plain(entry.seen)}"
    if entry.also:
        yield f":Also as: {plain('; '.join(entry.also))}"
    yield f":Whose decision: {_SIDES[entry.side]}"
    yield f":It can mean: {', '.join(f':ref:`{code} <failure-{code}>`' for code in entry.causes)}"
    yield f":Told apart by: {plain(entry.apart)}"
    yield from (f":Command: ``{entry.command}``", "")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("error-texts", ErrorTexts)
    return {"parallel_read_safe": True}
