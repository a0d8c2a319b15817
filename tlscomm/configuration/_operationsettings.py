"""How one process, or several that are one server, are operated. Part of the table of settings."""

from __future__ import annotations

from tlscomm.configuration._settingtypes import Interface, Seconds, Setting, Text, Whole, YesNo

__all__ = ["OPERATION"]

_TWISTD = Interface.TWISTD

OPERATION: tuple[Setting, ...] = (
    Setting(
        "configuration",
        Text("FILE"),
        _TWISTD,
        "A file with the settings of this table, for any number of listeners. What options say besides holds for all "
        "of them.",
        isProcessWide=True,
        otherwise="the options alone",
        see=":doc:`operation-configuration`",
    ),
    Setting(
        "drainTimeout",
        Seconds(),
        _TWISTD | Interface.TUNNEL,
        "How long a server that stops waits for what is under way on its connections, in seconds. A connection on "
        "which nothing is ends at once. 0 waits for ever.",
        default=10.0,
        see=":ref:`stopping`",
        differing={
            Interface.TUNNEL: {
                "about": "How long a tunnel that stops waits for its connections to end, in seconds. 0 waits for ever."
            }
        },
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
        "handover",
        Text("FILE"),
        _TWISTD,
        "A Unix socket where the next server takes over: one that is started with the same FILE gets the listening "
        "sockets of the one that runs, which then drains and ends.",
        otherwise="none",
        see=":ref:`restarting`",
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
    Setting(
        "metrics",
        Text("ENDPOINT"),
        _TWISTD,
        "Serve numbers for Prometheus here, as ``/metrics``, with ``/live`` and ``/ready``: a Twisted server endpoint "
        "string, ``tcp:9180:interface=127.0.0.1``, ``unix:/run/tlscomm/metrics.sock`` or ``tlscomm:9180:identity=…`` "
        "for example. It needs the extra ``metrics`` (``pip install 'tlscomm[metrics]'``).",
        otherwise="none",
        see=":doc:`operation-metrics`",
        isProcessWide=True,
    ),
    Setting(
        "status",
        Text("ENDPOINT"),
        _TWISTD,
        "Serve a page that shows connections, refusals and what expires here, the same as JSON (``/status.json``), and "
        "``/live`` and ``/ready``. It names peers, so it has to be a loopback address, a Unix socket, or a "
        "``tlscomm:`` string that demands client certificates.",
        otherwise="none",
        see=":doc:`operation-status`",
        isProcessWide=True,
    ),
    Setting(
        "health",
        Text("ENDPOINT"),
        _TWISTD,
        "Serve ``/live`` and ``/ready`` alone here, for a balancer. ``/ready`` answers 503 while the server starts or "
        "stops.",
        otherwise="none",
        see=":doc:`operation-metrics`",
        isProcessWide=True,
    ),
)
