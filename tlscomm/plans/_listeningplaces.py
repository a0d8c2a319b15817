"""Which ports and sockets endpoint strings are for, without opening them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from twisted.internet.interfaces import IProtocolFactory

from tlscomm._dataclasses import dataclass
from tlscomm.endpoints._below import endpointBelow
from tlscomm.failures import printable
from tlscomm.plans._plan import Origin, ServerPlan

__all__ = ["ListeningPlace", "conflictsIn", "placeOf"]

#: Strings of Twisted's own whose endpoints do nothing but ask the reactor for a socket.
_PLAIN = ("tcp:", "tcp6:", "unix:")
#: Those of ours open a port of TCP too, where they name no other endpoint. Only sites have them.
_TLS = re.compile(r"tlscomm:(?:port=)?(\d+)(?=:|$)")
_INTERFACE = re.compile(r":interface=((?:\\.|[^:\\])*)")
#: Process-wide settings that name places to listen, several of which may name the same one.
_SITES = ("metrics", "status", "health")
_ALL_ADDRESSES = frozenset({"", "0.0.0.0", "::"})


@dataclass(frozen=True)
class ListeningPlace:
    """A port or a socket.

    Attributes:
        kind: ``tcp``, ``tcp6`` or ``unix``.
        address: of the interface, empty for all; or the path.
        port: 0 for any, and for a path.
    """

    kind: str
    address: str
    port: int = 0

    def isIn(self, other: ListeningPlace) -> bool:
        """Return whether both cannot be open at a time."""
        if self.kind != other.kind or self.port != other.port or (self.kind != "unix" and not self.port):
            return False
        isWide = self.kind != "unix" and bool(_ALL_ADDRESSES & {self.address, other.address})
        return isWide or self.address == other.address


class _Asked:
    """Stands in for a reactor, and notes what it is asked for."""

    place: ListeningPlace | None = None

    def listenTCP(self, port: int, factory: object, backlog: int = 50, interface: str = "") -> None:
        kind = "tcp6" if ":" in interface else "tcp"
        self.place = ListeningPlace(kind, "" if interface in _ALL_ADDRESSES else interface, port)

    def listenUNIX(self, address: str, factory: object, backlog: int = 50, mode: int = 0o666, wantPID: int = 0) -> None:
        self.place = ListeningPlace("unix", address)


def placeOf(description: str) -> ListeningPlace | None:
    """Return what an endpoint string would open; None where that is not to be told, as for ``systemd:``.

    Raises:
        ValueError: it describes no endpoint; the message says why.
    """
    if (found := _TLS.match(description)) and ":endpoint=" not in description:
        interface = _INTERFACE.search(description)
        description = f"tcp:{found[1]}:interface={interface[1] if interface else ''}"
    if not description.startswith(_PLAIN):
        return None
    asked = _Asked()
    endpointBelow(asked, description).listen(cast(IProtocolFactory, None))
    return asked.place


def conflictsIn(plan: ServerPlan) -> Iterator[tuple[Origin, str]]:
    """Tell of the places that a plan names twice, where each is said that comes second."""
    seen: list[tuple[ListeningPlace, str, bool]] = []
    for where, description, origin, isSite in _placesIn(plan):
        try:
            place = placeOf(description)
        except ValueError:
            # It is told with the rest of what cannot be used.
            continue
        if place is None:
            continue
        for other, owner, isSiteToo in seen:
            if place.isIn(other) and not (isSite and isSiteToo):
                yield origin, f"{where} listens on {printable(description)}, where {owner} listens already"
                break
        seen.append((place, where, isSite))


def _placesIn(plan: ServerPlan) -> Iterator[tuple[str, str, Origin, bool]]:
    for listener in plan.listeners:
        for number, description in enumerate(listener.settings["listen"]):
            yield f"the listener {printable(listener.name)}", description, listener.originOf("listen", number), False
    for name in _SITES:
        values: Any = plan.settings.get(name) or ()
        for description in (values,) if isinstance(values, str) else values:
            yield name, description, plan.originOf(name), True
