"""What the options of `tlscomm connect` come to, settled before anything is sent.

Whatever is wrong with a credential, an address or a number is said while there is no connection yet that could fail for
another reason. Where the pass phrase is missing and a person is there, the person is asked, and may mistype.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tlscomm._dataclasses import dataclass

if TYPE_CHECKING:
    from tlscomm.configuration import ClientConfiguration
    from tlscomm.credentials._passphrasesources import Prompt
    from tlscomm.tracing import TraceObserver, Tracing

__all__ = ["Address", "Plan", "addressIn", "planFor"]

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


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to connect, and as whom.

    Attributes:
        address: where to, as it was given.
        host: its host, a name in ASCII or an address.
        configuration: the client's.
        connectSeconds: how long looking the host up and TCP may take; None for ever.
        replySeconds: how long each reply may take; None for ever.
        tracing: what is traced of the connection, or None.
        upgrade: the protocol in which the connection begins in the clear, or None.
    """

    address: Address
    host: str
    configuration: ClientConfiguration
    connectSeconds: float | None
    replySeconds: float | None
    tracing: Tracing | None = None
    upgrade: str | None = None


def addressIn(text: str) -> Address:
    """Return the address in ``HOST:PORT``.

    Raises:
        ValueError: it is none; the message says how to write one.
    """
    found = re.fullmatch(r"(?:\[([^][]+)\]|([^][:]+)):([0-9]{1,5})", text)
    if found is None:
        raise ValueError(f"{text!r} is not HOST:PORT; an IPv6 address stands in brackets: [::1]:8443")
    address, name, port = found.group(1), found.group(2), int(found.group(3))
    if not 0 < port < 65536:
        raise ValueError(f"{port} is no port; they go from 1 to 65535")
    if address is not None and not _isIPv6(address):
        raise ValueError(f"{address!r} is no IPv6 address")
    return Address(address or name, port)


def planFor(
    address: Address,
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

    host, name = hostAndServerName(address.host)
    connectSeconds, replySeconds, deadlines = _waits(settings)
    return Plan(
        address=address,
        host=host,
        configuration=clientConfiguration(settings.get("serverName", name), {**settings, **deadlines}, prompt=prompt),
        connectSeconds=connectSeconds,
        replySeconds=replySeconds,
        tracing=tracingFrom(settings, observer=observer),
        upgrade=settings.get("upgrade"),
    )


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
