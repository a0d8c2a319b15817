"""``tlscomm verify``: would the other side accept this credential?

The answer is that of a live handshake, because it is one, in memory. So a renewed certificate, a new access rule or a
longer revocation list can be tried before a service depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from tlscomm.commandline._completing import completeSources
from tlscomm.commandline._groupedhelp import GroupedCommand
from tlscomm.commandline._options import outputOptions, settingOptions
from tlscomm.commandline._passphrases import personalPrompt
from tlscomm.commandline._printing import heading, say, sayFailure, sayingWarnings, table, warningText, writeJSON
from tlscomm.commandline._verbosity import verbosity
from tlscomm.configuration._settingtypes import Interface
from tlscomm.failures import TLSFailure
from tlscomm.x509._roles import Role

if TYPE_CHECKING:
    from tlscomm.credentials import Credential
    from tlscomm.credentials._passphrasesources import Prompt
    from tlscomm.failures import Problem

__all__ = ["command"]


@click.command("verify", cls=GroupedCommand)
@click.argument("source", metavar="CREDENTIAL", shell_complete=completeSources)
@click.option("--as", "role", type=click.Choice(["client", "server"]), required=True, help="The side that presents it.")
@settingOptions(Interface.VERIFY)
@outputOptions
def command(source: str, *, role: Role, settings: dict[str, Any], asJSON: bool) -> None:
    """Say whether the other side would accept CREDENTIAL, a PEM or PFX file or store:...

    The exit status is 0 where it would, and 1 where it would not; the failure is the one of the live handshake.
    """
    if role == "client" and "serverName" in settings:
        raise click.UsageError("--server-name is for servers: clients are not looked for by a name")
    if role == "client" and "staple" in settings:
        raise click.UsageError("--staple is for servers: clients staple no OCSP response")
    if role == "client" and not settings["roots"]:
        raise click.UsageError("--roots is missing: no authority is trusted to issue client certificates by default")
    from tlscomm.configuration._fromsettings import identitiesOf

    credential: Credential | None = None
    warnings: tuple[Problem, ...] = ()
    keys = (settings["key"],) if "key" in settings else ()
    identities = identitiesOf({**settings, "identity": (source,), "key": keys}, personalPrompt())
    try:
        with sayingWarnings():
            (credential,) = identities.load()
            failure, warnings = _verdict(credential, role, settings, identities.passphrase)
    except TLSFailure as named:
        failure = named
    _report(credential, role, None if failure is None else _ofOurs(failure), warnings, asJSON)
    if failure is not None:
        click.get_current_context().exit(1)


def _verdict(
    credential: Credential, role: Role, settings: dict[str, Any], passphrase: Prompt | None
) -> tuple[TLSFailure | None, tuple[Problem, ...]]:
    from tlscomm.configuration._fromsettings import loadRoots, verificationSettings
    from tlscomm.revocation._ocsp import readResponse
    from tlscomm.tls import verdictWithWarnings

    staple = settings.get("staple")
    try:
        roots = [root for source in settings["roots"] for root in loadRoots(source, passphrase, role)]
        return verdictWithWarnings(
            credential,
            role,
            roots=roots if settings["roots"] else None,
            serverName=settings.get("serverName"),
            staple=None if staple is None else readResponse(staple),
            **verificationSettings(settings, passphrase, role),
        )
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None


def _ofOurs(failure: TLSFailure) -> TLSFailure:
    """Return what the other side found, as the owner of the credential would be told of it."""
    if failure.stage == "credential":
        return failure
    told = copy(failure)
    told.side = "remote"
    if told.alert is not None:
        told.alert = replace(told.alert, direction="received")
    return told


def _report(
    credential: Credential | None, role: Role, failure: TLSFailure | None, warnings: Sequence[Problem], asJSON: bool
) -> None:
    from tlscomm.x509._facts import certificateFacts

    facts = None if credential is None else certificateFacts(credential.certificate)
    if asJSON:
        writeJSON(
            {
                "outcome": "accepted" if failure is None else "failed",
                "failure": None if failure is None else failure.toJSON(),
                "warnings": [warning.toJSON() for warning in warnings],
                "role": role,
                "certificate": None if facts is None else facts.toJSON(),
            }
        )
    elif failure is not None:
        sayFailure(failure)
    elif facts is not None:
        rows = [("Subject", facts.subject), ("Until", facts.notAfter)]
        if verbosity() > 0:
            rows += [("Names", ", ".join(facts.names) or "none"), ("Issuer", facts.issuer), ("", facts.fingerprint)]
        rows += [("Warning", warningText(warning)) for warning in warnings]
        say(heading(f"Accepted as a {role}"), table(rows))
