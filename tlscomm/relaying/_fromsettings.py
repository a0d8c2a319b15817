"""What `Forwarding` a server's settings ask for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IStreamClientEndpoint

from tlscomm.failures import printable
from tlscomm.proxyprotocol._writing import options
from tlscomm.relaying._byname import ForwardingByName, nameAndPlace
from tlscomm.relaying._forwarding import Forwarding
from tlscomm.relaying._places import staysHere
from tlscomm.transport import proxyHeader

__all__ = ["clientEndpointFrom", "forwardingFrom", "namesServed", "openingFrom"]

#: Python names the function of the parser, which says nothing to who wrote the string.
_FUNCTION = re.compile(r"^[\w.<>]+\(\) ")


def forwardingFrom(settings: Mapping[str, Any], reactor: Any) -> Forwarding | ForwardingByName:
    """Return the factory that forwards where the settings say.

    Args:
        settings: those of a server, by name; ``forward`` is among them.
        reactor: connects and tells the time.

    Raises:
        ValueError: that cannot be done; the message says why.
    """
    if "application" in settings:
        raise ValueError("--forward takes the place of --application: say one of them")
    opening = openingFrom(settings)
    found: dict[str, Forwarding] = {}
    for name, place in map(nameAndPlace, settings["forward"]):
        if name in found:
            raise ValueError(f"--forward is said twice {f'for {printable(name)}' if name else 'without a name'}")
        found[name] = _forwarding(place, settings, reactor, opening)
    return found[""] if tuple(found) == ("",) else ForwardingByName(found)


def openingFrom(settings: Mapping[str, Any]) -> Callable[[Any], bytes] | None:
    """Return what makes the first bytes for a backend: a header of the PROXY protocol, where settings ask for one.

    Raises:
        ValueError: the settings do not fit together.
    """
    word, more = settings.get("sendProxy"), tuple(settings.get("sendProxyOptions", ()))
    if word is None:
        if more:
            raise ValueError("a PROXY header is told what to say, and none is to be sent")
        return None
    options(word, more)
    return lambda transport: proxyHeader(transport, word, more)


def namesServed(settings: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the names that clients may ask for, or None where there is a backend for any."""
    names = [nameAndPlace(each)[0] for each in settings["forward"]]
    return None if not names or "" in names else tuple(names)


def _forwarding(
    place: str, settings: Mapping[str, Any], reactor: Any, opening: Callable[[Any], bytes] | None
) -> Forwarding:
    if not (settings.get("insecureForwardPlain") or staysHere(place)):
        raise ValueError(
            f"--forward {printable(place)} could leave this machine in the clear: name a Unix socket or a port of "
            "127.0.0.1, have the other machine speak TLS too (tlscomm:HOST:PORT:...), or say that this is meant with "
            "--insecure-forward-plain"
        )
    return Forwarding(
        reactor,
        clientEndpointFrom(reactor, place, "--forward"),
        printable(place),
        connectTimeout=settings["connectTimeout"],
        halfCloseTimeout=settings["halfCloseTimeout"],
        opening=opening,
    )


def clientEndpointFrom(reactor: Any, place: str, name: str) -> IStreamClientEndpoint:
    """Return the client endpoint that a string describes.

    Args:
        reactor: connects.
        place: an endpoint string of Twisted's or of a plugin.
        name: what to call it in the error.

    Raises:
        ValueError: it describes none; the message says why.
        TLSFailure: it is one of tlscomm's, and a file that it names cannot be used.
    """
    try:
        return cast(IStreamClientEndpoint, clientFromString(reactor, place))
    except (TypeError, ValueError, LookupError) as problem:
        reason = _FUNCTION.sub("", str(problem)) or repr(problem)
        raise ValueError(f"{name} {printable(place)}: {printable(reason)}") from None
