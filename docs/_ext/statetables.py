"""``state-table`` shows the table of states that a module draws in its docstring, so that there is only one."""

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from docutils.nodes import Node
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

sys.path.append(str(Path(__file__).parents[2] / "tests"))

from drawntables import drawnTable


class StateTable(SphinxDirective):
    """Takes the name of the module."""

    required_arguments = 1

    def run(self) -> list[Node]:
        rows = drawnTable(import_module(self.arguments[0]))
        return self.parse_text_to_nodes("\n".join(_listTable(rows)))


def _listTable(rows: list[list[str]]) -> Iterator[str]:
    yield from (".. list-table::", "   :header-rows: 1", "   :widths: 20 45 35", "")
    for row in rows:
        for number, cell in enumerate(row):
            # States are in capitals, and what is code is in backticks.
            text = re.sub(r"\b[A-Z]{4,}\b", r"``\g<0>``", re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", cell))
            yield f"{'     -' if number else '   * -'} {text}"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("state-table", StateTable)
    return {"parallel_read_safe": True}
