"""What each side says of each failure: the table that the tests play and that the documentation shows.

A row is one thing that goes wrong. Its scene builds the two sides, in memory; its verdicts say what each of them has to
name it, under TLS 1.2 and 1.3. Nothing in here looks at the code that is tested: the verdicts are what a person who has
to mend it would have to be told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal, cast

from twisted.internet.error import ConnectError, ConnectionRefusedError, DNSLookupError, TimeoutError
from twisted.internet.task import Clock

from tlscomm.access import AccessRules
from tlscomm.configuration import ClientConfiguration, Configuration, ServerConfiguration, Version, insecurelyPresenting
from tlscomm.failures import Side
from tlscomm.issuing import EXHIBITS, Exhibit, Gallery
from tlscomm.revocation import Revocation
from tlscomm.testing import (
    GARBAGE,
    HTTP_REQUEST,
    HTTP_RESPONSE,
    SSH_BANNER,
    CorruptingPeer,
    CuttingPeer,
    DeafPeer,
    HonestPeer,
    Pair,
    Point,
    ResettingPeer,
    SlowPeer,
    Speaker,
    StallingPeer,
)
from tlscomm.testing import Side as PairSide

__all__ = ["CONNECT_ROWS", "ROWS", "VERSIONS", "ConnectRow", "Role", "Row", "Stage", "Verdict", "gallery"]

Role = Literal["client", "server"]
Key = tuple[Version, Role]

VERSIONS: tuple[Version, ...] = ("1.2", "1.3")
_ROLES: tuple[Role, ...] = ("client", "server")
_OTHER: dict[Role, Role] = {"client": "server", "server": "client"}


@dataclass(frozen=True)
class Verdict:
    """What one side says.

    Attributes:
        code: the failure's.
        side: whose decision it was.
        alert: the number of the alert that was sent (``local``) or received (``remote``), or None where there is none.
        says: what the message has to mention.
    """

    code: str
    side: Side
    alert: int | None = None
    says: str = ""


@dataclass(frozen=True)
class Stage:
    """Where a scene is played.

    Attributes:
        version: the only version that both sides speak, where the scene does not say otherwise.
    """

    version: Version

    def client(self, **changes: Any) -> ClientConfiguration:
        """A client with which all is well but for the changes."""
        usual = {
            "serverName": "localhost",
            "roots": gallery().roots,
            "credential": gallery().credential("good", role="client"),
            "minimumTLS": self.version,
            "maximumTLS": self.version,
        }
        return ClientConfiguration(**{**usual, **changes})

    def server(self, **changes: Any) -> ServerConfiguration:
        """A server with which all is well but for the changes, and which requires client certificates."""
        usual = {
            "credential": gallery().credential("good", role="server"),
            "clientRoots": gallery().roots,
            "minimumTLS": self.version,
            "maximumTLS": self.version,
        }
        return ServerConfiguration(**{**usual, **changes})


@dataclass(frozen=True)
class Row:
    """One thing that goes wrong.

    Attributes:
        group: the kind of it, a heading.
        case: what goes wrong, as a phrase.
        scene: makes the two sides.
        verdicts: what each side has to say, by version and side. A side that misbehaves on purpose has none.
        ending: what happens once nothing moves any more.
        depth: the place of the certificate at fault, where the judge has to know it.
    """

    group: str
    case: str
    scene: Callable[[Stage], Pair]
    verdicts: Mapping[Key, Verdict]
    ending: Callable[[Pair], object] = lambda pair: None
    depth: int | None = None


@dataclass(frozen=True)
class ConnectRow:
    """A TCP connection that cannot be made.

    Attributes:
        case: what goes wrong, as a phrase.
        problem: what the endpoint below says.
        says: what the client's message has to mention; the failure is ``connect-failed``.
    """

    case: str
    problem: Exception
    says: str


@cache
def gallery() -> Gallery:
    return Gallery()


def _onBoth(role: Role, verdict: Verdict, other: Verdict | None = None) -> dict[Key, Verdict]:
    """The same verdicts under both versions: of one side, and of the other where there is one."""
    verdicts = {(version, role): verdict for version in VERSIONS}
    if other is not None:
        verdicts |= {(version, _OTHER[role]): other for version in VERSIONS}
    return verdicts


# Certificates: one side presents an exhibit of the gallery, the other judges it.

#: The alert that is sent for each code (RFC 8446, section 6.2); where OpenSSL chooses another for an error, that one.
_ALERTS = {
    "bad-signature": 51,
    "chain-too-long": 48,
    "expired": 45,
    "incomplete-chain": 48,
    "invalid-certificate": 42,
    "key-too-weak": 42,
    "name-mismatch": 42,
    "not-permitted": 46,
    "not-yet-valid": 42,
    "revoked": 44,
    "self-signed": 48,
    "unknown-issuer": 48,
    "wrong-purpose": 43,
}

#: What the judge's message has to mention besides the name, where the name stands for more than one fault.
_SAYS = {
    "chain-too-long": "chain too long",
    "expired": "its validity ended",
    "incomplete-chain": "tlscomm gallery intermediate",
    "malformed-alternative-name": "extensions cannot be read",
    "name-excluded": "excluded subtree",
    "name-mismatch": "asked for localhost, it is for elsewhere.example",
    "name-not-permitted": "permitted subtree",
    "no-alternative-name": "a common name does not count",
    "not-an-authority": "invalid CA certificate",
    "not-yet-valid": "its validity begins",
    "path-too-long": "path length",
    "unknown-critical-extension": "critical extension",
    "unknown-issuer": "strange root",
    "weak-key": "key too weak",
    "weak-key-intermediate": "key too weak",
    "weak-signature": "signature digest algorithm too weak",
}

#: Where the refused side cannot know as much as the judge: whom the judge trusts, how long a chain it allows, and which
#: address it asked for are the judge's own affair.
_REFUSED_AS = {
    "incomplete-chain": "unknown-issuer",
    "chain-too-long": "unknown-issuer",
    "name-mismatch-address": "refused",
}


def _certificates() -> Iterator[Row]:
    for exhibit in EXHIBITS:
        if exhibit.judge == "peer" and exhibit.code is not None:
            for role in exhibit.roles:
                yield _certificateRow(exhibit, exhibit.code, role)


def _certificateRow(exhibit: Exhibit, code: str, role: Role) -> Row:
    alert = _ALERTS[code]
    judge = Verdict(code, "local", alert, _SAYS.get(exhibit.name, ""))
    refused = Verdict(_REFUSED_AS.get(exhibit.name, code), "remote", alert)
    verdicts = _onBoth(_OTHER[role], judge, refused)
    if (exhibit.name, role) == ("malformed-alternative-name", "server"):
        # A server on OpenSSL cannot even use such a certificate under TLS 1.2.
        verdicts = {key: verdict for key, verdict in verdicts.items() if key[0] == "1.3"}
    case = f"{role}'s certificate, {exhibit.name}: {exhibit.fault}"
    return Row("Certificates", case, lambda stage: _presented(stage, exhibit, role), verdicts, depth=exhibit.depth)


def _presented(stage: Stage, exhibit: Exhibit, role: Role) -> Pair:
    lists = {"revocation": Revocation(gallery().revocationLists)} if exhibit.needsLists else {}
    credential = gallery().credential(exhibit.name, role=role)
    if role == "client":
        return Pair(insecurelyPresenting(stage.client(), credential), stage.server(**lists))
    client = stage.client(serverName=exhibit.serverName, **lists)
    return Pair(client, insecurelyPresenting(stage.server(), credential))


def _withoutCertificate() -> Iterator[Row]:
    verdicts: dict[Key, Verdict] = {}
    for version, alert in (("1.2", 40), ("1.3", 116)):
        verdicts[cast(Version, version), "server"] = Verdict("no-certificate", "local", alert)
        verdicts[cast(Version, version), "client"] = Verdict("no-certificate", "remote", alert)
    withoutKey = gallery().credential("no-private-key", role="client")
    yield Row("Certificates", "client sends no certificate, though one is required", _nobody, verdicts)
    yield Row(
        "Certificates",
        "client has a certificate without its key, and was made to try all the same",
        lambda stage: Pair(insecurelyPresenting(stage.client(), withoutKey), stage.server()),
        verdicts,
    )
    yield Row(
        "Certificates",
        "client's certificate is valid, and the access rules keep its holder out",
        lambda stage: Pair(stage.client(), stage.server(access=AccessRules.parse(["cn=somebody else"]))),
        _onBoth("server", Verdict("not-allowed", "local", 49), Verdict("not-allowed", "remote", 49)),
    )


def _nobody(stage: Stage) -> Pair:
    return Pair(stage.client(credential=None), stage.server())


# Negotiation: both sides behave, and do not fit together.


def _negotiation() -> Iterator[Row]:
    for case, code, alert, scene in (
        ("client speaks this version only, server the other one only", "no-common-version", 70, _noCommonVersion),
        ("no common cipher suite", "no-common-cipher", 40, _noCommonCipher),
        ("no common key exchange group", "no-common-group", 40, _noCommonGroup),
        ("no common application protocol (ALPN)", "no-common-protocol", 120, _noCommonProtocol),
        ("server does not serve the name that was asked for", "unknown-server-name", 112, _unknownServerName),
    ):
        yield Row(
            "Negotiation", case, scene, _onBoth("server", Verdict(code, "local", alert), Verdict(code, "remote", alert))
        )


def _noCommonVersion(stage: Stage) -> Pair:
    other = "1.3" if stage.version == "1.2" else "1.2"
    return Pair(stage.client(), stage.server(minimumTLS=other, maximumTLS=other))


def _noCommonCipher(stage: Stage) -> Pair:
    client, server = stage.client(ciphers="ECDHE+AES256"), stage.server(ciphers="ECDHE+AES128")
    # There is no setting for the suites of TLS 1.3: a peer that lacks one of ours is never ours.
    client._context.set_tls13_ciphersuites(b"TLS_AES_256_GCM_SHA384")
    server._context.set_tls13_ciphersuites(b"TLS_AES_128_GCM_SHA256")
    return Pair(client, server)


def _noCommonGroup(stage: Stage) -> Pair:
    return Pair(stage.client(groups=("P-384",)), stage.server(groups=("X25519", "P-256")))


def _noCommonProtocol(stage: Stage) -> Pair:
    return Pair(stage.client(applicationProtocols=(b"a",)), stage.server(applicationProtocols=(b"b", b"c")))


def _unknownServerName(stage: Stage) -> Pair:
    return Pair(stage.client(), stage.server(serverNames=("server.example",)))


# Something else than TLS.


def _notTLS() -> Iterator[Row]:
    for words, name, says in (
        (HTTP_REQUEST, "plain HTTP", "HTTP"),
        (SSH_BANNER, "SSH", "SSH"),
        (GARBAGE, "garbage", "`abc"),
    ):
        yield Row(
            "Not TLS",
            f"client speaks {name} to the port",
            lambda stage, words=words: Pair(Speaker(words), stage.server()),  # type: ignore[misc]
            _onBoth("server", Verdict("not-tls", "local", None, says)),
        )
    for words, name, says, speaksFirst in (
        (HTTP_RESPONSE, "plain HTTP", "HTTP", False),
        (SSH_BANNER, "SSH", "SSH", True),
        (GARBAGE, "garbage", "`abc", False),
    ):
        yield Row(
            "Not TLS",
            f"the server speaks {name}",
            partial(_strangeServer, words, speaksFirst),
            _onBoth("client", Verdict("not-tls", "local", None, says)),
        )


def _strangeServer(words: bytes, speaksFirst: bool, stage: Stage) -> Pair:
    return Pair(stage.client(), Speaker(words, speaksFirst=speaksFirst))


# The steps of the handshake: one side misbehaves at one of them, and the other names it.

#: In a hello the bit is in the random number, which OpenSSL takes as it comes: the other messages then do not fit.
_IN_THE_RANDOM = 20

#: For each message whose record is changed: who notices, and with which alert.
_CORRUPTED: dict[tuple[Version, Role], dict[str, tuple[Side, int]]] = {
    ("1.2", "client"): {
        "ClientHello": ("remote", 51),
        "Certificate": ("local", 51),
        "ClientKeyExchange": ("local", 51),
        "CertificateVerify": ("local", 51),
        "ChangeCipherSpec": ("local", 10),
        "Finished": ("local", 20),
    },
    ("1.2", "server"): {
        "ServerHello": ("local", 51),
        "Certificate": ("local", 51),
        "ServerKeyExchange": ("local", 51),
        "CertificateRequest": ("remote", 51),
        "ServerHelloDone": ("local", 47),
        "ChangeCipherSpec": ("local", 10),
        "Finished": ("local", 20),
    },
    ("1.3", "client"): {
        "ClientHello": ("remote", 20),
        "ChangeCipherSpec": ("local", 10),
        "Certificate": ("local", 20),
        "CertificateVerify": ("local", 20),
        "Finished": ("local", 20),
    },
    ("1.3", "server"): {
        "ServerHello": ("local", 20),
        "ChangeCipherSpec": ("local", 10),
        "EncryptedExtensions": ("local", 20),
        "CertificateRequest": ("local", 20),
        "Certificate": ("local", 20),
        "CertificateVerify": ("local", 20),
        "Finished": ("local", 20),
        "NewSessionTicket": ("local", 20),
    },
}

#: What the other side is waiting for when a message does not come, where that is not the message itself.
_AWAITED = {"ChangeCipherSpec": "Finished"}

#: A server that ends the connection here has seen the client's certificate, or has seen that there is none.
_AFTER_THE_ANSWER: dict[Version, frozenset[str]] = {
    "1.2": frozenset({"ChangeCipherSpec", "Finished"}),
    "1.3": frozenset({"NewSessionTicket"}),
}


def _steps() -> Iterator[Row]:
    for (version, role), messages in _CORRUPTED.items():
        for message in messages:
            # TLS 1.3's change_cipher_spec means nothing, and what follows is never awaited for its sake.
            if (version, message) != ("1.3", "ChangeCipherSpec"):
                yield from _endings(version, role, message)
            yield _corrupted(version, role, message)


def _endings(version: Version, role: Role, message: str) -> Iterator[Row]:
    key = version, _OTHER[role]
    awaited = _AWAITED.get(message, message)
    step = f"before {role}'s {message} (TLS {version})"
    isVerdict = role == "server" and message in _AFTER_THE_ANSWER[version]
    if message != "NewSessionTicket":
        timeout = Verdict("handshake-timeout", "local", None, awaited)
        stalled = partial(_misbehaving, StallingPeer, role, message)
        yield Row("Stalls", f"the peer stalls {step}", stalled, {key: timeout}, _timePasses)
    ended = Verdict("refused", "remote") if isVerdict else Verdict("closed-in-handshake", "remote", None, awaited)
    yield Row(
        "Ends of stream", f"the stream ends {step}", partial(_misbehaving, CuttingPeer, role, message), {key: ended}
    )
    reset = Verdict("refused", "remote") if isVerdict else Verdict("reset", "remote", None, awaited)
    scene = partial(_misbehaving, ResettingPeer, role, message)
    yield Row("Resets", f"the connection is reset {step}", scene, {key: reset})


def _corrupted(version: Version, role: Role, message: str) -> Row:
    at = _IN_THE_RANDOM if message.endswith("Hello") else message
    side, alert = _CORRUPTED[version, role][message]
    # TLS 1.2 sends certificates in the clear, so the change gets as far as the certificate's signature.
    code = "bad-signature" if (version, message) == ("1.2", "Certificate") else "protocol-violation"
    return Row(
        "Broken messages",
        f"a bit is changed in {role}'s {message} (TLS {version})",
        partial(_misbehaving, CorruptingPeer, role, at),
        {(version, _OTHER[role]): Verdict(code, side, alert)},
    )


def _misbehaving(kind: Callable[..., HonestPeer], role: Role, at: Point, stage: Stage) -> Pair:
    configuration: Configuration = stage.client() if role == "client" else stage.server()
    peer = kind(configuration, at=at)
    return Pair(peer, stage.server()) if role == "client" else Pair(stage.client(), peer)


def _timePasses(pair: Pair) -> None:
    pair.advance(10)


# After acceptance: the connection was made, and ends as it should not.


def _afterAcceptance() -> Iterator[Row]:
    for role in _ROLES:
        for case, kind, ending, verdict in (
            ("the stream ends without close_notify", HonestPeer, _end, Verdict("truncated", "remote")),
            ("the connection is reset", HonestPeer, _cut, Verdict("reset", "remote")),
            ("a bit of the data is changed", _Changing, _send, Verdict("protocol-violation", "local", 20)),
            ("the peer never answers close_notify", DeafPeer, _close, Verdict("close-timeout", "local")),
            ("the peer stops reading", _Stuck, _write, Verdict("write-timeout", "local")),
        ):
            yield Row(
                "After acceptance",
                f"{case} ({role} misbehaves)",
                partial(_accepting, kind, role),
                _onBoth(_OTHER[role], verdict),
                partial(ending, role),
            )


def _accepting(kind: Callable[[Configuration], HonestPeer], role: Role, stage: Stage) -> Pair:
    return (
        Pair(kind(stage.client()), stage.server()) if role == "client" else Pair(stage.client(), kind(stage.server()))
    )


def _Changing(configuration: Configuration) -> HonestPeer:
    return CorruptingPeer(configuration, at="ApplicationData")


def _Stuck(configuration: Configuration) -> HonestPeer:
    return SlowPeer(configuration, bytesPerSecond=0, clock=Clock())


def _end(role: Role, pair: Pair) -> None:
    _transport(role, pair).loseConnection()
    pair.flush()


def _cut(role: Role, pair: Pair) -> None:
    pair.link.cut()


def _send(role: Role, pair: Pair) -> None:
    _transport(role, pair).protocol.send(b"data")
    pair.flush()


def _close(role: Role, pair: Pair) -> None:
    _wellBehaved(role, pair).transport.loseConnection()
    pair.flush()
    pair.advance(5)


def _write(role: Role, pair: Pair) -> None:
    _wellBehaved(role, pair).transport.write(bytes(1 << 20))
    for _ in range(12):
        pair.advance(1)


def _transport(role: Role, pair: Pair) -> Any:
    """The TCP transport of the one that misbehaves."""
    return pair.link.client if role == "client" else pair.link.server


def _wellBehaved(role: Role, pair: Pair) -> PairSide:
    return pair.server if role == "client" else pair.client


ROWS: tuple[Row, ...] = (
    *_withoutCertificate(),
    *_certificates(),
    *_negotiation(),
    *_notTLS(),
    *_steps(),
    *_afterAcceptance(),
)

CONNECT_ROWS = (
    ConnectRow("the TCP connection is refused", ConnectionRefusedError(), "nothing listens there"),
    ConnectRow("the host's name cannot be resolved", DNSLookupError(), "cannot be resolved"),
    ConnectRow("the host does not answer", TimeoutError(), "did not answer in time"),
    ConnectRow("the network cannot be reached", ConnectError(osError=101), ""),
)
