"""``tlscomm analyze``: how connections in captures ended, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from tlscomm.commandline._groupedhelp import GroupedCommand
from tlscomm.commandline._options import outputOptions, settingOptions
from tlscomm.configuration._settingtypes import Interface
from tlscomm.failures import TLSFailure

if TYPE_CHECKING:
    from tlscomm.commandline._analysis import Analysis
    from tlscomm.commandline._analysisfiles import Files
    from tlscomm.commandline._capturesread import Captures
    from tlscomm.tracing._captures import CaptureReading

__all__ = ["command"]


@click.command("analyze", cls=GroupedCommand)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--connection",
    "numbers",
    metavar="N",
    type=click.IntRange(1),
    multiple=True,
    help="Draw the connection with this number. May be given several times.",
)
@click.option("--failed", is_flag=True, help="Only connections that were refused or broke off.")
@click.option(
    "--host",
    "hosts",
    metavar="HOST",
    multiple=True,
    help="Only connections of this host: an address, the name that the client asks for, or a name in a certificate. "
    "* stands for any letters. May be given several times.",
)
@click.option(
    "--port",
    "ports",
    metavar="PORT",
    type=click.IntRange(1, 65535),
    multiple=True,
    help="Only connections to this port. May be given several times.",
)
@click.option(
    "--keylog",
    "keylogs",
    metavar="FILE",
    multiple=True,
    help="Secrets of the connections, as SSLKEYLOGFILE names them, where the capture does not carry them. May be "
    "given several times.",
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
@click.option(
    "--redact",
    is_flag=True,
    help="Put pseudonyms in the place of names, addresses and numbers in all that is printed and written.",
)
@click.option(
    "--write",
    "capture",
    metavar="FILE",
    help="With --redact: write the captures anew into this file, without names, secrets and what was said.",
)
@click.option("--check", is_flag=True, help="End with exit status 1 where a connection was refused or broke off.")
@outputOptions
@click.option("--brief", "isBrief", is_flag=True, help="With --json: without the messages of each connection.")
def command(
    *,
    files: Sequence[str],
    settings: dict[str, Any],
    keylogs: Sequence[str],
    applicationDataBytes: int,
    html: str | None,
    svg: str | None,
    redact: bool,
    capture: str | None,
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
    from tlscomm.commandline._analysisfiles import Files
    from tlscomm.commandline._capturesread import Captures
    from tlscomm.commandline._connections import Wanted

    _refuseUseless(html=html, asJSON=asJSON, isBrief=isBrief, applicationDataBytes=applicationDataBytes)
    _refuseContradictions(files, redact=redact, capture=capture, applicationDataBytes=applicationDataBytes)
    outputs = Files(html=html, svg=svg, capture=capture, isPrivate=applicationDataBytes > 0)
    outputs.keep((*files, *keylogs))
    # A capture may be long.
    _collection.resume()
    captures = Captures(files=files, keylogs=keylogs, applicationDataBytes=applicationDataBytes, settings=settings)
    analysis = (JSONAnalysis if asJSON else TextAnalysis)(
        Wanted(**filters),
        isStream=captures.isStream,
        isBrief=isBrief,
        showsData=applicationDataBytes > 0,
        isRedacted=redact,
    )
    failure = _analyze(captures, analysis, outputs)
    if failure is not None or (check and analysis.connections.failedCount):
        click.get_current_context().exit(1)


def _refuseUseless(*, html: str | None, asJSON: bool, isBrief: bool, applicationDataBytes: int) -> None:
    if isBrief and not asJSON:
        raise click.UsageError("--brief is for --json: it leaves messages out of the object")
    if applicationDataBytes and not (html or asJSON):
        raise click.UsageError("--show-application-data is for --html and --json, which alone can show it")


def _refuseContradictions(
    files: Sequence[str], *, redact: bool, capture: str | None, applicationDataBytes: int
) -> None:
    if capture is not None and not redact:
        raise click.UsageError("--write is for --redact: a capture is written anew to be without what it tells")
    if capture is not None and "-" in files:
        raise click.UsageError("--write needs captures in files: standard input can be read only once")
    if redact and applicationDataBytes:
        raise click.UsageError("--redact leaves out what the programs say, which --show-application-data asks for")


def _analyze(captures: Captures, analysis: Analysis, outputs: Files) -> TLSFailure | None:
    """Read all and write all, and return the failure that kept it from being read."""
    from tlscomm._capture.problems import CaptureProblem
    from tlscomm.commandline._capturesread import failureOf, interruptible, showingProgress

    page = ""
    reading: CaptureReading | None = None
    failure: TLSFailure | None = None
    try:
        with interruptible(isStream=captures.isStream), showingProgress() as tell:
            reading = captures.read(tell)
            isRedacted = analysis.pseudonyms is not None
            title = captures.title(isRedacted=isRedacted)
            page = outputs.page(analysis.taken(reading), title, isRedacted=isRedacted)
    except CaptureProblem as problem:
        failure = failureOf(problem)
    except TLSFailure as named:
        failure = named
    analysis.end(reading, failure)
    outputs.writePage(page)
    if failure is not None:
        return failure
    if reading is not None:
        captures.sayUnused(reading)
    outputs.writePicture(analysis.connections.count, analysis.connections.traces)
    if analysis.pseudonyms is not None:
        with showingProgress() as tell:
            outputs.writeCapture(captures.files, analysis.pseudonyms, tell)
    return None
