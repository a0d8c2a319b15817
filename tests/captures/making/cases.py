"""What is captured: files, and the connections in each with what truly happens in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from making.servers import ASKING, NOT_ASKING

__all__ = ["CASES", "Capture", "Connection"]


@dataclass(frozen=True)
class Connection:
    """One connection, or as many as `repeats` says, of one client.

    Attributes:
        client: which.
        outcome: ``accepted``, ``refused``, ``failed`` or ``unfinished``.
        cause: the failure of the closed list that it truly is, None where all is well.
        by: the side that refuses or breaks off.
        codes: other codes that are as right, because the messages cannot tell them apart.
        outcomes: other outcomes that are as right, for the same reason.
        identity: the client's credential, None for none.
        root: the authority that the client trusts, ``ca`` or ``other``.
        name: the one that the client expects.
        options: more of the client's.
        version: another version than the capture's, for the client.
        typed: what is typed into the client, a line at a time.
        note: what else is to be seen.
        repeats: how many connections it makes.
    """

    client: str
    outcome: str
    cause: str | None = None
    by: str | None = None
    codes: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    identity: str | None = "good"
    root: str = "ca"
    name: str = "server.example"
    options: tuple[str, ...] = ()
    version: str | None = None
    typed: tuple[str, ...] = ("hello\n",)
    note: str = ""
    repeats: int = 1


@dataclass(frozen=True)
class Capture:
    """One file.

    Attributes:
        name: of the file, without its ending.
        server: which.
        version: of TLS that the server speaks.
        connections: in their order.
        identity: the server's credential.
        keys: ``ec`` or ``rsa``.
        options: more of the server's.
        host: where it listens.
        form: ``pcap``, ``nano`` for nanoseconds, ``pcapng``, or ``any`` for Linux cooked.
        typed: what is typed into the server for each connection.
    """

    name: str
    server: str
    version: str
    connections: tuple[Connection, ...]
    identity: str = "good"
    keys: str = "ec"
    options: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    form: str = "pcap"
    typed: tuple[str, ...] = field(default=())


def judged(client: str = "openssl") -> tuple[Connection, ...]:
    """A client as the server wants it, and those that it refuses."""
    return (
        Connection(client, "accepted"),
        Connection(client, "refused", "unknown-issuer", "server", identity="unknown"),
        Connection(client, "refused", "expired", "server", identity="expired"),
        Connection(client, "refused", "no-certificate", "server", identity=None),
    )


def judging(client: str) -> tuple[Connection, ...]:
    """A client that accepts the server, those that do not, and those that the server refuses."""
    accepted = Connection(client, "accepted")
    named = Connection(client, "refused", "name-mismatch", "client", name="other.example")
    foreign = Connection(client, "refused", "unknown-issuer", "server", identity="unknown")
    if client in ("go", "java", "mono"):
        keeping = "the server names other authorities, so the client keeps its certificate to itself"
        foreign = replace(foreign, cause="no-certificate", note=keeping)
        if client == "mono":
            named = replace(named, outcome="accepted", cause=None, by=None, note="mono does not mind the name")
    elif client == "curl":
        accepted = replace(accepted, note="HTTP is not answered")
        named = replace(named, outcomes=("accepted",), note="the name is compared after the handshake; close_notify")
    return (
        accepted,
        Connection(client, "refused", "unknown-issuer", "client", root="other"),
        named,
        Connection(client, "refused", "no-certificate", "server", identity=None),
        foreign,
    )


def servers() -> Iterator[Capture]:
    names = ("openssl", "gnutls", "python", "asyncio", "go", "java", "mono", "nginx", "haproxy", "stunnel", "twisted")
    for index, name in enumerate((*names, "tlscomm")):
        for version in ("1.3", "1.2"):
            if name == "mono" and version == "1.3":
                continue
            yield Capture(
                f"server-{name}-{version}",
                name,
                version,
                judged(),
                keys="rsa" if name in ("mono", "java", "nginx", "haproxy") else "ec",
                form=("pcap", "pcapng", "nano")[index % 3],
            )
    # GnuTLS answers the silent end of a .NET server with an alert of its own.
    yield Capture("server-mono-gnutls-1.2", "mono", "1.2", judged("gnutls"), keys="rsa")
    for version in ("1.3", "1.2"):
        passed = replace(judged()[0], client="curl")
        refused = replace(passed, outcome="refused", by="server", outcomes=("accepted",))
        refused = replace(refused, note="TLS accepts; the refusal is HTTP's status 400")
        yield Capture(
            f"server-nginx-http-{version}",
            "nginx-http",
            version,
            (
                passed,
                replace(refused, identity=None, cause="no-certificate"),
                replace(refused, identity="unknown", cause="unknown-issuer"),
            ),
        )


def clients() -> Iterator[Capture]:
    for index, name in enumerate(("openssl", "gnutls", "python", "go", "java", "mono", "curl", "tlscomm")):
        for version in ("1.3", "1.2"):
            if name == "mono" and version == "1.3":
                continue
            yield Capture(
                f"client-{name}-{version}",
                "openssl",
                version,
                judging(name),
                keys="rsa" if name in ("mono", "gnutls") else "ec",
                form=("nano", "pcap", "pcapng")[index % 3],
            )
    for name in ("openssl", "python", "go", "tlscomm"):
        expired = Connection(name, "refused", "expired", "client")
        yield Capture(f"expired-server-{name}", "openssl", "1.3", (expired,), identity="expired")


def resumptions() -> Iterator[Capture]:
    first = Connection("openssl", "accepted", options=("-sess_out", "session.pem"))
    again = Connection("openssl", "accepted", options=("-sess_in", "session.pem"), note="resumed")
    for server in ("openssl", "tlscomm", "gnutls", "nginx"):
        for version in ("1.3", "1.2"):
            yield Capture(f"resumed-{server}-{version}", server, version, (first, again))
    yield Capture("resumed-sessionid-1.2", "openssl", "1.2", (first, again), options=("-no_ticket",))
    for version in ("1.3", "1.2"):
        twice = Connection("go", "accepted", options=("2",), repeats=2, note="the second is resumed")
        yield Capture(f"resumed-go-{version}", "go", version, (twice,))
    early = Connection(
        "openssl", "accepted", options=("-sess_in", "session.pem", "-early_data", "early.txt"), note="early data"
    )
    yield Capture("early-data", "openssl", "1.3", (first, early), options=("-early_data", "-no_anti_replay", "-quiet"))


def negotiations() -> Iterator[Capture]:
    retry = Connection("openssl", "accepted", options=("-groups", "X25519:P-384"), note="HelloRetryRequest")
    yield Capture("retry-openssl", "openssl", "1.3", (retry,), options=("-groups", "P-384"))
    own = Connection("tlscomm", "accepted", note="HelloRetryRequest")
    yield Capture("retry-tlscomm", "openssl", "1.3", (own,), options=("-groups", "P-384"))
    other = Connection("openssl", "refused", "no-common-version", "server")
    for server in ("openssl", "gnutls", "go", "java", "nginx", "tlscomm"):
        older = replace(other, version="1.2")
        yield Capture(f"no-version-{server}-1.3", server, "1.3", (older,))
    for server in ("openssl", "gnutls", "go", "mono", "tlscomm"):
        newer = replace(other, version="1.3")
        yield Capture(f"no-version-{server}-1.2", server, "1.2", (newer,))
    suite = Connection("openssl", "refused", "no-common-cipher", "server")
    only12 = replace(suite, options=("-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"))
    yield Capture(
        "no-suite-openssl-1.2", "openssl", "1.2", (only12,), options=("-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384")
    )
    only13 = replace(suite, options=("-ciphersuites", "TLS_AES_128_GCM_SHA256"))
    yield Capture(
        "no-suite-openssl-1.3", "openssl", "1.3", (only13,), options=("-ciphersuites", "TLS_AES_256_GCM_SHA384")
    )
    old = replace(suite, options=("-cipher", "ECDHE-ECDSA-AES128-SHA"))
    yield Capture("no-suite-tlscomm-1.2", "tlscomm", "1.2", (old,))
    group = Connection("openssl", "refused", "no-common-group", "server", options=("-groups", "X25519"))
    yield Capture("no-group-openssl-1.3", "openssl", "1.3", (group,), options=("-groups", "P-384"))
    protocol = Connection("openssl", "refused", "no-common-protocol", "server", options=("-alpn", "spoken/2"))
    yield Capture("no-protocol-go-1.3", "go", "1.3", (protocol,), options=("spoken/1",))
    agreed = Connection("openssl", "accepted", options=("-alpn", "spoken/2,spoken/1"), note="ALPN spoken/1")
    yield Capture("protocol-go-1.3", "go", "1.3", (agreed,), options=("spoken/1",))
    unknown = Connection("openssl", "refused", "unknown-server-name", "server")
    yield Capture("no-name-nginx-1.3", "nginx-http", "1.3", (unknown,), options=("reject",))
    purpose = Connection("openssl", "refused", "wrong-purpose", "server", identity="purpose")
    for version in ("1.3", "1.2"):
        yield Capture(f"purpose-openssl-{version}", "openssl", version, (purpose,))


def beginnings() -> Iterator[Capture]:
    words = "plain HTTP to the port of TLS, and not one byte of TLS"
    plain = Connection("curl", "failed", "not-tls", "server", options=("plain",), note=words)
    for server in ("openssl", "go", "tlscomm", "nginx-http"):
        yield Capture(f"http-to-{server}", server, "1.3", (plain,))
    alerted = Connection("curl", "failed", "not-tls", "server", options=("plain",), note="plain HTTP, and an alert")
    for server in ("java", "gnutls"):
        yield Capture(f"http-to-{server}", server, "1.3", (alerted,))
    answer = Connection("openssl", "failed", "not-tls", "client", note="plain HTTP from the port of TLS")
    yield Capture("http-from-server", "python", "1.3", (answer,), options=("http",))
    for protocol in ("smtp", "imap", "postgres"):
        connections = tuple(replace(each, options=("-starttls", protocol)) for each in (judged()[0], judged()[3]))
        yield Capture(f"starttls-{protocol}", "python", "1.3", connections, options=(protocol,))
    for form in ("proxy1", "proxy2"):
        connections = tuple(replace(each, options=(form,)) for each in judged("python"))
        yield Capture(f"{form}-python", "python", "1.3", (connections[0], connections[3]), options=(form,))
        yield Capture(f"{form}-haproxy", "haproxy", "1.2", (connections[0], connections[1]), options=("accept-proxy",))


def demands() -> Iterator[Capture]:
    """Servers that demand no certificate, and that say much or little."""
    without = Connection("openssl", "accepted", identity=None)
    stranger = Connection("openssl", "refused", "unknown-issuer", "client", root="other", identity=None)
    bad = Connection("openssl", "refused", "unknown-issuer", "server", identity="unknown")
    for version in ("1.3", "1.2"):
        for server in ("openssl", "gnutls", "nginx"):
            yield Capture(f"not-asking-{server}-{version}", server, version, (without, stranger), options=(NOT_ASKING,))
            asked = (without, replace(without, identity="good"), *(() if server == "nginx" else (bad,)))
            yield Capture(f"asking-{server}-{version}", server, version, asked, options=(ASKING,))
        yield Capture(f"banner-{version}", "python", version, judged("python"), options=("banner",))
        silent = Connection("python", "accepted", options=("silent",), note="the client leaves without a word")
        yield Capture(f"silent-{version}", "openssl", version, (silent,))
    yield Capture("no-tickets", "openssl", "1.3", judged(), options=("-num_tickets", "0"))


def lives() -> Iterator[Capture]:
    updated = Connection(
        "openssl", "accepted", typed=("hello\n", "K\n", "again\n", "k\n", "more\n"), note="KeyUpdate both ways"
    )
    yield Capture("key-update", "openssl", "1.3", (updated,))
    again = Connection("openssl", "accepted", typed=("hello\n", "R\n", "again\n"), note="renegotiated")
    yield Capture("renegotiated", "openssl", "1.2", (again,), options=("-client_renegotiation",))
    late = Connection("python", "accepted", options=("pha",), note="the certificate is asked for after the handshake")
    without = replace(late, identity=None, note="asked for after the handshake, and not insisted on")
    yield Capture("post-handshake", "python", "1.3", (late, without), options=("pha",))
    cut = Connection("python", "accepted", options=("cut",), note="no close_notify from either side")
    leaves = Connection("python", "failed", "closed-in-handshake", "client", options=("leave",), outcomes=("refused",))
    resets = Connection("python", "failed", "reset", "client", options=("reset",), outcomes=("refused",))
    for version in ("1.3", "1.2"):
        yield Capture(f"broken-off-{version}", "python", version, (cut, leaves, resets), options=("cut",))
    both = (*judged()[:1], *judged()[3:])
    yield Capture("ipv6-openssl", "openssl", "1.3", both, host="::1", form="pcapng")
    yield Capture("ipv6-tlscomm", "tlscomm", "1.2", both, host="::1")
    for version in ("1.3", "1.2"):
        yield Capture(f"tlscomm-tlscomm-{version}", "tlscomm", version, judging("tlscomm"))
    for server in ("go", "openssl"):
        yield Capture(f"cooked-{server}", server, "1.3", judged(), form="any")
    yield Capture("chacha", "openssl", "1.3", judged()[:1], options=("-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"))
    for suite in ("AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA256", "ECDHE-RSA-CHACHA20-POLY1305", "AES128-SHA"):
        yield Capture(f"suite-{suite.lower()}", "openssl", "1.2", judged()[:1], keys="rsa", options=("-cipher", suite))


CASES = (*servers(), *clients(), *resumptions(), *negotiations(), *beginnings(), *demands(), *lives())
