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
from tlscomm.probing._findings import Findings, Tried, connectionsIn, demandIn, firstTrace, spokenIn, triedIn
from tlscomm.probing._visit import Visit, visit

__all__ = ["MOST_IDENTITIES", "probe"]

#: Credentials that are shown to the server, a connection each.
MOST_IDENTITIES = 16

_NO_CONNECTION = "connect"


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
    each credential. They follow each other.

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
    versions = [spokenIn("TLSv1.3", first)]
    if versions[0].isSpoken:
        visits.append(await visit(reactor, endpoint(), replace(configuration, maximumTLS="1.2")))
    versions.append(spokenIn("TLSv1.2", visits[-1]))
    groups: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    if isWhole:
        groups, more = await groupsOf(reactor, endpoint, configuration, first)
        suites, others = await suitesOf(reactor, endpoint, configuration, visits[-1])
        suites = tuple(dict.fromkeys((*filter(None, [versions[0].suite]), *suites)))
        visits += [*more, *others]
    tried = []
    for source, credential in identities:
        try:
            if isinstance(credential, TLSFailure):
                raise credential
            showing = replace(configuration, credential=credential)
        except TLSFailure as unusable:
            tried.append(Tried(source, "unusable", unusable.message, unusable))
        else:
            visits.append(await visit(reactor, endpoint(), showing))
            tried.append(triedIn(source, visits[-1]))
    return replace(_findings(configuration, visits, tuple(versions), tuple(tried)), groups=groups, suites=suites)


def _findings(
    configuration: ClientConfiguration, visits: Sequence[Visit], versions: Any, tried: tuple[Tried, ...]
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
        clientCertificates=demandIn(visits[0]),
        tried=tried,
        connections=connectionsIn(visits),
        failure=None if spoken else visits[0].failure,
    )
