"""How one process, or several that are one server, are operated. Part of the table of settings."""

from __future__ import annotations

from tlscomm.configuration._settingtypes import Interface, Seconds, Setting, Whole, YesNo

__all__ = ["OPERATION"]

_TWISTD = Interface.TWISTD

OPERATION: tuple[Setting, ...] = (
    Setting(
        "drainTimeout",
        Seconds(),
        _TWISTD,
        "How long a server that stops waits for what is under way on its connections, in seconds. A connection on "
        "which nothing is ends at once. 0 waits for ever.",
        default=10.0,
        see=":ref:`stopping`",
        isProcessWide=True,
    ),
    Setting(
        "drainDelay",
        Seconds(),
        _TWISTD,
        "How long a server that is to stop still takes new connections, in seconds. It is not ready meanwhile "
        "(``/ready``), so that a balancer sends it no more clients.",
        otherwise="none",
        see=":ref:`stopping`",
        isProcessWide=True,
    ),
    Setting(
        "reusePort",
        YesNo(),
        _TWISTD,
        "Let other processes of the same user listen on the same TCP ports (``SO_REUSEPORT``). Clients who wait to be "
        "accepted by a process that ends are reset.",
        default=False,
        see=":ref:`restarting`",
        isProcessWide=True,
    ),
    Setting(
        "processes",
        Whole(most=128),
        _TWISTD,
        "Serve with so many processes on the same ports, to use several cores. The one that was started supervises "
        "them.",
        default=1,
        see=":ref:`processes`",
        isProcessWide=True,
    ),
)
