"""Who may be on the other side: the one place that decides, for live connections and for verdicts off line.

OpenSSL has built a chain and says which of its checks failed. That is not the whole truth. It cannot tell a missing
intermediate from an unknown authority, and it does not look at names. Both are settled here, with the certificates in
hand, and every problem is collected, because a person who mends one wants to know of the next.

Names are only ever those of the subject alternative name extension (RFC 9525, section 2): a common name is a label, and
an authority does not check it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import lru_cache
from ipaddress import ip_address
from typing import Literal

from cryptography import x509
from cryptography.x509.oid import NameOID
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, DNSPattern, IPAddress_ID, IPAddressPattern, verify_service_identity

from tlscomm.access import EVERYBODY, AccessRule, AccessRules, Decision
from tlscomm.failures import Problem, printable
from tlscomm.peer import Peer
from tlscomm.revocation import Revocation

__all__ = ["Findings", "Judgement", "Role", "Verifier", "isAddress", "malformation", "nameProblem"]

Role = Literal["client", "server"]

#: Of a chain that does not end at a trusted authority nobody can tell whether it was revoked.
_WITHOUT_ANCHOR = frozenset({"incomplete-chain", "self-signed", "unknown-issuer"})


@dataclass(frozen=True)
class Findings:
    """What OpenSSL's own verification came to in a handshake.

    Attributes:
        problems: what OpenSSL says is wrong; nothing where it accepts the chain.
        chain: the chain that it built, the peer's own certificate first.
    """

    problems: tuple[Problem, ...] = ()
    chain: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """What came of looking at a peer's certificates.

    Attributes:
        chain: of an accepted peer the verified chain, its own certificate first and the trusted authority last; of a
            refused one the chain that says most about why.
        problems: why the peer is refused, the one to act on first; nothing means that it is accepted.
        warnings: rules that the chain breaks and that it was accepted in spite of.
        rule: the access rule that let the peer in, or None where there are none.
    """

    chain: tuple[x509.Certificate, ...]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    rule: AccessRule | None = None


@dataclass(frozen=True, kw_only=True)
class Verifier:
    """What a peer has to be.

    Attributes:
        peerRole: which side the peer is on.
        serverName: the DNS name (in its ASCII form) or the address that a server's certificate has to be for; None
            where any name will do, as for clients.
        anchors: the authorities that are trusted, as far as they are known as certificates. They do not decide whether
            a chain is trusted, OpenSSL does; they tell what is wrong with one that is not.
        access: who of the peers that nothing is wrong with is let in.
        revocation: what is known of revoked certificates.
    """

    peerRole: Role
    serverName: str | None = None
    anchors: tuple[x509.Certificate, ...] = ()
    access: AccessRules = EVERYBODY
    revocation: Revocation = field(default_factory=Revocation)

    def verify(
        self,
        presented: Sequence[x509.Certificate],
        *,
        findings: Findings | None = None,
        staple: bytes | None = None,
        at: datetime | None = None,
    ) -> Judgement:
        """Decide on a peer.

        Args:
            presented: the certificates that the peer sent, its own first.
            findings: what OpenSSL found in the handshake.
            staple: the OCSP response (DER) that came with a server's certificate.
            at: the time to judge for, with a time zone; now where None.
        """
        at = at or datetime.now(timezone.utc)
        known = findings or Findings()
        chain = known.chain or tuple(presented)
        judged = [self._refined(problem, chain) for problem in known.problems]
        if not judged:
            judged.extend(_validityProblems(chain[0], at))
        if self.serverName is not None and (mismatch := nameProblem(chain[0], self.serverName)):
            judged.append(mismatch)
        warnings: tuple[Problem, ...] = ()
        if not any(problem.code in _WITHOUT_ANCHOR for problem in judged):
            stapling = self.peerRole == "server"
            revoked, warnings = self.revocation.check(chain, at=at, staple=staple, others=presented, stapling=stapling)
            judged.extend(revoked)
        decision = Decision() if judged else self.access.judge(Peer(chain))
        if decision.problem is not None:
            judged.append(decision.problem)
        return Judgement(chain, tuple(judged), warnings, decision.rule)

    def _refined(self, problem: Problem, chain: Sequence[x509.Certificate]) -> Problem:
        certificate = chain[min(problem.depth, len(chain) - 1)]
        problem = replace(problem, subject=_subject(certificate))
        if problem.code == "expired":
            return replace(
                problem, detail=f"its validity ended at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
            )
        if problem.code == "not-yet-valid":
            start = certificate.not_valid_before_utc
            return replace(problem, detail=f"its validity begins at {start:%Y-%m-%d %H:%M} UTC")
        if problem.code == "unknown-issuer":
            return self._issuerProblem(problem, certificate)
        if problem.code == "wrong-purpose" and not problem.detail:
            return replace(problem, detail=f"it is presented by a {self.peerRole}")
        return problem

    def _issuerProblem(self, problem: Problem, certificate: x509.Certificate) -> Problem:
        """Tell a missing intermediate from an authority that is not trusted.

        OpenSSL's error is the same for both: the issuer was not found. Above the peer's own certificate an authority
        was sent and is not trusted. For the peer's own, what the certificates say of each other decides:

        * a trusted authority with the issuer's name, but another key, did not issue it;
        * an issuer that the authority key identifier shows to be its own issuer is a root, not an intermediate;
        * below trusted authorities that may have no intermediates (path length 0) none can be missing;
        * an issuer of an organisation that no trusted authority belongs to is somebody else's.

        Otherwise the intermediate is taken to be missing, which is by far the commonest mistake.
        """
        if malformed := malformation(certificate):
            # OpenSSL finds no issuer for what it cannot read.
            return replace(problem, code="invalid-certificate", detail=malformed)
        issuer = f"issuer {_name(certificate.issuer)}"
        if certificate.issuer == certificate.subject:
            return replace(problem, detail="the chain ends there")
        if problem.depth > 0:
            return replace(problem, detail=f"the chain ends below {issuer}")
        if any(anchor.subject == certificate.issuer for anchor in self.anchors):
            return replace(problem, detail=f"{issuer} has the name of a trusted authority, but another key")
        if self._isForeign(certificate):
            return replace(problem, detail=issuer)
        return replace(problem, code="incomplete-chain", detail=issuer)

    def _isForeign(self, certificate: x509.Certificate) -> bool:
        if (grandparent := _issuersIssuer(certificate)) is not None:
            return not any(anchor.subject == grandparent for anchor in self.anchors)
        if not self.anchors:
            return False
        if all(_pathLength(anchor) == 0 for anchor in self.anchors):
            return True
        issuer, trusted = _organizations(certificate.issuer), [_organizations(a.subject) for a in self.anchors]
        return bool(issuer) and all(trusted) and not any(issuer & names for names in trusted)


@lru_cache(maxsize=256)
def isAddress(name: str) -> bool:
    """Return whether a server name is an IP address, which is matched and sent differently (RFC 6066, section 3)."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def malformation(certificate: x509.Certificate) -> str:
    """Return why nobody can read the extensions of a certificate, or nothing where they are well."""
    try:
        _ = certificate.extensions
    except ValueError as problem:
        return f"its extensions cannot be read: {printable(str(problem))}"
    return ""


def nameProblem(certificate: x509.Certificate, serverName: str) -> Problem | None:
    """Return why a certificate is not for a server name, or None where it is (RFC 9525, section 6).

    Each name counts by itself: one that cannot be used, as an address that is written as a DNS name, does not spoil the
    others. Whatever else goes wrong in the check is a problem: a certificate that cannot be read is for no name.
    """
    try:
        names = list(_alternativeNames(certificate))
        wanted = IPAddress_ID(serverName) if isAddress(serverName) else DNS_ID(serverName)
        patterns = [pattern for name in names if (pattern := _pattern(name)) is not None]
        if patterns and _matches(patterns, wanted):
            return None
    except Exception as broken:
        detail = f"its subject alternative names cannot be used: {printable(str(broken))}"
        return _nameProblem(certificate, "invalid-certificate", detail)
    if not names:
        detail = f"asked for {serverName}, it has no subject alternative name, and a common name does not count"
        return _nameProblem(certificate, "name-mismatch", detail)
    texts = printable(", ".join(str(getattr(name, "value", name)) for name in names))
    if not patterns and any(isinstance(name, x509.DNSName) and not _isPlainAddress(name) for name in names):
        detail = f"its subject alternative names cannot be used: {texts}"
        return _nameProblem(certificate, "invalid-certificate", detail)
    return _nameProblem(certificate, "name-mismatch", f"asked for {serverName}, it is for {texts}")


def _pattern(name: x509.GeneralName) -> DNSPattern | IPAddressPattern | None:
    """Return what a name stands for in the comparison, or None where it stands for no server."""
    if isinstance(name, x509.IPAddress):
        return IPAddressPattern(ip_address(str(name.value)))
    if isinstance(name, x509.DNSName):
        with suppress(CertificateError):
            return DNSPattern.from_bytes(name.value.encode("utf-8"))
    return None


def _matches(patterns: Sequence[DNSPattern | IPAddressPattern], wanted: DNS_ID | IPAddress_ID) -> bool:
    try:
        verify_service_identity(patterns, obligatory_ids=[wanted], optional_ids=[])
    except VerificationError:
        return False
    return True


def _isPlainAddress(name: x509.DNSName) -> bool:
    return isAddress(name.value)


def _nameProblem(certificate: x509.Certificate, code: str, detail: str) -> Problem:
    return Problem(code, depth=0, subject=_subject(certificate), detail=detail)


def _alternativeNames(certificate: x509.Certificate) -> Iterator[x509.GeneralName]:
    try:
        yield from certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return


def _validityProblems(certificate: x509.Certificate, now: datetime) -> Iterator[Problem]:
    if now > certificate.not_valid_after_utc:
        yield Problem("expired", depth=0)
    if now < certificate.not_valid_before_utc:
        yield Problem("not-yet-valid", depth=0)


def _issuersIssuer(certificate: x509.Certificate) -> x509.Name | None:
    try:
        identifier = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except (x509.ExtensionNotFound, ValueError):
        return None
    names = [name.value for name in identifier.authority_cert_issuer or () if isinstance(name, x509.DirectoryName)]
    return names[0] if names else None


def _pathLength(authority: x509.Certificate) -> int | None:
    try:
        return authority.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    except (x509.ExtensionNotFound, ValueError):
        return None


def _organizations(name: x509.Name) -> set[str]:
    return {str(attribute.value).casefold() for attribute in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)}


def _subject(certificate: x509.Certificate) -> str:
    try:
        return _name(certificate.subject)
    except ValueError:
        return "(unreadable subject)"


def _name(name: x509.Name) -> str:
    return printable(name.rfc4514_string())
