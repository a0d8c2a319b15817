"""Every metric of a server, once.

What is counted, what is exposed and the tables of the documentation are made from this table. The values of a label are
a closed list, or come from the operator's own configuration: nothing that a peer says becomes one, so that no peer can
make the numbers grow in number.

Names follow the conventions of Prometheus: base units, ``_total`` for counters, ``_timestamp_seconds`` for moments.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from tlscomm._dataclasses import dataclass
from tlscomm.failures import CODES
from tlscomm.serving._phases import ServerPhase

__all__ = ["ACCEPTED", "IN_ORDER", "METRICS", "OTHER", "POST_QUANTUM", "Label", "Metric", "metricNamed"]

ACCEPTED = "accepted"
#: The result of a connection that has ended in order, or that we have aborted ourselves.
IN_ORDER = "in-order"
#: What stands for a value that is not in its label's list.
OTHER = "other"

_POST_QUANTUM_GROUPS = (
    "MLKEM512",
    "MLKEM768",
    "MLKEM1024",
    "SecP256r1MLKEM768",
    "SecP384r1MLKEM1024",
    "X25519MLKEM768",
    "curveSM2MLKEM768",
)
_OTHER_GROUPS = ("ffdhe2048", "ffdhe3072", "secp256r1", "secp384r1", "secp521r1", "x25519", "x448")

#: The key exchange groups that a machine which stores what it hears cannot break later, as far as is known.
POST_QUANTUM = frozenset(_POST_QUANTUM_GROUPS)

#: The settings that limit what peers may have; with proxyFrom comes a limit of those that wait for a header.
LIMITS = (
    "maximumConnections",
    "connectionsPerAddress",
    "connectionsPerIdentity",
    "handshakeRate",
    "handshakeRatePerAddress",
    "refusalsPerAddress",
    "maximumPending",
    "proxyFrom",
    "connectionLifetime",
    "idleTimeout",
)


#: What a reading of the configuration can end in: files and credentials that cannot be read or do not fit together,
#: certificates that cannot be used, and a file that says what cannot be done.
READINGS = (
    "taken",
    "ambiguous",
    "damaged",
    "file-not-found",
    "key-mismatch",
    "no-private-key",
    "not-in-store",
    "passphrase-required",
    "passphrase-wrong",
    "unknown-format",
    "unreadable",
    "unsafe-permissions",
    "expired",
    "invalid-certificate",
    "key-too-weak",
    "no-certificate",
    "not-yet-valid",
    "wrong-purpose",
    "configuration",
)


@dataclass(frozen=True)
class Label:
    """What the values of a metric are told apart by.

    Attributes:
        name: as Prometheus has it.
        values: all that there are, besides ``other`` and nothing; None where the configuration says them.
    """

    name: str
    values: tuple[str, ...] | None


@dataclass(frozen=True)
class Metric:
    """One thing that is counted, measured or told.

    Attributes:
        name: as Prometheus has it.
        kind: ``counter`` only grows; ``gauge`` is what it is now; ``histogram`` has how long each of many took.
        about: what it is, in one sentence.
        labels: what its values are told apart by, in their order.
        always: the values of the labels that are there from the start, with 0: what is new at 1 is no increase.
        merge: what several processes have together.
        bounds: of a histogram, the upper bounds of its buckets, but for the last, which has none.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    about: str
    labels: tuple[Label, ...] = ()
    always: tuple[tuple[str, ...], ...] = ()
    merge: Literal["sum", "min", "max"] = "sum"
    bounds: tuple[float, ...] = ()


def _each(values: Iterable[str], *others: str) -> tuple[tuple[str, ...], ...]:
    return tuple((value, *others) for value in values)


_RESULT = Label("result", (ACCEPTED, *CODES))
_SIDE = Label("side", ("local", "remote"))
_STAGE = Label("stage", ("credential", "connect", "handshake", "authorization", "message", "close"))
_VERSION = Label("version", ("TLSv1.2", "TLSv1.3"))
_GROUP = Label("group", (*_OTHER_GROUPS, *_POST_QUANTUM_GROUPS))
_LISTENER = Label("listener", None)
_DIRECTION = Label("direction", ("received", "sent"))
_PHASES = tuple(phase.value for phase in ServerPhase)

#: Seconds: a handshake takes about a millisecond on a local network, and ends at its deadline.
_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

METRICS: tuple[Metric, ...] = (
    Metric(
        "tlscomm_handshakes_total",
        "counter",
        "Handshakes that have ended, by what came of them: ``accepted``, or the code of the failure. ``side`` is who "
        "refused or broke off, ``local`` for us; version and group are empty where it did not come so far.",
        (_RESULT, _SIDE, _STAGE, _VERSION, _GROUP),
        always=_each((ACCEPTED, *CODES), "", "", "", ""),
    ),
    Metric(
        "tlscomm_handshake_duration_seconds",
        "histogram",
        "From TCP's beginning until both sides have accepted each other, or one has refused.",
        (Label("result", (ACCEPTED, "refused")),),
        always=_each((ACCEPTED, "refused")),
        bounds=_QUICK,
    ),
    Metric(
        "tlscomm_hook_duration_seconds",
        "histogram",
        "How long the hook took to answer; ``cancelled`` where it was not waited for any longer.",
        (Label("result", ("answered", "failed", "cancelled")),),
        always=_each(("answered", "failed", "cancelled")),
        bounds=_QUICK,
    ),
    Metric(
        "tlscomm_backend_connect_duration_seconds",
        "histogram",
        "How long it took to connect to what ``--forward`` names; ``cancelled`` where the client has gone meanwhile.",
        (Label("result", ("connected", "failed", "cancelled")),),
        always=_each(("connected", "failed", "cancelled")),
        bounds=_QUICK,
    ),
    Metric(
        "tlscomm_reactor_delay_seconds",
        "histogram",
        "How late the process comes to what is due, looked at each second: so long all its connections wait.",
        always=((),),
        bounds=_QUICK,
    ),
    Metric(
        "tlscomm_resumptions_total",
        "counter",
        "Accepted handshakes that resumed an earlier session.",
        always=((),),
    ),
    Metric(
        "tlscomm_connections",
        "gauge",
        "Connections now: ``open`` ones, which both sides have accepted, and those of which that is yet to be known.",
        (_LISTENER, Label("state", ("open", "handshaking"))),
    ),
    Metric(
        "tlscomm_connections_limit",
        "gauge",
        "How many connections there may be at a time, on all ports together.",
    ),
    Metric(
        "tlscomm_incoming_connections_total",
        "counter",
        "Connections that have come, by what became of their handshake.",
        (_LISTENER, Label("result", (ACCEPTED, "refused"))),
    ),
    Metric(
        "tlscomm_connections_closed_total",
        "counter",
        "Accepted connections that have ended: ``in-order`` (or aborted by our own application), or by the code of a "
        "failure. ``side`` is who broke it off, ``local`` for us.",
        (Label("result", (IN_ORDER, *CODES)), _SIDE),
        always=_each((IN_ORDER, *CODES), ""),
    ),
    Metric(
        "tlscomm_peers",
        "gauge",
        "Open connections by key exchange group; ``post_quantum`` is ``yes`` for hybrids such as X25519MLKEM768.",
        (_GROUP, Label("post_quantum", ("yes", "no"))),
    ),
    Metric(
        "tlscomm_messages_total",
        "counter",
        "Messages of protocols that speak in messages.",
        (_DIRECTION,),
        always=_each(("received", "sent")),
    ),
    Metric(
        "tlscomm_bytes_total",
        "counter",
        "Bytes of application data.",
        (_DIRECTION,),
        always=_each(("received", "sent")),
    ),
    Metric(
        "tlscomm_queue_bytes",
        "gauge",
        "Bytes that the peers of open connections have yet to take.",
        always=((),),
    ),
    Metric(
        "tlscomm_limits_hit_total",
        "counter",
        "How often a limit has kept a peer out or ended its connection, by the name of its setting.",
        (Label("limit", LIMITS),),
        always=_each(LIMITS),
    ),
    Metric(
        "tlscomm_config_reloads_total",
        "counter",
        "How often the configuration was read again: ``taken``, or the code of what is wrong with a credential or a "
        "certificate, ``configuration`` for a mistake in a configuration file or what needs a restart, or ``other``.",
        (Label("result", READINGS),),
        always=_each((*READINGS, OTHER)),
    ),
    Metric(
        "tlscomm_config_last_reload_successful",
        "gauge",
        "1 if the configuration could be used when it was read last, 0 where the former one had to stay.",
        merge="min",
    ),
    Metric(
        "tlscomm_config_last_reload_timestamp_seconds",
        "gauge",
        "When the configuration was read last.",
        merge="max",
    ),
    Metric(
        "tlscomm_config_last_reload_success_timestamp_seconds",
        "gauge",
        "When the configuration in use was read.",
        merge="min",
    ),
    Metric(
        "tlscomm_not_after_timestamp_seconds",
        "gauge",
        "When what the configuration rests on expires: our ``identity``, the ``chain`` that is sent with it, a trusted "
        "``root``, an ``intermediate``, a revocation ``list`` (its nextUpdate). Of each kind the first 16 to expire.",
        (
            _LISTENER,
            Label("kind", ("identity", "chain", "root", "intermediate", "list")),
            Label("position", tuple(str(number) for number in range(1, 17))),
            Label("name", None),
        ),
        merge="min",
    ),
    Metric(
        "tlscomm_ports",
        "gauge",
        "Ports that are open and take connections.",
        (_LISTENER,),
        merge="max",
    ),
    Metric(
        "tlscomm_phase",
        "gauge",
        "How many processes of the server are in a phase.",
        (Label("phase", _PHASES),),
        always=_each(_PHASES),
    ),
    Metric(
        "tlscomm_processes_cpu_seconds_total",
        "counter",
        "Processor time that all serving processes have had, those that have ended included.",
        always=((),),
    ),
    Metric(
        "tlscomm_processes_resident_memory_bytes",
        "gauge",
        "Memory that all serving processes have now.",
        always=((),),
    ),
    Metric(
        "tlscomm_worker_restarts_total",
        "counter",
        "Workers that had ended, and that others took the place of.",
        always=((),),
    ),
    Metric(
        "tlscomm_log_events_lost_total",
        "counter",
        "Events that could not be written, because what takes them was slow or full.",
        always=((),),
    ),
    Metric(
        "tlscomm_build_info",
        "gauge",
        "1, for what runs here.",
        (Label("version", None), Label("python", None), Label("twisted", None), Label("openssl", None)),
        merge="max",
    ),
)

_BY_NAME = {metric.name: metric for metric in METRICS}


def metricNamed(name: str) -> Metric:
    """Return a metric.

    Raises:
        KeyError: there is none of that name.
    """
    return _BY_NAME[name]
