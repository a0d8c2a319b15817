"""Pictures of what our own client and server have said to each other while this documentation was built.

``handshake`` takes the name of a scene and draws it as ``tlscomm analyze`` does, with ``sealed`` as it is seen without
secrets. ``handshake-files`` links the capture of all scenes, and the page that is made of it.
"""

from functools import cache
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from docutils import nodes
from docutils.nodes import Node
from docutils.parsers.rst import directives
from handshakescenes import SCENES, playScenes
from sphinx.addnodes import only
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from tlscomm._wire.secrets import Secrets
from tlscomm.drawing import drawDiagram, drawPage, drawSVG
from tlscomm.tracing import Trace, readCaptures

_CAPTURE, _PAGE = "handshake.pcapng", "handshake-analysed.html"

#: On a phone it is moved sideways, because smaller it could not be read.
_SIZE = "width: 760px; max-width: 100%; min-width: 600px"

_FIGURE = """
<figure class="handshake" style="margin: 1em 0">
<div style="overflow-x: auto"><a href="{place}"><img src="{place}" alt="{alt}" style="{size}"></a></div>
<figcaption><details><summary>The same in a terminal, with what was offered and chosen</summary>
<div class="highlight"><pre>{text}</pre></div></details></figcaption>
</figure>
"""


class _NoSecrets(Secrets):
    """Takes none, not even those that a capture brings along."""

    def add(self, lines: bytes) -> None:
        return


@cache
def _captured() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder, _CAPTURE)
        playScenes(file)
        return file.read_bytes()


@cache
def _traces(isSealed: bool) -> dict[str, Trace]:
    """Return the trace of each scene.

    Raises:
        ExtensionError: one has come to something else than the text says.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder, _CAPTURE)
        file.write_bytes(_captured())
        traces = list(readCaptures([str(file)], _NoSecrets() if isSealed else Secrets()))
    for (name, scene), trace in zip(SCENES.items(), traces, strict=True):
        verdict = trace.verdict
        if not isSealed and (verdict.code, verdict.certainty) != (scene.code, "certain"):
            raise ExtensionError(f"the handshake {name} comes to {verdict}")
    return dict(zip(SCENES, traces, strict=True))


class Handshake(SphinxDirective):
    """Takes the name of a scene."""

    required_arguments = 1
    option_spec = {"sealed": directives.flag}

    def run(self) -> list[Node]:
        name, isSealed = self.arguments[0], "sealed" in self.options
        trace = _traces(isSealed)[name]
        picture, text = drawSVG(trace), drawDiagram(trace)
        place = f"_images/handshake-{name}{'-sealed' if isSealed else ''}.svg"
        self._write(place, picture.encode())
        figure = _FIGURE.format(place=place, alt=escape(trace.verdict.sentence), size=_SIZE, text=escape(text))
        # What knows no pictures gets the text.
        return [nodes.raw("", figure, format="html"), only("", nodes.literal_block(text, text), expr="not html")]

    def _write(self, place: str, content: bytes) -> None:
        file = Path(self.env.app.outdir, place)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


class HandshakeFiles(Handshake):
    """Takes nothing."""

    required_arguments = 0
    option_spec = {}

    def run(self) -> list[Node]:
        self._write(_CAPTURE, _captured())
        self._write(_PAGE, drawPage(_traces(False).values(), title="The handshakes of the documentation").encode())
        text = (
            f'<ul class="simple"><li><a href="{_CAPTURE}">{_CAPTURE}</a>: the seven connections of this chapter, '
            f"for <code>tlscomm analyze</code>, Wireshark or tshark, with the secrets that open them</li>"
            f'<li><a href="{_PAGE}">{_PAGE}</a>: the page that <code>tlscomm analyze --html</code> makes of them, '
            f"in which each message opens</li></ul>"
        )
        return [nodes.raw("", text, format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("handshake", Handshake)
    app.add_directive("handshake-files", HandshakeFiles)
    return {"parallel_read_safe": True}
