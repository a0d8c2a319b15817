"""``tlscomm analyze``: how connections in captures ended, and why."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tlscomm.commandline._options import settingOptions
from tlscomm.commandline._passphrases import passphraseTo
from tlscomm.commandline._printing import isTerminal, say, sayingWarnings
from tlscomm.configuration._settingtypes import Interface
from tlscomm.failures import TLSFailure, printable

if TYPE_CHECKING:
    from rich.progress import TaskID

    from tlscomm._capture.problems import CaptureProblem
    from tlscomm._wire.secrets import Secrets
    from tlscomm.commandline._analysis import Analysis
    from tlscomm.credentials._passphrasesources import Prompt
    from tlscomm.tracing._captures import CaptureReading
    from tlscomm.verification import Verifier
    from tlscomm.x509._roles import Role

__all__ = ["command"]

#: A file of a key log is read in pieces of so many bytes.
_PIECE = 1 << 20

#: Bytes of captures from which on a bar says how far reading is.
_LONG = 20_000_000


@click.command("analyze")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
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
    "--connection",
    "numbers",
    metavar="N",
    type=click.IntRange(1),
    multiple=True,
    help="Draw the connection with this number.",
)
@click.option(
    "--keylog",
    "keylogs",
    metavar="FILE",
    multiple=True,
    help="Secrets of the connections, as SSLKEYLOGFILE names them, where the capture does not carry them.",
)
@settingOptions(Interface.ANALYZE)
@click.option("--html", metavar="FILE", help="Write a page that stands alone, to be put into a ticket.")
@click.option("--check", is_flag=True, help="End with exit status 1 where a connection was refused or broke off.")
def command(
    *,
    files: Sequence[str],
    settings: dict[str, Any],
    keylogs: Sequence[str],
    html: str | None,
    check: bool,
    **filters: Any,
) -> None:
    """Say how each TLS connection in captures of packets ended, and why.

    FILE is pcap or pcapng, of tcpdump, Wireshark or tlscomm itself; - is standard input. Several are one capture that
    was divided. One connection is drawn, message by message; of several each has its verdict, and of many the causes
    are counted. The exit status is 0 where every FILE could be read, whatever is in it, and 1 where one could not.
    """
    from tlscomm.commandline import _collection
    from tlscomm.commandline._analysis import TextAnalysis
    from tlscomm.commandline._connections import Wanted

    if html is not None and any(_isSame(html, file) for file in files):
        raise click.BadParameter("that is a capture, which it would replace", param_hint="--html")
    # A capture may be long.
    _collection.resume()
    wanted = Wanted(**filters)
    analysis = TextAnalysis(wanted, isStream="-" in files)
    failure = _analyze(files, settings, keylogs, analysis, html)
    if failure is not None or (check and analysis.connections.failedCount):
        click.get_current_context().exit(1)


def _analyze(
    files: Sequence[str], settings: dict[str, Any], keylogs: Sequence[str], analysis: Analysis, html: str | None
) -> TLSFailure | None:
    from tlscomm._capture.problems import CaptureProblem

    page = ""
    reading: CaptureReading | None = None
    failure: TLSFailure | None = None
    try:
        with _progress() as tell:
            reading = _reading(files, settings, keylogs, tell)
            page = _read(reading, analysis, files, html)
    except CaptureProblem as problem:
        failure = _named(problem)
    except TLSFailure as named:
        failure = named
    except KeyboardInterrupt:
        # That is how a person ends what captures, with all that reads it.
        if not analysis.isStream:
            raise
    analysis.end(reading, failure)
    if html is not None and page:
        _write(html, page)
    return failure


def _read(reading: CaptureReading, analysis: Analysis, files: Sequence[str], html: str | None) -> str:
    """Read all of it, and return the page of it if one is wanted."""
    if html is None:
        for _ in analysis.taken(reading):
            pass
        return ""
    from tlscomm.drawing import drawPage

    return drawPage(analysis.taken(reading), title=printable(", ".join(map(os.path.basename, files))))


def _isSame(path: str, other: str) -> bool:
    return os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)


def _write(path: str, content: str) -> None:
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
    say(f"The page is in {printable(path)}.", error=True)


def _reading(
    files: Sequence[str], settings: dict[str, Any], keylogs: Sequence[str], tell: Callable[[int, int], None] | None
) -> CaptureReading:
    from tlscomm.tracing._captures import readCaptures

    passphrase = passphraseTo(settings)
    with sayingWarnings():
        return readCaptures(
            files,
            _secrets(keylogs),
            clientVerifier=_verifier("client", settings["clientRoots"], passphrase),
            serverVerifier=_verifier("server", settings["roots"], passphrase),
            progress=tell,
        )


def _verifier(peerRole: Role, sources: Sequence[str], passphrase: Prompt | None) -> Verifier | None:
    from tlscomm.configuration._fromsettings import loadRoots
    from tlscomm.verification import Trust, Verifier

    if not sources:
        return None
    try:
        roots = tuple(root for source in sources for root in loadRoots(source, passphrase, peerRole))
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None
    return Verifier(peerRole=peerRole, trust=Trust(roots))


def _secrets(keylogs: Sequence[str]) -> Secrets:
    from tlscomm._wire.secrets import Secrets

    secrets = Secrets()
    for path in keylogs:
        try:
            with open(path, "rb") as file:
                while lines := file.readlines(_PIECE):
                    secrets.add(b"".join(lines))
        except OSError as error:
            raise _unread(path, error) from None
    return secrets


def _named(problem: CaptureProblem) -> TLSFailure:
    """Return the failure of the closed list that a file which is no capture is."""
    from tlscomm.failures import UnknownFormat

    if isinstance(problem.__cause__, OSError):
        return _unread(str(problem).removesuffix("."), problem.__cause__)
    return UnknownFormat(
        str(problem).removesuffix("."),
        remedy="Give a capture, pcap or pcapng, as tcpdump -w FILE, Wireshark and tlscomm --capture FILE write them.",
    )


def _unread(detail: str, error: OSError) -> TLSFailure:
    from tlscomm.failures import FileNotFound, Unreadable

    return (FileNotFound if isinstance(error, FileNotFoundError) else Unreadable)(detail)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """Give what draws on a terminal how far reading is, where it takes a while."""
    if not isTerminal(sys.stderr):
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task: TaskID | None = None

        def tell(position: int, size: int) -> None:
            nonlocal task
            if task is None and size >= _LONG:
                task = progress.add_task("Reading", total=size)
            if task is not None:
                progress.update(task, completed=position)

        yield tell
