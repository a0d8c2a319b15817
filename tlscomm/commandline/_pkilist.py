"""``tlscomm pki list``: what an authority has issued."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlscomm.commandline._groupedhelp import GroupedCommand
from tlscomm.commandline._options import outputOptions
from tlscomm.commandline._pkioptions import NOT_PUBLIC, answering
from tlscomm.commandline._printing import isTerminal, say, writeJSON

if TYPE_CHECKING:
    from rich.table import Table

    from tlscomm.issuing._record import Issued

__all__ = ["listIssued"]

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
        else:
            say(f"{files.path} has issued nothing that is known.", error=True)


def _table(issued: Sequence[Issued], now: datetime) -> Table:
    import sys

    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    # What is cut off cannot be copied.
    for title in ("Name", "For", "Status", "Until", "Serial", "Names"):
        table.add_column(title, overflow="fold", no_wrap=title == "Status" and isTerminal(sys.stdout))
    for each in issued:
        status = each.status(now)
        text = f"{status}, {each.reason}" if status == "revoked" and each.reason else status
        until = "" if each.notAfter.year == datetime.max.year else f"{each.notAfter:%Y-%m-%d}"
        cells = (each.name, each.purpose, Text(text, _STYLES.get(status, "")), until, f"{each.serial:x}")
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in (*cells, ", ".join(each.names))))
    return table
