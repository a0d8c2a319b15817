"""Traces for people: a diagram for the terminal, and a page that stands alone."""

from tlscomm._lazy import lazyFace

__all__ = ["diagramLines", "drawDiagram", "drawPage", "drawSVG", "drawStatus"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.drawing._diagram import diagramLines, drawDiagram
    from tlscomm.drawing._page import drawPage
    from tlscomm.drawing._statuspage import drawStatus
    from tlscomm.drawing._svg import drawSVG
else:
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "diagramLines": "tlscomm.drawing._diagram",
            "drawDiagram": "tlscomm.drawing._diagram",
            "drawPage": "tlscomm.drawing._page",
            "drawSVG": "tlscomm.drawing._svg",
            "drawStatus": "tlscomm.drawing._statuspage",
        },
    )
