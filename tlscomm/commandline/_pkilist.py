"""``tlscomm pki list``: what an authority has issued."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlscomm.commandline._groupedhelp import GroupedCommand
from tlscomm.commandline._options import outputOptions
from tlscomm.commandline._pkioptions import NOT_PUBLIC, answering
from tlscomm.commandline._printing import isTerminal, remark, say, sayNote, writeJSON
from tlscomm.commandline._verbosity import VERBOSE, verbosity
from tlscomm.failures import printable
from tlscomm.failures._wording import timeText

if TYPE_CHECKING:
    from rich.table import Table

    from tlscomm.issuing._authorityfiles import AuthorityFiles
    from tlscomm.issuing._record import Issued

__all__ = ["listIssued"]

#: What is cut off cannot be copied, or read.
_NOT_CUT = ("For", "Until", "Serial")
_STYLES = {"revoked": "red", "expired": "dim", "superseded": "dim"}


@click.command("list", cls=GroupedCommand, epilog=NOT_PUBLIC)
@click.option(
    "--authority",
    "--ca",
    "authority",
    type=click.Path(path_type=Path),
    help="The authority: its folder, or the file with its certificate.  [default: ca.pem here, or in certs]",
)
@click.option("--valid", "isValidAlone", is_flag=True, help="Only what is valid now.")
@outputOptions
def listIssued(*, authority: Path | None, isValidAlone: bool, asJSON: bool) -> None:
    """List what your authority has issued, with what has been revoked, has expired, or was superseded by a newer one.

    Certificates in its folder that were issued without tlscomm pki are listed too. The private key is not needed.
    Serial numbers are shown by -v, and where no terminal is written to.
    """
    from tlscomm.commandline._pkioptions import usualAuthority
    from tlscomm.issuing._authorityfiles import lookAt

    with answering(asJSON=asJSON):
        files = lookAt(authority or usualAuthority())
        now = datetime.now(timezone.utc)
        issued = [
            each for each in files.read().certificates.values() if not isValidAlone or each.status(now) == "valid"
        ]
        if asJSON:
            certificates = [{**each.toJSON(), "status": each.status(now)} for each in issued]
            writeJSON(
                {"outcome": "listed", "authority": str(files.path), "certificates": certificates, "failure": None}
            )
        elif issued:
            say(_table(issued, now))
            _remarkList(files, now)
        else:
            say(f"{files.path} has issued nothing that is known.", error=True)


def _table(issued: Sequence[Issued], now: datetime) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    # On a terminal that is not wide a serial number fills lines, and it can be had by --json.
    hasSerials = not isTerminal(sys.stdout) or verbosity() >= VERBOSE
    for title in ("Name", "For", "Status", "Until", *(("Serial",) if hasSerials else ()), "Names"):
        table.add_column(
            title, overflow="fold", no_wrap=title in ("For", "Until") or (title == "Serial" and hasSerials)
        )
    for each in issued:
        status = each.status(now)
        text = f"{status}, {each.reason}" if status == "revoked" and each.reason else status
        until = "" if each.notAfter.year == datetime.max.year else f"{each.notAfter:%Y-%m-%d}"
        serial = (Text(f"{each.serial:x}"),) if hasSerials else ()
        styled = Text(text, _STYLES.get(status, ""))
        names = ", ".join(map(printable, each.names))
        cells = (Text(printable(each.name)), Text(printable(each.purpose)), styled, Text(until), *serial, Text(names))
        table.add_row(*cells)
    return table


def _remarkList(files: AuthorityFiles, now: datetime) -> None:
    """Say when the list of revoked certificates expires, where there is one: peers then refuse all."""
    ends = files.listEnds()
    if ends is None:
        return
    if now > ends:
        sayNote(f"{files.list.name} has expired on {timeText(ends)}: tlscomm pki crl writes it once more")
    else:
        remark(f"{files.list.name} is valid until {timeText(ends)}.")
