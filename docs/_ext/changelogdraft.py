"""``changes-draft``: what the next release changes, from the notes in ``changes/``, as towncrier will write it."""

import subprocess
import sys
from pathlib import Path

from docutils.nodes import Node
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

_ROOT = Path(__file__).parents[2]


class ChangesDraft(SphinxDirective):
    """Shows the notes under the heading that its argument is; nothing where there are none."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[Node]:
        notes = sorted((_ROOT / "changes").glob("+*.rst"))
        if not notes:
            return []
        for note in notes:
            self.env.note_dependency(str(note))
        command = (sys.executable, "-m", "towncrier", "build", "--draft", "--version", "next", "--date", "")
        said = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True).stdout
        # Above the first section stands towncrier's own heading.
        title = self.arguments[0]
        _, rule, body = said.partition("\n-----")
        text = "\n".join([title, "-" * len(title), *(rule + body).lstrip("\n-").split("\n")])
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("changes-draft", ChangesDraft)
    return {"parallel_read_safe": True}
