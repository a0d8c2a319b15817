"""Traces for people: a diagram for the terminal, and a page that stands alone."""

from tlscomm._lazy import lazyFace

__all__ = ["diagramLines", "drawDiagram"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.drawing._diagram import diagramLines, drawDiagram
else:
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "diagramLines": "tlscomm.drawing._diagram",
            "drawDiagram": "tlscomm.drawing._diagram",
        },
    )
