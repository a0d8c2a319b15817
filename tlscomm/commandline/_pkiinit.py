"""``tlscomm pki init``: an authority for development, and what the first try needs of it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlscomm.commandline._groupedhelp import GroupedCommand
from tlscomm.commandline._options import outputOptions
from tlscomm.commandline._pkioptions import NOT_PUBLIC, answering, phrased
from tlscomm.commandline._printing import Command, say, table, writeJSON
from tlscomm.failures import TLSFailure

if TYPE_CHECKING:
    from tlscomm.credentials import Credential
    from tlscomm.issuing import DevelopmentAuthority

__all__ = ["init"]

_DONE = {"kept": "is there already", "renewed": "was renewed", "made": "was made"}


@click.command("init", cls=GroupedCommand, epilog=NOT_PUBLIC)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="Another name or address of the server, besides localhost, 127.0.0.1 and ::1; repeatable.",
)
@outputOptions
def init(folder: Path, hosts: Sequence[str], *, asJSON: bool) -> None:
    """Make a development authority in FOLDER, with a credential for a server and one for a client in every format.

    Where FOLDER has one already it is kept; what has expired in it is renewed.
    """
    with answering(asJSON=asJSON):
        made, done = _ensure(folder, hosts)
        _record(made)
        if asJSON:
            writeJSON({"outcome": done, "folder": str(made.folder), "names": _names(made.server), "failure": None})
        else:
            _describe(made, _DONE[done])


def _record(made: DevelopmentAuthority) -> None:
    """Have it known what was issued here, before more is."""
    from tlscomm.issuing._authorityfiles import lookAt

    files = lookAt(made.path("ca.pem"))
    with files.opened() as ledger:
        ledger.write()


def _ensure(folder: Path, hosts: Sequence[str]) -> tuple[DevelopmentAuthority, str]:
    """Return the authority, and what was done to have it."""
    from tlscomm.issuing import DEVELOPMENT_HOSTS, ensureDevelopmentAuthority

    named = [_asciiHost(host) for host in hosts]
    before = _fingerprints(folder)
    made = ensureDevelopmentAuthority(folder, hosts=tuple(dict.fromkeys((*DEVELOPMENT_HOSTS, *named))))
    if missing := [host for host in named if host not in _names(made.server)]:
        raise click.ClickException(
            f"{folder} has a development authority already, and its server is not called {', '.join(missing)}; "
            "name another folder"
        )
    kept = before & _fingerprints(folder)
    return made, "kept" if len(kept) == 3 else "renewed" if kept else "made"


def _fingerprints(folder: Path) -> set[str]:
    """Return which certificates are there; renewing keeps the authority's."""
    from tlscomm.credentials import loadCertificates
    from tlscomm.x509._facts import certificateFacts

    found = set()
    for name in ("ca.pem", "server.pem", "client.pem"):
        try:
            found.add(certificateFacts(loadCertificates(folder / name)[0]).fingerprint)
        except TLSFailure:
            # Whatever is wrong with it, it was not kept.
            continue
    return found


def _describe(made: DevelopmentAuthority, done: str) -> None:
    quoted = {name: shlex.quote(str(made.path(name))) for name in ("ca.pem", "server.pfx", "client.pfx")}
    # Where it is the usual one, no option is needed.
    named = "" if made.folder == Path("certs") else f" --authority {shlex.quote(str(made.folder))}"
    say(
        f"The development authority in {made.folder} {done}.",
        table(
            [
                ("ca.pem, ca.cer", "the authority's certificate, which both sides trust"),
                ("ca.key", "its private key"),
                ("server.*", f"the server's credential: {', '.join(_names(made.server))}"),
                ("client.*", "the client's credential"),
            ]
        ),
        "",
        "Each credential is there as PEM (.pem and .key, and both in one as -with-key.pem), PFX, CER and P7B; the PFX",
        "files have an empty pass phrase. For development only: the keys are not protected.",
        NOT_PUBLIC,
        "",
        "Try it:",
        Command(f"twistd -n tlscomm --identity {quoted['server.pfx']} --client-roots {quoted['ca.pem']}"),
        Command(
            f"tlscomm connect localhost:8443 --identity {quoted['client.pfx']} --roots {quoted['ca.pem']} "
            "--message hello"
        ),
        "",
        "One more client, one more server:",
        Command(f"tlscomm pki issue client alice{named}"),
        Command(f"tlscomm pki issue server db.example.org{named}"),
    )


def _names(credential: Credential) -> tuple[str, ...]:
    from tlscomm.access import Peer

    peer = Peer((credential.certificate,))
    return (*peer.dnsNames, *peer.addresses)


def _asciiHost(host: str) -> str:
    from tlscomm.commandline._pkinames import hostName

    with phrased("--host"):
        return str(hostName(host).value)
