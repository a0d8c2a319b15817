"""What the options of `tlscomm connect` come to, settled before anything is sent.

Whatever is wrong with a credential, an address or a number is said while there is no connection yet that could fail for
another reason. Where the pass phrase is missing and a person is there, the person is asked, and may mistype.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, NamedTuple

from tlscomm._dataclasses import dataclass
from tlscomm.configuration._settings import defaultsOn, settingsOn
from tlscomm.configuration._settingtypes import Interface
from tlscomm.failures import printable

if TYPE_CHECKING:
    from tlscomm.configuration import ClientConfiguration
    from tlscomm.credentials._passphrasesources import Prompt
    from tlscomm.tracing import TraceObserver, Tracing

__all__ = ["Address", "EndpointText", "Plan", "addressIn", "planFor"]

#: What an endpoint string knows nothing of.
_OF_MESSAGES = frozenset({"framing", "maximumMessage", "timeout"})

#: Where --timeout is not given: as in `tlscomm.configuration.Deadlines` and `tlscomm.messages.MessageFactory`.
_CONNECT_SECONDS, _REPLY_SECONDS, _CLOSE_SECONDS = 10.0, 5.0, 5.0


class Address(NamedTuple):
    """Where a server listens.

    Attributes:
        host: a name, or an address without brackets.
        port: 1 to 65535.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class EndpointText(NamedTuple):
    """Where a server listens, as a client endpoint string of Twisted's: ``unix:PATH``, ``tcp:HOST:PORT``.

    Attributes:
        text: the string.
    """

    text: str

    @property
    def isWhole(self) -> bool:
        """Whether it says all of a connection over TLS by itself."""
        return self.text.startswith("tlscomm:")

    def __str__(self) -> str:
        return printable(self.text)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to connect, and as whom.

    Attributes:
        address: where to, as it was given.
        host: its host, a name in ASCII or an address; empty with an endpoint string.
        configuration: the client's; None where the endpoint string says it.
        connectSeconds: how long looking the host up and TCP may take; None for ever.
        replySeconds: how long each reply may take; None for ever.
        endSeconds: how long the server may take to end its side.
        tracing: what is traced of the connection, or None.
        beforeTLS: the settings of what comes before TLS, by name: ``upgrade`` and ``proxy``.
    """

    address: Address | EndpointText
    host: str
    configuration: ClientConfiguration | None
    connectSeconds: float | None
    replySeconds: float | None
    endSeconds: float = _CLOSE_SECONDS
    tracing: Tracing | None = None
    beforeTLS: Mapping[str, Any] = field(default_factory=dict)


def addressIn(text: str) -> Address | EndpointText:
    """Return the address in ``HOST:PORT``, or in a client endpoint string such as ``unix:PATH``.

    Whether there are endpoints of such a kind is not looked up.

    Raises:
        ValueError: it is none; the message says how to write one.
    """
    found = re.fullmatch(r"(?:\[([^][]+)\]|([^][:]+)):([0-9]{1,5})", text)
    if found is None:
        if _isEndpointText(text):
            return EndpointText(text)
        raise ValueError(f"{text!r} is not HOST:PORT; an IPv6 address stands in brackets: [::1]:8443")
    address, name, port = found.group(1), found.group(2), int(found.group(3))
    if not 0 < port < 65536:
        raise ValueError(f"{port} is no port; they go from 1 to 65535")
    if address is not None and not _isIPv6(address):
        raise ValueError(f"{address!r} is no IPv6 address")
    return Address(address or name, port)


def _isEndpointText(text: str) -> bool:
    # What follows a host is a port, and what follows the kind of an endpoint is more than a word.
    if re.fullmatch(r"[A-Za-z][\w-]*:(?!//).*[:=/.].*", text, re.DOTALL) is None:
        return False
    if text.startswith(("tls:", "ssl:")):
        raise ValueError(f"{text!r} would be TLS in TLS: name what makes the TCP connection, tcp:HOST:PORT")
    return True


def planFor(
    address: Address | EndpointText,
    settings: Mapping[str, Any],
    *,
    prompt: Prompt | None = None,
    observer: TraceObserver | None = None,
) -> Plan:
    """Return the plan that options come to.

    Args:
        address: where to.
        settings: those of `Interface.CONNECT`, by name. Without ``serverName`` the server's certificate must be for the
            host; ``timeout`` bounds each wait.
        prompt: asks a person for pass phrases.
        observer: is given the trace of the connection; None where that is not wanted.

    Raises:
        TLSFailure: a file or the credential cannot be used.
        ValueError: the options do not fit together.
    """
    from tlscomm.configuration._fromsettings import clientConfiguration
    from tlscomm.tracing._fromsettings import tracingFrom
    from tlscomm.verification._servernames import hostAndServerName

    if isinstance(address, Address):
        host, name = hostAndServerName(address.host)
    else:
        host, name = "", None
        if not address.isWhole and "serverName" not in settings:
            raise ValueError("with an endpoint string the server's name must be given: --server-name")
    connectSeconds, replySeconds, deadlines = _waits(settings)
    configuration = None
    if isinstance(address, EndpointText) and address.isWhole:
        _refuseTwice(settings)
    else:
        given = {**settings, **deadlines}
        configuration = clientConfiguration(settings.get("serverName", name) or "", given, prompt=prompt)
    return Plan(
        address=address,
        host=host,
        configuration=configuration,
        connectSeconds=connectSeconds,
        replySeconds=replySeconds,
        endSeconds=deadlines.get("closeTimeout") or _CLOSE_SECONDS,
        tracing=tracingFrom(settings, observer=observer),
        beforeTLS={name: settings[name] for name in ("upgrade", "proxy") if name in settings},
    )


def _refuseTwice(settings: Mapping[str, Any]) -> None:
    """Refuse the options that an endpoint string of tlscomm's own has as arguments."""
    unset = {**defaultsOn(Interface.CONNECT), "timeout": settings.get("timeout")}
    said = [
        setting.spelled(Interface.CONNECT)
        for setting in settingsOn(Interface.CONNECT)
        if setting.name not in _OF_MESSAGES and settings.get(setting.name, ()) not in ((), unset.get(setting.name))
    ]
    if said:
        raise ValueError(f"a tlscomm: endpoint string says this itself, as its arguments: {', '.join(said)}")


def _waits(settings: Mapping[str, Any]) -> tuple[float | None, float | None, dict[str, float | None]]:
    if "timeout" not in settings:
        return _CONNECT_SECONDS, _REPLY_SECONDS, {}
    limit: float | None = settings["timeout"]
    close = _CLOSE_SECONDS if limit is None else min(limit, _CLOSE_SECONDS)
    return limit, limit, {"handshakeTimeout": limit, "writeTimeout": limit, "closeTimeout": close}


def _isIPv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
