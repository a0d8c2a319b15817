"""A second opinion under the profile ``strict``: the verifier of `cryptography`, which knows the Web PKI's rules.

It looks at one path alone, and not at all where it has no word for the case:

* a certificate that is trusted itself, or a server whose name is neither known nor in its certificate;
* constraints of policies, and name constraints for directory names and URIs: the documents allow them, our own rules
  follow them, and it refuses the peers that have them;
* an authority that changes its key below a path length constraint: it counts the self-issued certificate, which RFC
  5280, section 6.1.4 (l), does not.

The trusted authority it is shown in plain form (`tlscomm.verification._plainanchor`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from cryptography import x509
from cryptography.x509.oid import ExtensionOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from tlscomm.access._nameforms import isSPIFFE
from tlscomm.failures import Problem, printable
from tlscomm.verification._plainanchor import plainAnchor
from tlscomm.verification._servernames import identitiesIn, identityOf
from tlscomm.x509._certificate import ParsedCertificate, parsedCertificate
from tlscomm.x509._facts import subjectText
from tlscomm.x509._roles import Role

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
    if len(path) == 1 or _isBeyondIt([parsedCertificate(certificate) for certificate in path]):
        return None
    leaf, *others = path
    # It looks at the numbers of a time and not at its zone.
    moment = at.astimezone(timezone.utc)
    try:
        store = Store([plainAnchor(others[-1])])
        builder = PolicyBuilder().store(store).time(moment).max_chain_depth(maximumDepth)
        subject = _subject(serverName, leaf)
        if role == "client":
            builder.build_client_verifier().verify(leaf, others[:-1])
        elif subject is not None:
            builder.build_server_verifier(subject).verify(leaf, others[:-1])
    except (VerificationError, ValueError) as refused:
        detail = f"{printable(str(refused))} (web-pki, the verifier of cryptography)"
        return Problem("invalid-certificate", 0, subjectText(leaf), detail)
    return None


def _isBeyondIt(path: Sequence[ParsedCertificate]) -> bool:
    issuers = path[1:]
    if any(issuer.extension(oid) is not None for issuer in issuers for oid in _OF_POLICIES):
        return True
    if any(issuer.isSelfIssued for issuer in issuers[:-1]) and any(map(_hasPathLength, issuers)):
        return True
    return any(not isinstance(name, _ITS_CONSTRAINTS) for issuer in issuers for name in _constraints(issuer))


def _hasPathLength(issuer: ParsedCertificate) -> bool:
    constraints = issuer.value(x509.BasicConstraints)
    return constraints is not None and constraints.path_length is not None


def _constraints(issuer: ParsedCertificate) -> Sequence[x509.GeneralName]:
    found = issuer.value(x509.NameConstraints)
    return () if found is None else (*(found.permitted_subtrees or ()), *(found.excluded_subtrees or ()))


def _subject(serverName: str | None, leaf: x509.Certificate) -> x509.DNSName | x509.IPAddress | None:
    # Of a SPIFFE id the rules of the web know nothing.
    isHost = serverName is not None and not isSPIFFE(serverName)
    identity = identityOf(serverName) if serverName is not None and isHost else next(identitiesIn(leaf), None)
    if identity is None:
        return None
    return x509.DNSName(identity.replace("*", "any", 1)) if isinstance(identity, str) else x509.IPAddress(identity)


#: The kinds of names that it can constrain.
_ITS_CONSTRAINTS = (x509.DNSName, x509.IPAddress, x509.RFC822Name)
_OF_POLICIES = (ExtensionOID.INHIBIT_ANY_POLICY, ExtensionOID.POLICY_CONSTRAINTS, ExtensionOID.POLICY_MAPPINGS)
