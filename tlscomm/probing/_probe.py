"""The connections of a probe: no more than it takes to answer what was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint

from tlscomm.configuration import ClientConfiguration
from tlscomm.credentials import Credential
from tlscomm.failures import TLSFailure, printable
from tlscomm.probing._enumerating import groupsOf, suitesOf
from tlscomm.probing._findings import (
    NOT_ASKED,
    Findings,
    Spoken,
    Tried,
    connectionsIn,
    demandIn,
    firstTrace,
    misfitsOf,
    spokenIn,
    triedIn,
)
from tlscomm.probing._visit import Visit, visit

__all__ = ["MOST_IDENTITIES", "probe"]

#: Credentials that are shown to the server, a connection each.
MOST_IDENTITIES = 16

_NO_CONNECTION = "connect"

#: For servers that have none of the suites with forward secrecy and authenticated encryption; anonymous ones, and those
#: that encrypt nothing, are offered to none.
_ALL_SUITES = "ALL:!aNULL:!eNULL"


async def probe(
    reactor: Any,
    endpoint: Callable[[], IStreamClientEndpoint],
    configuration: ClientConfiguration,
    identities: Sequence[tuple[str, Credential | TLSFailure]] = (),
    *,
    isWhole: bool = False,
) -> Findings:
    """Find out what a server presents and demands.

    It takes one connection for what the server prefers, one for TLS 1.2 where that is not what it prefers, and one for
    each credential that the server can be shown: it asks for one, and is accepted itself. A server that has none of the
    suites that tlscomm's clients offer is asked once more, with all. They follow each other.

    Args:
        reactor: tells the time.
        endpoint: returns what makes a TCP connection.
        configuration: the name to ask for, the authorities to judge by, the protocols to offer, and the deadlines. It
            has no credential.
        identities: where each credential comes from, and what is to be shown to the server, or why it cannot be; at
            most 16.
        isWhole: whether each group and suite that the server accepts is asked for, with a connection each.

    Returns:
        What was found. It has a failure where there was no connection.

    Raises:
        ValueError: there are more credentials than that.
    """
    if len(identities) > MOST_IDENTITIES:
        raise ValueError(
            f"a probe shows a server at most {MOST_IDENTITIES} credentials, and {len(identities)} were given"
        )
    visits = [await visit(reactor, endpoint(), configuration)]
    first = visits[0]
    if first.failure is not None and first.failure.stage == _NO_CONNECTION:
        return Findings(address=first.address, serverName=configuration.serverName, failure=first.failure)
    isOutdated = first.failure is not None and first.failure.code == "no-common-cipher"
    if isOutdated:
        configuration = replace(configuration, ciphers=_ALL_SUITES)
        visits.append(first := await visit(reactor, endpoint(), configuration))
    versions = [spokenIn("TLSv1.3", first)]
    if versions[0].isSpoken:
        visits.append(await visit(reactor, endpoint(), replace(configuration, maximumTLS="1.2")))
    older = spokenIn("TLSv1.2", visits[-1])
    versions.append(replace(older, isOutdated=isOutdated and older.isSpoken is True))
    groups: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    if isWhole:
        groups, more = await groupsOf(reactor, endpoint, configuration, first)
        suites, others = await suitesOf(reactor, endpoint, configuration, visits[-1])
        suites = tuple(dict.fromkeys((*filter(None, [versions[0].suite]), *suites)))
        visits += [*more, *others]
    findings = _findings(configuration, visits, first, tuple(versions))
    tried = []
    for source, credential in identities:
        answer = _unseen(source, credential, configuration, findings, first)
        if isinstance(answer, ClientConfiguration):
            visits.append(await visit(reactor, endpoint(), answer, insecurely=False))
            answer = triedIn(
                source, visits[-1], () if answer.credential is None else misfitsOf(answer.credential, first)
            )
        tried.append(answer)
    return replace(findings, groups=groups, suites=suites, tried=tuple(tried), connections=connectionsIn(visits))


def _unseen(
    source: str,
    credential: Credential | TLSFailure,
    configuration: ClientConfiguration,
    findings: Findings,
    first: Visit,
) -> Tried | ClientConfiguration:
    """Return what can be said of a credential without showing it, or else a configuration to show it with."""
    try:
        if isinstance(credential, TLSFailure):
            raise credential
        showing = replace(configuration, credential=credential)
    except TLSFailure as unusable:
        return Tried(source, "unusable", unusable.message, unusable)
    if findings.clientCertificates.demand == "none":
        return Tried(source, "not asked", NOT_ASKED)
    if findings.problems or not findings.wasJudged:
        why = _NOT_TRIED.format(why=findings.problems[0].code) if findings.problems else _NOT_SEEN
        return Tried(source, "not tried", " ".join((*misfitsOf(credential, first), why)))
    return showing


_NOT_SEEN = "The handshake ended before the server had shown a certificate, and it would end so again."


_NOT_TRIED = (
    "The server is not accepted itself ({why}), and a credential is shown to none that is not: name its authority "
    "(--roots) or its name (--server-name)."
)


def _findings(
    configuration: ClientConfiguration, visits: Sequence[Visit], first: Visit, versions: tuple[Spoken, ...]
) -> Findings:
    trace = firstTrace(visits)
    judged = next((each for each in visits if each.wasJudged), visits[0])
    spoken = [each for each in versions if each.isSpoken]
    return Findings(
        address=next((each.address for each in visits if each.address), ""),
        serverName=configuration.serverName,
        versions=versions,
        protocols=tuple(printable(each.decode("latin-1")) for each in configuration.applicationProtocols),
        chain=() if trace is None else trace.serverCertificates,
        problems=judged.problems,
        wasJudged=judged.wasJudged,
        clientCertificates=demandIn(first),
        connections=connectionsIn(visits),
        failure=None if spoken else first.failure,
    )
