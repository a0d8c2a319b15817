"""``tlscomm analyze``: how connections in captures ended, and why."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tlscomm.commandline._options import settingOptions
from tlscomm.commandline._printing import say
from tlscomm.configuration._settingtypes import Interface
from tlscomm.failures import TLSFailure, printable

if TYPE_CHECKING:
    from tlscomm.commandline._analysis import Analysis
    from tlscomm.commandline._capturesread import Captures
    from tlscomm.tracing._captures import CaptureReading

__all__ = ["command"]


@click.command("analyze")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--connection",
    "numbers",
    metavar="N",
    type=click.IntRange(1),
    multiple=True,
    help="Draw the connection with this number.",
)
@click.option("--failed", is_flag=True, help="Only connections that were refused or broke off.")
@click.option(
    "--host",
    "hosts",
    metavar="HOST",
    multiple=True,
    help="Only connections of this host: an address, the name that the client asks for, or a name in a certificate. "
    "* stands for any letters.",
)
@click.option("--port", "ports", metavar="PORT", type=int, multiple=True, help="Only connections to this port.")
@click.option(
    "--keylog",
    "keylogs",
    metavar="FILE",
    multiple=True,
    help="Secrets of the connections, as SSLKEYLOGFILE names them, where the capture does not carry them.",
)
@settingOptions(Interface.ANALYZE)
@click.option(
    "--show-application-data",
    "applicationDataBytes",
    metavar="BYTES",
    type=click.IntRange(0, 1 << 24),
    default=0,
    help="Keep so many bytes of what the programs say, each way, for --html and --json. Without it they are counted.",
)
@click.option("--html", metavar="FILE", help="Write a page that stands alone, to be put into a ticket.")
@click.option(
    "--svg", metavar="FILE", help="Write a picture of the one connection that there is, or that is asked for."
)
@click.option("--check", is_flag=True, help="End with exit status 1 where a connection was refused or broke off.")
@click.option("--json", "asJSON", is_flag=True, help="Print one JSON object.")
@click.option("--brief", "isBrief", is_flag=True, help="With --json: without the messages of each connection.")
def command(
    *,
    files: Sequence[str],
    settings: dict[str, Any],
    keylogs: Sequence[str],
    applicationDataBytes: int,
    html: str | None,
    svg: str | None,
    check: bool,
    asJSON: bool,
    isBrief: bool,
    **filters: Any,
) -> None:
    """Say how each TLS connection in captures of packets ended, and why.

    FILE is pcap or pcapng, of tcpdump, Wireshark or tlscomm itself; - is standard input. Several are one capture that
    was divided. One connection is drawn, message by message; of several each has its verdict, and of many the causes
    are counted. The exit status is 0 where every FILE could be read, whatever is in it, and 1 where one could not.
    """
    from tlscomm.commandline import _collection
    from tlscomm.commandline._analysis import JSONAnalysis, TextAnalysis
    from tlscomm.commandline._capturesread import Captures
    from tlscomm.commandline._connections import Wanted

    for option, path in (("--html", html), ("--svg", svg)):
        if path is not None and any(_isSame(path, file) for file in (*files, *keylogs)):
            raise click.BadParameter("that is a file that is read, and it would be replaced", param_hint=option)
    # A capture may be long.
    _collection.resume()
    captures = Captures(files=files, keylogs=keylogs, applicationDataBytes=applicationDataBytes, settings=settings)
    kind = JSONAnalysis if asJSON else TextAnalysis
    analysis = kind(Wanted(**filters), isStream=captures.isStream, isBrief=isBrief, showsData=applicationDataBytes > 0)
    failure = _analyze(captures, analysis, html)
    if svg is not None:
        _drawPicture(svg, analysis)
    if failure is not None or (check and analysis.connections.failedCount):
        click.get_current_context().exit(1)


def _analyze(captures: Captures, analysis: Analysis, html: str | None) -> TLSFailure | None:
    from tlscomm._capture.problems import CaptureProblem
    from tlscomm.commandline._capturesread import failureOf, showingProgress

    page = ""
    reading: CaptureReading | None = None
    failure: TLSFailure | None = None
    try:
        with showingProgress() as tell:
            reading = captures.read(tell)
            page = _read(reading, analysis, captures.files if html is not None else None)
    except CaptureProblem as problem:
        failure = failureOf(problem)
    except TLSFailure as named:
        failure = named
    analysis.end(reading, failure)
    if html is not None and page:
        _write(html, page, "page")
    return failure


def _read(reading: CaptureReading, analysis: Analysis, titles: Sequence[str] | None) -> str:
    """Read all of it, and return the page of it where it has a title."""
    if titles is None:
        for _ in analysis.taken(reading):
            pass
        return ""
    from tlscomm.drawing import drawPage

    return drawPage(analysis.taken(reading), title=printable(", ".join(map(os.path.basename, titles))))


def _drawPicture(path: str, analysis: Analysis) -> None:
    from tlscomm.drawing import drawSVG

    if (count := analysis.connections.count) != 1:
        raise click.ClickException(f"--svg draws one connection, and there are {count:,}; choose one: --connection N")
    _write(path, drawSVG(analysis.connections.traces[0]), "picture")


def _isSame(path: str, other: str) -> bool:
    return os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)


def _write(path: str, content: str, what: str) -> None:
    from tlscomm.x509._files import File, writeFiles

    place = Path(path)
    try:
        if place.exists() and not place.is_file():
            # A pipe or a device is not replaced.
            place.write_bytes(content.encode())
        else:
            writeFiles(place.parent, {place.name: File(content.encode(), isSecret=False)})
    except OSError as error:
        raise click.ClickException(f"{printable(path)} cannot be written: {error.strerror}") from None
    say(f"The {what} is in {printable(path)}.", error=True)
