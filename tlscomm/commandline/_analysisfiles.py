"""The files that an analysis is written into: a page, a picture, and the captures without what they tell."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlscomm._dataclasses import dataclass
from tlscomm.commandline._printing import remark
from tlscomm.failures import printable

if TYPE_CHECKING:
    from tlscomm.tracing import Pseudonyms, Trace

__all__ = ["Files"]


@dataclass(frozen=True, kw_only=True)
class Files:
    """Where to write.

    Attributes:
        html: the page, or None.
        svg: the picture, or None.
        capture: the redacted capture, or None.
        isPrivate: whether only the owner may read the page and the picture: what the programs said is told.
    """

    html: str | None
    svg: str | None
    capture: str | None
    isPrivate: bool

    def keep(self, others: Sequence[str]) -> None:
        """Refuse to replace files that are read, and one that is written by another one.

        Raises:
            click.BadParameter: one of them is to be written.
        """
        written: list[str] = []
        for option, path in (("--html", self.html), ("--svg", self.svg), ("--write", self.capture)):
            if path is None:
                continue
            if not path:
                raise click.BadParameter("it is empty; leave it out, or name a file", param_hint=option)
            if any(_isSame(path, other) for other in others):
                raise click.BadParameter("that is a file that is read, and it would be replaced", param_hint=option)
            if any(_isSame(path, other) for other in written):
                raise click.BadParameter("another option writes that file, and it would be replaced", param_hint=option)
            written.append(path)

    def page(self, traces: Iterable[Trace], title: str, *, isRedacted: bool) -> str:
        """Go through all traces, and return the page of them where one is wanted."""
        if self.html is None:
            for _ in traces:
                pass
            return ""
        from tlscomm.drawing import drawPage

        return drawPage(traces, title=printable(title), isRedacted=isRedacted)

    def writePage(self, page: str) -> None:
        """Write the page where there is one."""
        if self.html is not None and page:
            _write(self.html, page, "page", isPrivate=self.isPrivate)

    def writePicture(self, count: int, traces: Sequence[Trace]) -> None:
        """Draw the one trace that there is, where a picture is wanted."""
        if self.svg is None:
            return
        if count != 1:
            raise click.ClickException(
                f"--svg draws one connection, and there are {count:,}; choose one: --connection N"
            )
        from tlscomm.drawing import drawSVG

        _write(self.svg, drawSVG(traces[0]), "picture", isPrivate=self.isPrivate)

    def writeCapture(
        self, files: Sequence[str], pseudonyms: Pseudonyms, tell: Callable[[int, int], None] | None
    ) -> None:
        """Write the captures anew where that is wanted, without what they tell.

        Raises:
            CaptureProblem: one of them cannot be read any more.
        """
        if self.capture is None:
            return
        from tlscomm.tracing import redactCaptures

        try:
            redactCaptures(files, self.capture, pseudonyms, tell)
        except OSError as error:
            raise _unwritten(self.capture, error) from None
        remark(f"The redacted capture is in {printable(self.capture)}.")


def _isSame(path: str, other: str) -> bool:
    if os.path.exists(path) and os.path.exists(other):
        return os.path.samefile(path, other)
    return os.path.realpath(path) == os.path.realpath(other)


def _write(path: str, content: str, what: str, *, isPrivate: bool) -> None:
    from tlscomm.x509._files import File, writeFiles

    place = Path(path)
    # A pipe or a device is not replaced.
    isReplaced = place.is_file() or not place.exists()
    try:
        if isReplaced:
            writeFiles(place.parent, {place.name: File(content.encode(), isSecret=isPrivate)})
        else:
            place.write_bytes(content.encode())
    except OSError as error:
        raise _unwritten(path, error) from None
    about = ", which only you can read: it may tell what the programs said" if isPrivate and isReplaced else ""
    remark(f"The {what} is in {printable(path)}{about}.")


def _unwritten(path: str, error: OSError) -> click.ClickException:
    return click.ClickException(f"{printable(path)} cannot be written: {error.strerror}")
