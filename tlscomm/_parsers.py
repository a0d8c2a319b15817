"""The ``tlscomm:`` endpoint strings.

Every program that looks up plugins imports this module, so it imports nothing that costs: no OpenSSL, no reactor. What
a string needs is imported when it is parsed.
"""

from __future__ import annotations

from inspect import signature
from typing import Any

from twisted.internet.interfaces import (
    IReactorCore,
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpoint,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import IPlugin
from zope.interface import implementer

__all__ = ["TLSCommClientParser", "TLSCommServerParser"]


@implementer(IPlugin, IStreamServerEndpointStringParser)
class TLSCommServerParser:
    """``tlscomm:PORT:identity=server.pfx:clientRoots=ca.pem:…`` for servers."""

    prefix = "tlscomm"

    def parseStreamServer(  # type: ignore[override]
        self,
        reactor: IReactorCore,
        port: str | None = None,
        *more: str,
        interface: str = "",
        endpoint: str | None = None,
        crl: str | None = None,
        staple: str | None = None,
        allow: str | None = None,
        deny: str | None = None,
        intermediates: str | None = None,
        pin: str | None = None,
        maximumConnections: str | None = None,
        clientRoots: str | None = None,
        handshakeTimeout: str | None = None,
        writeTimeout: str | None = None,
        closeTimeout: str | None = None,
        **settings: Any,
    ) -> IStreamServerEndpoint:
        """Return the endpoint that a string describes.

        Raises:
            TypeError: there is no such argument; the message names it.
            ValueError: an argument's value is not one.
            TLSFailure: the credential or the authorities cannot be used.
        """
        from twisted.internet.endpoints import quoteStringArgument, serverFromString

        from tlscomm._settings import Identities, serverConfiguration
        from tlscomm.endpoints import TLSServerEndpoint

        _renameFormer(settings)
        _refuseUnknown(settings, more, _SERVER, "server")
        _refuseWrong(settings)
        identities = Identities(**_identities(settings))
        if not identities.identity:
            raise ValueError("a server's string needs its credential: identity=")
        limits = _limits(handshakeTimeout=handshakeTimeout, writeTimeout=writeTimeout, closeTimeout=closeTimeout)
        configuration = serverConfiguration(
            identities=identities,
            clientRoots=() if clientRoots is None else (clientRoots,),
            crl=_several(crl),
            staple=_several(staple),
            allow=_rules(allow, "allow="),
            deny=_rules(deny, "deny="),
            intermediates=_several(intermediates),
            pins=_pins(pin),
            limits=limits,
            **settings,
        )
        place = None
        if port is not None:
            place = f"tcp:{_number(port, 'the port', 0, _PORTS)}:interface={quoteStringArgument(interface)}"
        below = _either(place, endpoint)
        return TLSServerEndpoint(
            reactor,
            serverFromString(reactor, below),
            configuration,
            maximumConnections=None
            if maximumConnections is None
            else _number(maximumConnections, "maximumConnections="),
        )


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class TLSCommClientParser:
    """``tlscomm:HOST:PORT:identity=client.pfx:roots=ca.pem:…`` for clients."""

    prefix = "tlscomm"

    def parseStreamClient(  # type: ignore[override]
        self,
        reactor: IReactorCore,
        host: str | None = None,
        port: str | None = None,
        *more: str,
        serverName: str | None = None,
        timeout: str = "30",
        endpoint: str | None = None,
        crl: str | None = None,
        allow: str | None = None,
        deny: str | None = None,
        intermediates: str | None = None,
        pin: str | None = None,
        roots: str | None = None,
        handshakeTimeout: str | None = None,
        writeTimeout: str | None = None,
        closeTimeout: str | None = None,
        **settings: Any,
    ) -> IStreamClientEndpoint:
        """Return the endpoint that a string describes; it raises as `TLSCommServerParser.parseStreamServer`."""
        from twisted.internet.endpoints import clientFromString

        from tlscomm._hosts import AnyHostname
        from tlscomm._settings import Identities, clientConfiguration, seconds
        from tlscomm.endpoints import TLSClientEndpoint

        _renameFormer(settings)
        _refuseUnknown(settings, more, _CLIENT, "client")
        _refuseWrong(settings)
        identities = Identities(**_identities(settings))
        if (name := serverName or host) is None:
            raise ValueError("with endpoint= the server's name must be given: serverName=")
        if (host is None) != (port is None):
            raise ValueError("a client's string begins with tlscomm:HOST:PORT, or has endpoint=")
        limits = _limits(handshakeTimeout=handshakeTimeout, writeTimeout=writeTimeout, closeTimeout=closeTimeout)
        configuration = clientConfiguration(
            name,
            identities=identities,
            roots=() if roots is None else (roots,),
            crl=_several(crl),
            allow=_rules(allow, "allow="),
            deny=_rules(deny, "deny="),
            intermediates=_several(intermediates),
            pins=_pins(pin),
            limits=limits,
            **settings,
        )
        below: IStreamClientEndpoint
        if host is not None and port is not None and endpoint is None:
            connectSeconds = seconds(timeout, "timeout=") or 1e9
            below = AnyHostname(reactor, host.strip("[]"), _number(port, "the port", 1, _PORTS), timeout=connectSeconds)
        else:
            below = clientFromString(reactor, _either(host, endpoint))
        return TLSClientEndpoint(reactor, below, configuration)


_PORTS = 65535
_DESCRIPTORS = (1 << 31) - 1

#: What is said of our credentials; of the first five there may be several.
_IDENTITIES = ("identity", "key", "passphraseFile", "passphraseEnv", "passphraseFD", "insecureAllowReadableKey")

#: What each side has besides what its parser names.
_BOTH = frozenset(
    {*_IDENTITIES, "fetchCRLs", "revalidation", "maximumTLS", "minimumTLS", "profile", "resumption", "revocation"}
)
_SERVER = _BOTH | {"clientCertificates"}
_CLIENT = _BOTH


#: The words that an argument may be.
_WORDS = {
    "clientCertificates": ("none", "requested", "required"),
    "revalidation": ("yes", "no"),
    "maximumTLS": ("1.2", "1.3"),
    "minimumTLS": ("1.2", "1.3"),
    "profile": ("compatible", "strict"),
    "resumption": ("yes", "no"),
    "revocation": ("off", "soft", "required"),
}


def _renameFormer(settings: dict[str, Any]) -> None:
    """Give a setting that is called by its former name the one that it has."""
    if "judgesAgain" in settings:
        settings["revalidation"] = settings.pop("judgesAgain")


def _refuseUnknown(settings: dict[str, Any], more: tuple[str, ...], known: frozenset[str], side: str) -> None:
    if unknown := (*more, *sorted(settings.keys() - known)):
        parser = TLSCommServerParser.parseStreamServer if side == "server" else TLSCommClientParser.parseStreamClient
        named = (name for name, kind in signature(parser).parameters.items() if kind.kind is kind.KEYWORD_ONLY)
        has = ", ".join(sorted((*known, *named)))
        raise TypeError(
            f"a {side}'s tlscomm: endpoint string has no argument {unknown[0]!r}; it has {has}. A colon or an "
            "equals sign in a value has a backslash before it"
        )


def _refuseWrong(settings: dict[str, Any]) -> None:
    """Refuse a word that an argument cannot be, and make true or false of yes and no."""
    for name, words in _WORDS.items():
        if (word := settings.get(name)) is None:
            continue
        if word not in words:
            raise ValueError(f"{name}= is {', '.join(words[:-1])} or {words[-1]}, not {word!r}")
        if words == ("yes", "no"):
            settings[name] = word == "yes"


def _limits(**texts: str | None) -> Any:
    """Return the deadlines of arguments that are called like them."""
    from tlscomm._settings import deadlines, seconds

    for name, text in texts.items():
        if text is not None:
            seconds(text, f"{name}=")
    return deadlines(**{name.removesuffix("Timeout"): text for name, text in texts.items()})


def _identities(settings: dict[str, Any]) -> dict[str, Any]:
    """Take out of the settings what is said of our credentials. The names of files and of entries have commas."""
    said = {name: settings.pop(name) for name in _IDENTITIES if name in settings}
    permitted = said.pop("insecureAllowReadableKey", "no")
    if permitted not in ("yes", "no"):
        raise ValueError(f"insecureAllowReadableKey= is yes or no, not {permitted!r}")
    several: dict[str, Any] = {name: tuple(text.split(";")) for name, text in said.items()}
    if descriptors := several.get("passphraseFD"):
        several["passphraseFD"] = tuple(_number(text, "passphraseFD=", 0, _DESCRIPTORS) for text in descriptors)
    return {**several, "insecureAllowReadableKey": permitted == "yes"}


def _several(value: str | None) -> list[str]:
    """Return the parts of an argument that takes several, which a string can hold only once: commas separate them."""
    return [] if value is None else value.split(",")


def _rules(value: str | None, name: str) -> list[str]:
    """Return the access rules of an argument, which commas separate where they are not in quotes."""
    from tlscomm._admitting.ruletext import parseRules

    try:
        return [] if value is None else [str(rule) for rule in parseRules(value)]
    except ValueError as why:
        raise ValueError(f"{name}: {why}") from None


def _pins(value: str | None) -> list[str]:
    """Return the pins of an argument, which commas separate."""
    from tlscomm.trust import parsePin

    try:
        return [str(parsePin(pin)) for pin in _several(value)]
    except ValueError as why:
        raise ValueError(f"pin=: {why}") from None


def _either(place: str | None, endpoint: str | None) -> str:
    """Return the endpoint string below: the one that was given, or TCP."""
    if (place is None) == (endpoint is None):
        raise ValueError("say where either with a port or with endpoint=, and not with both")
    return place or endpoint or ""


def _number(text: str, name: str, least: int = 1, most: int | None = None) -> int:
    # Python converts no more than a few thousand digits.
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if number < least or (most is not None and number > most):
        limits = f"of {least} or more" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} is a number {limits}, not {text!r}")
    return number
