"""A second opinion under the profile ``strict``: the verifier of `cryptography`, which knows the Web PKI's rules.

It looks at one path alone, and not at all where it has no word for the case: a certificate that is trusted itself, or a
server whose name is neither known nor in its certificate.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from tlscomm._chainrule import Role
from tlscomm._examined import examined, subjectOf
from tlscomm._servernames import identityOf
from tlscomm.failures import Problem, printable

__all__ = ["webPKIProblem"]


def webPKIProblem(
    path: Sequence[x509.Certificate], role: Role, serverName: str | None, at: datetime, maximumDepth: int
) -> Problem | None:
    """Return why the verifier of `cryptography` does not accept a path, or None where it does or cannot tell.

    Args:
        path: the peer's certificate first, the trusted authority last.
        role: the side that presents it.
        serverName: the name or address that a server's certificate must be for; one of its own where None.
        at: the time to judge for.
        maximumDepth: the most authorities between the first and the last.
    """
    if len(path) == 1:
        return None
    leaf, *others = path
    # It looks at the numbers of a time and not at its zone.
    moment = at.astimezone(timezone.utc)
    builder = PolicyBuilder().store(Store([others[-1]])).time(moment).max_chain_depth(maximumDepth)
    try:
        subject = _subject(serverName, leaf)
        if role == "client":
            builder.build_client_verifier().verify(leaf, others[:-1])
        elif subject is not None:
            builder.build_server_verifier(subject).verify(leaf, others[:-1])
    except (VerificationError, ValueError) as refused:
        detail = f"{printable(str(refused))} (web-pki, the verifier of cryptography)"
        return Problem("invalid-certificate", 0, subjectOf(leaf), detail)
    return None


def _subject(serverName: str | None, leaf: x509.Certificate) -> x509.DNSName | x509.IPAddress | None:
    name = serverName or next((str(n.value) for n in examined(leaf).names if isinstance(n, _OF_SERVERS)), None)
    if name is None:
        return None
    identity = identityOf(name.replace("*", "any", 1))
    return x509.DNSName(identity) if isinstance(identity, str) else x509.IPAddress(identity)


_OF_SERVERS = (x509.DNSName, x509.IPAddress)
