"""``tlscomm verify``: would the other side accept this credential?

The answer is that of a live handshake, because it is one, in memory. So a renewed certificate, a new access rule or a
longer revocation list can be tried before anybody depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from tlscomm.commandline._chain import chainOptions
from tlscomm.commandline._identity import identitiesIn, readableKeyOption
from tlscomm.commandline._passphrases import Places, passphraseOptions
from tlscomm.commandline._printing import heading, say, sayFailure, table, warningText, writeJSON
from tlscomm.failures import TLSFailure
from tlscomm.x509._roles import Role

if TYPE_CHECKING:
    from tlscomm.credentials import Credential
    from tlscomm.failures import Problem
    from tlscomm.revocation import Mode
    from tlscomm.verification import Profile

__all__ = ["command"]


@click.command("verify")
@click.argument("source", metavar="CREDENTIAL")
@click.option("--as", "role", type=click.Choice(["client", "server"]), required=True, help="The side that presents it.")
@click.option("--key", metavar="FILE", help="The private key, where CREDENTIAL has none.")
@passphraseOptions("opens the credential")
@readableKeyOption
@click.option(
    "--roots",
    multiple=True,
    metavar="SOURCE",
    help="Whom the other side trusts: a file, a folder, store:... or 'system', which is the default for servers; "
    "repeatable.",
)
@chainOptions
@click.option(
    "--crl",
    multiple=True,
    metavar="SOURCE",
    help="A revocation list that the other side has, or a folder with lists; repeatable.",
)
@click.option(
    "--revocation",
    type=click.Choice(["off", "soft", "required"]),
    help="What the other side does where nothing tells whether a certificate was revoked: off does not ask, soft "
    "warns, required refuses.  [default: required with --crl]",
)
@click.option("--staple", metavar="FILE", help="An OCSP response (DER) that the server sends along with CREDENTIAL.")
@click.option("--allow", multiple=True, metavar="RULE", help="An access rule of the other side; repeatable.")
@click.option("--deny", multiple=True, metavar="RULE", help="A rule of it that keeps out; repeatable.")
@click.option(
    "--server-name", "serverName", metavar="NAME", help="The name that clients ask for, if not the certificate's own."
)
@click.option("--json", "asJSON", is_flag=True, help="Print one JSON object.")
def command(
    source: str,
    *,
    role: Role,
    key: str | None,
    places: Places,
    insecureAllowReadableKey: bool,
    asJSON: bool,
    roots: Sequence[str],
    crl: Sequence[str],
    revocation: Mode | None,
    staple: str | None,
    allow: Sequence[str],
    deny: Sequence[str],
    serverName: str | None,
    **chain: Any,
) -> None:
    """Say whether the other side would accept CREDENTIAL, a PEM or PFX file or store:...

    The exit status is 0 where it would, and 1 where it would not; the failure is the one of the live handshake.
    """
    if role == "client" and serverName is not None:
        raise click.UsageError("--server-name is for servers: clients are not looked for by a name")
    if role == "client" and staple is not None:
        raise click.UsageError("--staple is for servers: clients staple no OCSP response")
    if role == "client" and not roots:
        raise click.UsageError("--roots is missing: no authority is trusted to issue client certificates by default")
    credential: Credential | None = None
    warnings: tuple[Problem, ...] = ()
    try:
        keys = () if key is None else (key,)
        (credential,) = identitiesIn((source,), keys, places, insecureAllowReadableKey=insecureAllowReadableKey).load()
        failure, warnings = _verdict(
            credential,
            role,
            roots=roots,
            crl=crl,
            revocation=revocation,
            staple=staple,
            allow=allow,
            deny=deny,
            serverName=serverName,
            **chain,
        )
    except TLSFailure as named:
        failure = named
    _report(credential, role, None if failure is None else _ofOurs(failure), warnings, asJSON)
    if failure is not None:
        click.get_current_context().exit(1)


def _verdict(
    credential: Credential,
    role: Role,
    *,
    roots: Sequence[str],
    crl: Sequence[str],
    revocation: Mode | None,
    staple: str | None,
    allow: Sequence[str],
    deny: Sequence[str],
    serverName: str | None,
    intermediates: Sequence[str],
    pins: Sequence[str],
    profile: Profile,
) -> tuple[TLSFailure | None, tuple[Problem, ...]]:
    from tlscomm._revoking.ocsp import readResponse
    from tlscomm._settings import loadRoots
    from tlscomm.access import AccessRules
    from tlscomm.revocation import Revocation
    from tlscomm.trust import parsePin
    from tlscomm.verdict import verdictWithWarnings

    try:
        return verdictWithWarnings(
            credential,
            role,
            roots=[root for each in roots for root in loadRoots(each)] if roots else None,
            serverName=serverName,
            revocation=Revocation(files=crl, mode=revocation),
            staple=None if staple is None else readResponse(staple),
            access=AccessRules.parse(allow, deny),
            intermediates=[each for source in intermediates for each in loadRoots(source)],
            pins=[parsePin(pin) for pin in pins],
            profile=profile,
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
    from tlscomm.credentials import certificateFacts

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
        rows += [("Warning", warningText(warning)) for warning in warnings]
        say(heading(f"Accepted as a {role}"), table(rows))
