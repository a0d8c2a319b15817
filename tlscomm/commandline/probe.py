"""``tlscomm probe``: what a live server presents and demands, before there is anything to show to it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tlscomm.commandline._groupedhelp import GroupedCommand
from tlscomm.commandline._options import addressArgument, outputOptions, settingOptions
from tlscomm.commandline._passphrases import personalPrompt
from tlscomm.commandline._plan import Address, EndpointText, Plan, planFor
from tlscomm.commandline._printing import remark, say, sayFailure, sayingWarnings, writeJSON
from tlscomm.configuration._settingtypes import Interface
from tlscomm.failures import TLSFailure, printable

if TYPE_CHECKING:
    from tlscomm.credentials import Credential
    from tlscomm.credentials._passphrasesources import Prompt
    from tlscomm.probing import Findings

__all__ = ["SETTINGS", "command", "probeServer"]

#: The settings of `tlscomm connect` that a probe has a use for.
SETTINGS = frozenset(
    {
        *("identity", "key", "passphraseFile", "passphraseEnv", "passphraseFD", "insecureAllowReadableKey"),
        *("roots", "serverName", "crl", "revocation", "intermediates", "pin", "profile"),
        *("upgrade", "proxy", "alpn", "timeout"),
    }
)

#: What is not the acceptance that was asked about. A server that asks for none accepts any client.
#: What a probe offers of application protocols unless others are named: what most servers would choose of.
_OFFERED = (b"h2", b"http/1.1")

_BAD = frozenset({"doubtful", "refused", "not shown", "not tried", "failed", "unusable"})

#: Files of a folder that are looked at.
_MOST_FILES = 256

#: Seconds in which a server that asked for a certificate says whether it goes without one.
_ACCEPTANCE_SECONDS = 2.0


@click.command("probe", cls=GroupedCommand)
@addressArgument
@click.option(
    "--save",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the server's chain to FILE as PEM, unless the file is there.",
)
@click.option("--all", "isWhole", is_flag=True, help="Find out each group and each suite, with a connection for each.")
@settingOptions(Interface.CONNECT, only=SETTINGS)
@outputOptions
def command(
    address: Address | EndpointText,
    *,
    settings: dict[str, Any],
    file: Path | None,
    isWhole: bool,
    asJSON: bool,
) -> None:
    """Say what the server at ADDRESS presents and demands, and why it refuses a client.

    It takes two connections, and one more for each --identity, of which it says whether the server accepts it; a folder
    stands for all that are in it. They are shown only to a server that is accepted itself. Nothing is sent but
    handshakes. What is wrong with the server's chain is said, and does not fail the probe: the exit status is 0 where
    the server spoke TLS, and each identity would do.
    """
    probeServer(address, settings=settings, file=file, isWhole=isWhole, asJSON=asJSON)


def probeServer(
    address: Address | EndpointText,
    *,
    settings: dict[str, Any],
    file: Path | None = None,
    isWhole: bool = False,
    asJSON: bool,
) -> None:
    """Probe a server and say what was found.

    Args:
        address: where it is.
        settings: those of `Interface.CONNECT`, by name.
        file: where its chain goes, or None.
        isWhole: whether each group and suite is asked for.
        asJSON: whether the answer is an object.
    """
    if file is not None and file.exists():
        raise click.BadParameter(f"{printable(str(file))} is there already", param_hint="--save")
    try:
        findings = _found(address, settings, isWhole=isWhole)
    except TLSFailure as failure:
        if asJSON:
            writeJSON({"outcome": "failed", "failure": failure.toJSON()})
        else:
            sayFailure(failure)
        click.get_current_context().exit(1)
    if file is not None and findings.chain:
        _save(findings, file)
    isFailed = findings.failure is not None or any(each.outcome in _BAD for each in findings.tried)
    if asJSON:
        writeJSON({"outcome": "failed" if isFailed else "found", **findings.toJSON()})
    else:
        from tlscomm.commandline._probed import probed

        say(*probed(findings))
        if findings.failure is not None:
            sayFailure(findings.failure)
    if isFailed:
        click.get_current_context().exit(1)


def _found(address: Address | EndpointText, settings: dict[str, Any], *, isWhole: bool) -> Findings:
    if isinstance(address, EndpointText) and address.isWhole:
        raise click.UsageError("a tlscomm: endpoint string says what a probe is to find out; name HOST:PORT or tcp:…")
    identities = _identities(settings)
    try:
        with sayingWarnings():
            plan = planFor(address, {**settings, "identity": (), "key": ()}, prompt=personalPrompt())
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None
    return _probed(plan, identities, isWhole=isWhole)


def _identities(settings: dict[str, Any]) -> list[tuple[str, Credential | TLSFailure]]:
    """Return the credentials that were named, each with its source, or why it cannot be used."""
    sources = settings["identity"]
    if not sources:
        return []
    prompt = personalPrompt()
    found: list[tuple[str, Credential | TLSFailure]] = []
    for source in sources:
        held = _held(source, settings, prompt) if os.path.isdir(source) else {}
        found += held.items() or [(source, _identity({**settings, "identity": (source,)}, prompt))]
    return [(printable(source), credential) for source, credential in found]


def _held(folder: str, settings: dict[str, Any], prompt: Prompt | None) -> dict[str, Credential]:
    """Return the credentials in a folder by their files, each once; it has keys and chains by themselves as well."""
    held: dict[str, Credential] = {}
    for file in sorted(_filesIn(folder)):
        credential = _identity({**settings, "identity": (file,)}, prompt)
        if isinstance(credential, TLSFailure) or credential.privateKey is None:
            continue
        if all(credential.certificate != each.certificate for each in held.values()):
            held[file] = credential
    return held


def _filesIn(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.path for entry in islice(entries, _MOST_FILES) if entry.is_file()]


def _identity(settings: dict[str, Any], prompt: Prompt | None) -> Credential | TLSFailure:
    from tlscomm.configuration._fromsettings import identitiesOf

    keys = settings["key"]
    try:
        with sayingWarnings():
            (credential,) = identitiesOf({**settings, "key": keys if len(keys) == 1 else ()}, prompt).load()
    except TLSFailure as unusable:
        return unusable
    return credential


def _probed(plan: Plan, identities: Sequence[tuple[str, Credential | TLSFailure]], *, isWhole: bool) -> Findings:
    # Late, so that help, wrong usage and broken credentials do not wait for Twisted's reactor.
    from tlscomm.commandline._reaching import endpointBelowTLS
    from tlscomm.commandline._running import run
    from tlscomm.probing import probe

    assert plan.configuration is not None
    deadlines = replace(plan.configuration.deadlines, acceptance=_ACCEPTANCE_SECONDS)
    configuration = replace(
        plan.configuration,
        deadlines=deadlines,
        applicationProtocols=plan.configuration.applicationProtocols or _OFFERED,
    )

    async def work(reactor: Any) -> Findings:
        endpoint = endpointBelowTLS(reactor, plan)
        return await probe(reactor, lambda: endpoint, configuration, identities, isWhole=isWhole)

    try:
        findings = run(work)
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None
    isOfServer = findings.address and "proxy" not in plan.beforeTLS
    return findings if isOfServer else replace(findings, address=str(plan.address))


def _save(findings: Findings, file: Path) -> None:
    from ssl import DER_cert_to_PEM_cert

    try:
        with file.open("x", encoding="ascii") as written:
            written.writelines(DER_cert_to_PEM_cert(each.der) for each in findings.chain)
    except OSError as problem:
        raise click.ClickException(f"{printable(str(file))}: {problem.strerror}") from None
    remark(f"The server's chain is in {printable(str(file))}; to trust what is in it is yours to decide.")
