"""What is said of a certificate that has been issued: what it is, where it is, and the command that uses it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tlscomm.commandline._pkioptions import NOT_PUBLIC
from tlscomm.commandline._printing import Command, Row, say, sayNote, table, writeJSON
from tlscomm.failures import printable
from tlscomm.failures._wording import timeText

if TYPE_CHECKING:
    from tlscomm.issuing._authorityfiles import AuthorityFiles
    from tlscomm.issuing._issuing import Issuance

__all__ = ["sayIssued"]

_FOR = {"client": "for clients", "server": "for servers", "both": "for clients and servers"}
#: Endings of files that hold all that one side needs, the handiest first.
_WHOLE = (".pfx", "-with-key.pem")


def sayIssued(files: AuthorityFiles, made: Issuance, notes: Sequence[str] = (), *, asJSON: bool, isOurs: bool) -> None:
    """Tell of a certificate.

    Args:
        files: the authority.
        made: what was issued.
        notes: what was asked for and not granted.
        asJSON: whether a program reads it.
        isOurs: whether its private key is here.
    """
    told = [*notes, *_notes(made)]
    uses = _use(files, made, isOurs=isOurs)
    if asJSON:
        writeJSON(
            {
                "outcome": "issued",
                "certificate": made.issued.toJSON(),
                "files": [str(path) for path in made.files],
                "authority": str(files.path),
                "notes": told,
                "use": uses,
                "failure": None,
            }
        )
        return
    issued = made.issued
    say(
        f"Issued {printable(issued.name)}, {_FOR[issued.purpose]}.",
        table(_rows(made)),
    )
    for note in told:
        sayNote(note)
    if made.isFirst:
        sayNote(NOT_PUBLIC)
    if not isOurs:
        identity = _identity(made.files)
        say(
            "",
            "Send it to its owner, who has the private key:",
            Command(f"{identity} --key KEY --roots {files.path.name}"),
        )
    if uses:
        say("", "Use it:", *map(Command, uses))


def _rows(made: Issuance) -> Iterator[Row]:
    issued = made.issued
    yield "Names", ", ".join(issued.names) or "none"
    yield "Valid until", timeText(issued.notAfter)
    yield "Serial", f"{issued.serial:x}"
    yield "Folder", str(made.files[0].parent)
    yield "Files", ", ".join(path.name for path in made.files)


def _notes(made: Issuance) -> Iterator[str]:
    if made.isShortened:
        yield "it ends with its authority, sooner than was asked for"


def _use(files: AuthorityFiles, made: Issuance, *, isOurs: bool) -> list[str]:
    if not isOurs:
        return []
    roots = shlex.quote(str(files.path))
    server = f"twistd -n tlscomm {_identity(made.files)} --client-roots {roots}"
    if files.list.exists():
        server += f" --crl {shlex.quote(str(files.list))}"
    client = f"tlscomm connect localhost:8443 {_identity(made.files)} --roots {roots} --message hello"
    return {"server": [server], "client": [client]}.get(made.issued.purpose, [server, client])


def _identity(paths: Sequence[Path]) -> str:
    for ending in _WHOLE:
        if found := next((path for path in paths if path.name.endswith(ending)), None):
            return f"--identity {shlex.quote(str(found))}"
    key = next((path for path in paths if path.suffix == ".key"), None)
    certificate = next((path for path in paths if path.suffix in (".pem", ".cer")), None)
    named = [("--identity", certificate), ("--key", key)]
    return " ".join(f"{option} {shlex.quote(str(path))}" for option, path in named if path is not None)
