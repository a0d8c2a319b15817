"""What one side offered and the other chose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import TypeAlias

from tlscomm._wire.answers import chosenProtocol, chosenSignatureAlgorithm, exchangeGroup, offeredGroups
from tlscomm._wire.events import Event, Kind
from tlscomm._wire.ja4 import ja4Of
from tlscomm._wire.names import groupsText, signatureAlgorithmsText, suitesText, versionsText
from tlscomm.failures import printable
from tlscomm.tracing._certificates import ShownChain
from tlscomm.tracing._course import Course
from tlscomm.tracing._trace import Choice, Side
from tlscomm.x509._distinguishednames import decodedName

__all__ = ["choicesIn"]

#: Of what is offered so many are told; a client may offer thousands.
_MOST = 64
#: To read a name takes as long as to read a part of a certificate.
_MOST_NAMES = 16
_LONGEST = 200

_NONE = "none"

Naming: TypeAlias = Callable[[Iterable[int]], str]


def choicesIn(course: Course, clientChain: ShownChain | None) -> tuple[Choice, ...]:
    """Return what was negotiated, as far as it was seen.

    Args:
        course: what came.
        clientChain: what the client showed.
    """
    if course.at(True, "ClientHello") is None and course.answer.suite is None:
        return ()
    return tuple(_all(course, clientChain))


def _all(course: Course, clientChain: ShownChain | None) -> Iterator[Choice]:
    hello, answer = course.hello, course.answer
    version = _one(versionsText, answer.version or None)
    yield Choice("version", _each(versionsText, sorted(hello.versions, reverse=True)), "client", version)
    suite = None if answer.isRetry else answer.suite
    yield Choice("cipher suite", _each(suitesText, hello.cipherSuites), "client", _one(suitesText, suite))
    event = _message(course, True, "ClientHello")
    groups = () if event is None else offeredGroups(event.content)
    yield Choice("group", _each(groupsText, groups), "client", _one(groupsText, _group(course)))
    yield from _signatures(course)
    protocols = tuple(_text(each) for each in hello.applicationProtocols[:_MOST])
    protocol = _protocol(course)
    if protocols or protocol:
        yield Choice("application protocol", protocols, "client", None if protocol is None else _text(protocol))
    if hello.serverName is not None:
        yield Choice("server name", (printable(hello.serverName, _LONGEST),), "client", None)
    if event is not None and (fingerprint := ja4Of(event.content)):
        yield Choice("fingerprint (JA4)", (fingerprint,), "client", None)
    if course.request.authorities:
        yield Choice("certificate authorities", tuple(_authorities(course)), "server", _issuer(course, clientChain))


def _signatures(course: Course) -> Iterator[Choice]:
    """The server signs with what the client offers, and the client with what the server does."""
    sides: tuple[tuple[Side, Iterable[int] | None, str], ...] = (
        ("client", course.hello.signatureAlgorithms, "CertificateVerify" if course.isTLS13 else "ServerKeyExchange"),
        ("server", course.request.signatureAlgorithms, "CertificateVerify"),
    )
    for offeredBy, offered, name in sides:
        event = _message(course, offeredBy == "server", name)
        chosen = None if event is None else chosenSignatureAlgorithm(event.content)
        if offered is not None:
            named = _each(signatureAlgorithmsText, offered)
            yield Choice("signature algorithm", named, offeredBy, _one(signatureAlgorithmsText, chosen))


def _group(course: Course) -> int | None:
    if course.isTLS13:
        return course.answer.group
    event = _message(course, False, "ServerKeyExchange")
    return None if event is None else exchangeGroup(event.content)


def _protocol(course: Course) -> bytes | None:
    if course.answer.applicationProtocol is not None:
        return course.answer.applicationProtocol
    event = _message(course, False, "EncryptedExtensions")
    return None if event is None else chosenProtocol(event.content)


def _authorities(course: Course) -> Iterator[str]:
    for encoded in sorted(course.request.authorities)[:_MOST_NAMES]:
        yield _nameText(encoded)
    more = len(course.request.authorities) - _MOST_NAMES
    if more > 0:
        yield f"and {more} more"


def _issuer(course: Course, clientChain: ShownChain | None) -> str | None:
    """Return the authority on the list that is in the client's chain, or None."""
    for certificate in () if clientChain is None else clientChain.certificates:
        try:
            encoded = certificate.issuer.public_bytes()
        except Exception:
            continue
        if encoded in course.request.authorities:
            return _nameText(encoded)
    return None


@lru_cache(maxsize=64)
def _nameText(encoded: bytes) -> str:
    try:
        return printable(decodedName(encoded).rfc4514_string(), _LONGEST)
    except Exception:
        # Whatever a parser raises for what a stranger wrote.
        return "unreadable"


def _message(course: Course, isFromClient: bool, name: str) -> Event | None:
    index = course.at(isFromClient, name)
    event = None if index is None else course.events[index]
    return event if event is not None and event.kind is Kind.HANDSHAKE else None


def _each(named: Naming, numbers: Iterable[int]) -> tuple[str, ...]:
    """Name each number, without those that mean nothing (RFC 8701)."""
    return _namesOf(named, tuple(islice(numbers, _MOST)))


@lru_cache(maxsize=256)
def _namesOf(named: Naming, numbers: tuple[int, ...]) -> tuple[str, ...]:
    # The clients of a capture are often the same program.
    names = (named([number]) for number in numbers)
    return tuple(name for name in names if name != _NONE)


def _one(named: Naming, number: int | None) -> str | None:
    return None if number is None else "".join(_namesOf(named, (number,)))


def _text(name: bytes) -> str:
    return printable(name.decode("utf-8", "replace"), _LONGEST)
