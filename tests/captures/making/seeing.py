"""From a raw capture to the file that is kept, and what tshark sees in it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from making.cases import Capture, Connection

__all__ = ["describe", "finish"]

#: What the alerts of refusals say by themselves (RFC 8446, section 6.2). Others leave the cause open.
TELLING = {
    43: "wrong-purpose",
    44: "revoked",
    45: "expired",
    48: "unknown-issuer",
    70: "no-common-version",
    112: "unknown-server-name",
    116: "no-certificate",
    120: "no-common-protocol",
}

ACCESS_DENIED = 49


def finish(raw: Path, keylog: Path, capture: Capture, folder: Path) -> Path:
    """Keep a capture, and its secrets beside it, or inside it where it is pcapng."""
    lines = dict.fromkeys(line for line in keylog.read_text().splitlines() if line and not line.startswith("#"))
    keylog.write_text("".join(f"{line}\n" for line in lines))
    for old in (".pcap", ".pcapng", ".keys"):
        (folder / (capture.name + old)).unlink(missing_ok=True)
    if capture.form == "pcapng":
        file = folder / f"{capture.name}.pcapng"
        injecting = ["--inject-secrets", f"tls,{keylog}"] if lines else []
        subprocess.run(["editcap", "-F", "pcapng", *injecting, str(raw), str(file)], check=True)
        return file
    file = folder / f"{capture.name}.pcap"
    file.write_bytes(raw.read_bytes())
    if lines:
        file.with_suffix(".keys").write_text(keylog.read_text())
    return file


def describe(file: Path, port: int, capture: Capture) -> dict[str, Any]:
    """Say what is in a capture: what happened by the story, and the alerts by tshark, with the secrets."""
    keys = file.with_suffix(".keys")
    below = "pgsql" if "postgres" in capture.options else "tls"
    reading = ["tshark", "-r", str(file), "-d", f"tcp.port=={port},{below}", "-o", "tls.desegment_ssl_records:TRUE"]
    reading += ["-o", f"tls.keylog_file:{keys}"] if keys.exists() else []
    streams = _run([*reading, "-Y", "tcp.flags.syn==1 && tcp.flags.ack==0", "-T", "fields", "-e", "tcp.stream"])
    fields = ("-e", "tcp.stream", "-e", "tcp.dstport", "-e", "tls.alert_message.desc")
    seen = _run([*reading, "-Y", "tls.alert_message.desc", "-T", "fields", *fields])
    alerts: dict[int, list[tuple[str, int]]] = {}
    for line in seen:
        stream, toward, numbers = line.split("\t")
        side = "client" if int(toward) == port else "server"
        alerts.setdefault(int(stream), []).extend((side, int(each)) for each in numbers.split(",") if each)
    connections: list[dict[str, Any]] = []
    for each in capture.connections:
        for _ in range(each.repeats):
            number = len(connections) + 1
            said = alerts.get(number - 1, [])
            own = [alert for side, alert in said if side == each.by and alert]
            entry: dict[str, Any] = {
                "number": number,
                "client": each.client,
                "outcome": each.outcome,
                "by": each.by,
                "cause": each.cause,
                "outcomes": _outcomes(each, own),
                "codes": _codes(each, own),
                "alerts": said,
            }
            if each.note:
                entry["note"] = each.note
            connections.append(entry)
    described: dict[str, Any] = {
        "file": file.name,
        "keys": keys.name if keys.exists() else None,
        "hasSecretsInside": capture.form == "pcapng",
        "server": capture.server,
        "version": capture.version,
        "port": port,
        "connections": connections,
    }
    if len(streams) != len(connections):
        described["surprises"] = [f"{len(streams)} connections for {len(connections)}"]
    return described


def _outcomes(connection: Connection, alerts: list[int]) -> list[str]:
    """Return the outcomes that are right: a refusal without an alert looks like any other end."""
    isSilent = connection.outcome == "refused" and not alerts
    return list(dict.fromkeys([connection.outcome, *connection.outcomes, *(["failed"] if isSilent else [])]))


def _codes(connection: Connection, alerts: list[int]) -> list[str]:
    """Return the codes that are right: the true one, and where the messages leave it open, the vaguer ones."""
    cause = connection.cause
    if cause is None:
        return []
    right = [cause, *connection.codes]
    isTold = bool(alerts) and (cause == "no-certificate" or TELLING.get(alerts[0]) == cause)
    if not isTold:
        right.append("refused")
    if not alerts:
        right.append("closed-in-handshake")
    if alerts[:1] == [ACCESS_DENIED]:
        right.append("not-allowed")
    return list(dict.fromkeys(right))


def _run(command: list[str]) -> list[str]:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()
