"""What the other side would say of a credential, without another side.

A renewed certificate is better judged before it is put to use than by the first client that is refused. The verdict is
that of the live handshake, because it comes from one: a client and a server in memory, of which one has the credential
and the other judges it with the very code that judges real peers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from cryptography import x509

from tlscomm.access import NO_ACCESS_RULES, AccessRules
from tlscomm.configuration import ClientConfiguration, Configuration, ServerConfiguration, insecurelyPresenting
from tlscomm.credentials import Credential, usabilityProblems
from tlscomm.credentials._credential import undecodable
from tlscomm.failures import Problem, TLSFailure
from tlscomm.issuing import Authority
from tlscomm.revocation import Revocation
from tlscomm.tls._connection import TLSConnection
from tlscomm.verification import Pin, Profile, nameToAskFor
from tlscomm.x509._roles import Role

__all__ = ["handshake", "pump", "verdict", "verdictWithWarnings"]

#: The name of the other side where its certificate does not matter (RFC 2606).
_NOBODY = "judge.invalid"

#: With these no peer gets as far as to judge a certificate.
_NOT_PRESENTABLE = frozenset({"no-private-key", "key-mismatch", "key-too-weak"})


def verdict(
    credential: Credential,
    role: Role,
    *,
    roots: Sequence[x509.Certificate] | None = None,
    serverName: str | None = None,
    revocation: Revocation | None = None,
    access: AccessRules = NO_ACCESS_RULES,
    intermediates: Sequence[x509.Certificate] = (),
    pins: Sequence[Pin] = (),
    profile: Profile = "compatible",
    staple: bytes | None = None,
) -> TLSFailure | None:
    """Return why a peer would refuse a credential, or None where it would accept it.

    Args:
        credential: what is to be judged.
        role: the side that presents it.
        roots: the authorities that the judge trusts. The system's where None, which only servers can be judged by.
        serverName: the name that clients ask for; the credential's own first name where None. For servers only.
        revocation: what the judge knows of revoked certificates.
        access: the rules of the judge.
        intermediates: authorities that the judge knows and does not trust by themselves.
        pins: the certificates and keys of which the judge insists on one.
        profile: how much of the rules for chains the judge insists on.
        staple: the OCSP response (DER) that the server sends along with its certificate. For servers only.

    Raises:
        ValueError: the arguments do not fit together.
    """
    return verdictWithWarnings(
        credential,
        role,
        roots=roots,
        serverName=serverName,
        revocation=revocation,
        access=access,
        intermediates=intermediates,
        pins=pins,
        profile=profile,
        staple=staple,
    )[0]


def verdictWithWarnings(
    credential: Credential,
    role: Role,
    *,
    roots: Sequence[x509.Certificate] | None = None,
    serverName: str | None = None,
    revocation: Revocation | None = None,
    staple: bytes | None = None,
    **judging: Any,
) -> tuple[TLSFailure | None, tuple[Problem, ...]]:
    """Return what `verdict` returns, and what a peer that would accept a credential would warn of.

    Args:
        credential: what is to be judged.
        role: the side that presents it.
        roots: as in `verdict`.
        serverName: as in `verdict`.
        revocation: as in `verdict`.
        staple: as in `verdict`.
        judging: the other arguments of `verdict`.

    Raises:
        ValueError: the arguments do not fit together.
    """
    if role == "client" and staple is not None:
        raise ValueError("clients staple no OCSP response")
    own = next(usabilityProblems(credential, role, datetime.now(timezone.utc)), None)
    fault = undecodable(credential)
    if own is not None and (fault is not None or own.code in _NOT_PRESENTABLE):
        return own, ()
    if fault is not None:
        return fault, ()
    for several in ("intermediates", "pins"):
        judging[several] = tuple(judging.get(several, ()))
    judging["revocation"] = revocation or Revocation()
    if role == "client":
        found, warnings = _verdictOnClient(credential, tuple(roots or ()), judging)
    else:
        trusted = None if roots is None else tuple(roots)
        found, warnings = _verdictOnServer(credential, trusted, serverName, judging, staple or b"")
    # What the peer says of the same is told, with its alert. Where it is of another mind, the credential is still no
    # use: no configuration takes it.
    return found if own is None or (found is not None and found.code == own.code) else own, warnings


def handshake(
    clientConfiguration: Configuration, serverConfiguration: Configuration
) -> tuple[TLSConnection, TLSConnection]:
    """Let a client and a server shake hands.

    Returns:
        The client's connection and the server's. Their `TLSConnection.state` and `TLSConnection.failure` say what it
        came to, and `pump` carries what they send to each other after it.
    """
    client, server = TLSConnection(clientConfiguration), TLSConnection(serverConfiguration)
    client.start()
    pump(client, server)
    if client.isAccepted:
        # Nothing is on its way that could follow the server's sign.
        client.confirm()
    return client, server


def pump(client: TLSConnection, server: TLSConnection) -> tuple[bytes, bytes]:
    """Carry what both sides have to say, until neither has any more.

    Args:
        client: a client's connection; if it has not begun its handshake, call its ``start`` first.
        server: a server's connection.

    Returns:
        The application data that the client received, and that the server received.
    """
    clientReceived: list[bytes] = []
    serverReceived: list[bytes] = []
    while True:
        toServer, toClient = client.outgoing(), server.outgoing()
        if not toServer and not toClient:
            return b"".join(clientReceived), b"".join(serverReceived)
        if toServer:
            serverReceived.append(server.receive(toServer))
        if toClient:
            clientReceived.append(client.receive(toClient))


def _verdictOnClient(
    credential: Credential, roots: tuple[x509.Certificate, ...], judging: dict[str, Any]
) -> tuple[TLSFailure | None, tuple[Problem, ...]]:
    authority = Authority.create()
    judge = ServerConfiguration(
        credential=authority.issue(_NOBODY, role="server", dnsNames=[_NOBODY]),
        clientRoots=roots,
        clientCertificates="required",
        **judging,
    )
    client = ClientConfiguration(serverName=_NOBODY, roots=(authority.certificate,))
    presenting, other = handshake(insecurelyPresenting(client, credential), judge)
    return _settled(other, presenting)


def _verdictOnServer(
    credential: Credential,
    roots: tuple[x509.Certificate, ...] | None,
    serverName: str | None,
    judging: dict[str, Any],
    staple: bytes,
) -> tuple[TLSFailure | None, tuple[Problem, ...]]:
    name = nameToAskFor(credential) if serverName is None else serverName
    judge = ClientConfiguration(serverName=name, roots=roots, **judging)
    stand = Authority.create().issue(_NOBODY, role="server", dnsNames=[_NOBODY])
    server = ServerConfiguration(credential=stand)
    other, presenting = handshake(judge, insecurelyPresenting(server, credential, staple=staple))
    return _settled(other, presenting)


def _settled(judging: TLSConnection, presenting: TLSConnection) -> tuple[TLSFailure | None, tuple[Problem, ...]]:
    """Return what came of it; a handshake that did not come to its end is no acceptance."""
    if not judging.isAccepted:
        judging.receiveEnd()
    warnings = () if judging.peer is None else judging.peer.warnings
    for side in (judging, presenting):
        side.release()
    return judging.failure, warnings
