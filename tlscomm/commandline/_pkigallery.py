"""``tlscomm pki gallery``: certificates to test with, as files."""

from __future__ import annotations

from pathlib import Path

import click

from tlscomm.commandline._groupedhelp import GroupedCommand
from tlscomm.commandline._options import outputOptions
from tlscomm.commandline._pkioptions import answering
from tlscomm.commandline._printing import say, table, writeJSON

__all__ = ["gallery"]


@click.command("gallery", cls=GroupedCommand)
@click.argument("folder", type=click.Path(path_type=Path))
@outputOptions
def gallery(folder: Path, *, asJSON: bool) -> None:
    """Write certificates to test with into FOLDER: good ones, and one for every way to be refused.

    README.txt and index.json in it say what is wrong with each, and which failure the other side has to name.
    """
    from tlscomm.issuing import EXHIBITS, writeGallery

    with answering(asJSON=asJSON):
        index = writeGallery(folder)
        if asJSON:
            writeJSON({"outcome": "made", "folder": str(folder), "index": str(index), "failure": None})
            return
        say(
            f"The gallery is in {folder}.",
            table([(exhibit.name, f"{exhibit.code or 'accepted'}: {exhibit.fault}") for exhibit in EXHIBITS]),
            "",
            "Each is there as .pem, .key and .pfx, for clients and for servers, and "
            f"{index.name} lists them for programs.",
            "The side that verifies them trusts roots.pem. Never trust it in a program that is in use.",
        )
