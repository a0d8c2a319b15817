"""``tlscomm pki gallery``: certificates to test with, as files."""

from __future__ import annotations

from pathlib import Path

import click

from tlscomm.commandline._printing import say, table

__all__ = ["gallery"]


@click.command("gallery")
@click.argument("folder", type=click.Path(path_type=Path))
def gallery(folder: Path) -> None:
    """Write certificates to test with into FOLDER: good ones, and one for every way to be refused.

    README.txt and index.json in it say what is wrong with each, and which failure the other side has to name.
    """
    from tlscomm.issuing import EXHIBITS, writeGallery

    try:
        index = writeGallery(folder)
    except OSError as problem:
        raise click.ClickException(f"{problem.filename or folder}: {problem.strerror}") from None
    say(
        f"The gallery is in {folder}.",
        table([(exhibit.name, f"{exhibit.code or 'accepted'}: {exhibit.fault}") for exhibit in EXHIBITS]),
        "",
        f"Each is there as .pem, .key and .pfx, for clients and for servers, and {index.name} lists them for programs.",
        "The side that verifies them trusts roots.pem. Never trust it in a program that is in use.",
    )
