"""From a ``tlscomm:`` endpoint string to an endpoint: its arguments are settings, by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.endpoints import clientFromString, quoteStringArgument
from twisted.internet.interfaces import IReactorCore, IReactorTime, IStreamClientEndpoint, IStreamServerEndpoint

from tlscomm.configuration._fromsettings import clientConfiguration, serverConfiguration, sourcesIn
from tlscomm.configuration._settings import defaultsOn, formerNamesOn, settingsOn
from tlscomm.configuration._settingtypes import Interface, Whole
from tlscomm.credentials._passphrasesources import passphraseSource
from tlscomm.endpoints._beforetls import acceptingBeforeTLS, connectingBeforeTLS, connectingTo
from tlscomm.endpoints._below import endpointBelow
from tlscomm.endpoints._endpoints import TLSClientEndpoint, TLSServerEndpoint
from tlscomm.limits import Limits
from tlscomm.tracing._fromsettings import tracingFrom
from tlscomm.verification._servernames import hostAndServerName
from tlscomm.watching._watchedfiles import WatchedFiles

if TYPE_CHECKING:
    from tlscomm.credentials._passphrasesources import Prompt
    from tlscomm.tracing import Tracing

__all__ = ["clientEndpoint", "renewedClient", "serverEndpoint"]

_MOST_PORTS = 65535


def serverEndpoint(
    reactor: IReactorCore, port: str | None, more: tuple[str, ...], arguments: Mapping[str, str]
) -> IStreamServerEndpoint:
    """Return the endpoint that a server's string describes.

    Args:
        reactor: listens.
        port: what stands first in it; None where nothing does.
        more: what stands there without a name, which nothing has.
        arguments: the others by name.

    Raises:
        TypeError: there is no such argument; the message names it.
        ValueError: an argument's value is not one.
        TLSFailure: the credential or the authorities cannot be used.
    """
    settings = _parsed(arguments, more, Interface.SERVER_STRING)
    if not settings["identity"]:
        raise ValueError("a server's string needs its credential: identity=")
    # Each can be read once, and what it gave is needed again when the files have changed.
    settings["passphraseFD"] = [passphraseSource(descriptor=number) for number in settings["passphraseFD"]]
    # Before they are read, so that no change is missed.
    files = WatchedFiles(sourcesIn(settings))
    configuration = serverConfiguration(settings)
    place = None
    if port is not None:
        number = Whole(0, _MOST_PORTS).parse(port, "the port")
        place = f"tcp:{number}:interface={quoteStringArgument(settings.get('interface', ''))}"
    limits = Limits.fromSettings(settings)
    limits.requireAddresses(settings.get("endpoint") or "")
    return TLSServerEndpoint(
        reactor,
        acceptingBeforeTLS(endpointBelow(reactor, _either(place, settings.get("endpoint"))), settings),
        configuration,
        limits=limits,
        readAgain=partial(serverConfiguration, settings),
        files=files,
        tracing=tracingFrom(settings, cast(IReactorTime, reactor).callLater),
    )


def clientEndpoint(
    reactor: IReactorCore, host: str | None, port: str | None, more: tuple[str, ...], arguments: Mapping[str, str]
) -> IStreamClientEndpoint:
    """Return the endpoint that a client's string describes, which begins with host and port; as `serverEndpoint`."""
    settings = _parsed(arguments, more, Interface.CLIENT_STRING)
    if (host is None) != (port is None):
        raise ValueError("a client's string begins with tlscomm:HOST:PORT, or has endpoint=")
    address, name = (None, None) if host is None else hostAndServerName(host)
    if (name := settings.get("serverName", name)) is None:
        raise ValueError("with endpoint= the server's name must be given: serverName=")
    settings["passphraseFD"] = [passphraseSource(descriptor=number) for number in settings["passphraseFD"]]
    endpoint = settings.get("endpoint")
    place: tuple[str, int] | None = None
    below: IStreamClientEndpoint
    if address is not None and port is not None and endpoint is None:
        place = address, Whole(1, _MOST_PORTS).parse(port, "the port")
        below = connectingTo(reactor, *place, settings, settings["timeout"])
    else:
        below = clientFromString(reactor, _either(host, endpoint))
    # The program may end with the connection, so that nothing is left for later.
    return renewedClient(reactor, below, name, settings, place, tracing=tracingFrom(settings))


def renewedClient(
    reactor: Any,
    below: IStreamClientEndpoint,
    serverName: str,
    settings: Mapping[str, Any],
    place: tuple[str, int] | None = None,
    *,
    tracing: Tracing | None = None,
    prompts: tuple[Prompt | None, Prompt | None] = (None, None),
) -> TLSClientEndpoint:
    """Return the endpoint of a client whose files may change.

    Args:
        reactor: tells the time.
        below: makes the TCP connection.
        serverName: the name that the server's certificate must be for.
        settings: parsed values by name.
        place: the server's host and port, which a proxy is asked for; None where an endpoint string says where it is.
        tracing: what is traced of the connections; None for nothing.
        prompts: asks a person for pass phrases now, and later.

    Raises:
        TLSFailure: a file or the credential cannot be used.
        ValueError: the settings do not fit together.
    """
    # Before they are read, so that no change is missed.
    files = WatchedFiles(sourcesIn(settings))
    now, later = prompts
    return TLSClientEndpoint(
        reactor,
        connectingBeforeTLS(below, settings, place),
        clientConfiguration(serverName, settings, prompt=now),
        readAgain=partial(clientConfiguration, serverName, settings, prompt=later),
        files=files,
        tracing=tracing,
    )


def _parsed(arguments: Mapping[str, str], more: tuple[str, ...], interface: Interface) -> dict[str, Any]:
    """Return the values of all settings that a string has, by name."""
    settings = {setting.name: setting for setting in settingsOn(interface)}
    former = formerNamesOn(interface)
    said = {former.get(f"{name}=", name).rstrip("="): text for name, text in arguments.items()}
    if unknown := (*more, *sorted(said.keys() - settings.keys())):
        side = "server" if interface is Interface.SERVER_STRING else "client"
        raise TypeError(
            f"a {side}'s tlscomm: endpoint string has no argument {unknown[0]!r}; it has "
            f"{', '.join(sorted(settings))}. A colon or an equals sign in a value has a backslash before it"
        )
    given = {name: settings[name].parseArgument(text, interface) for name, text in said.items()}
    return defaultsOn(interface) | given


def _either(place: str | None, endpoint: str | None) -> str:
    """Return the endpoint string below: the one that was given, or TCP."""
    if (place is None) == (endpoint is None):
        raise ValueError("say where either with a port or with endpoint=, and not with both")
    return place or endpoint or ""
