"""Which rules decide on a chain, and which only warn.

OpenSSL and the rules that a profile insists on decide in every handshake. The others change nothing in that, so they
are checked only when the warnings of a verdict are read: `RuleCheck` keeps what that takes besides the chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509

from tlscomm._dataclasses import dataclass
from tlscomm.failures import Problem
from tlscomm.verification._corerules import CORE
from tlscomm.verification._formrules import HYGIENE
from tlscomm.verification._rule import PROFILES, PathPosition, Profile, Rule, RuleBook, problemsAt
from tlscomm.x509._certificate import parsedCertificate
from tlscomm.x509._roles import Role

__all__ = ["RULES", "RuleCheck", "decidingRules", "warningRules"]

RULES = RuleBook((*CORE, *HYGIENE))
"""Every rule that is checked of a certificate in its place."""


def _deciding(profile: Profile) -> Iterator[Rule]:
    for rule in RULES:
        if rule.isRequiredBy(profile):
            yield rule.ofIssuingAnchors(False) if rule.isOfForm else rule


def _warning(profile: Profile) -> Iterator[Rule]:
    for rule in RULES:
        if not rule.isRequiredBy(profile):
            yield rule
        elif rule.isOfForm:
            yield rule.ofIssuingAnchors(True)


_NONE = RuleBook(())
_DECIDING = {each: RuleBook(tuple(_deciding(each))) for each in PROFILES}
_WARNING = {each: RuleBook(tuple(_warning(each))) for each in PROFILES}


def decidingRules(profile: Profile | None) -> RuleBook:
    """Return the rules that no chain may break that is accepted.

    Args:
        profile: None where an external context decides on the chain.
    """
    return _NONE if profile is None else _DECIDING[profile]


def warningRules(profile: Profile | None) -> RuleBook:
    """Return the other rules."""
    return RULES if profile is None else _WARNING[profile]


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """Rules to check of a path, and what that depends on besides its certificates.

    Attributes:
        rules: which.
        role: the side whose path it is.
        at: the time to judge for.
        maximumDepth: the most authorities that may be between the end entity and the one that is trusted.
        isTrusted: whether the path ends with an authority that is trusted.
    """

    rules: RuleBook
    role: Role
    at: datetime
    maximumDepth: int
    isTrusted: bool

    def broken(self, path: Sequence[x509.Certificate]) -> Iterator[tuple[Rule, Problem]]:
        """Say which rules a path breaks, and how; from the end entity upwards."""
        certificates = tuple(parsedCertificate(certificate) for certificate in path)
        last = len(certificates) - 1
        for depth, certificate in enumerate(certificates):
            isAnchor = depth == last and (self.isTrusted or (depth > 0 and certificate.isSelfIssued))
            position = PathPosition(certificate, certificates[:depth], isAnchor, self.role, self.at, self.maximumDepth)
            yield from problemsAt(position, self.rules)
