"""What a rule for certificates is, and where it looks.

A rule has a name, the section of the document that it comes from, and a check that says in a phrase how it is broken. A
check sees one certificate in its place: what is below it, whether it is the end entity's own, an authority's, or the
one that is trusted. So a chain can be judged while it is being built, from the end entity upwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field, replace
from datetime import datetime
from functools import cached_property
from typing import Literal

from tlscomm._dataclasses import dataclass
from tlscomm.failures import Problem
from tlscomm.x509._certificate import ParsedCertificate
from tlscomm.x509._roles import Role
from tlscomm.x509._unreadable import unreadableText

__all__ = ["PROFILES", "Breach", "PathPosition", "Profile", "Rule", "RuleBook", "problemsAt"]

Profile = Literal["compatible", "strict"]
"""How much of the rules is insisted on."""

PROFILES: tuple[Profile, ...] = ("compatible", "strict")

Weight = Literal["always", "strict", "never"]
"""Under which profile a chain that breaks a rule is refused. Elsewhere it is accepted with a warning."""


@dataclass(frozen=True, eq=False)
class PathPosition:
    """A certificate where it stands in a path.

    Attributes:
        certificate: which one.
        below: those below it, the end entity's first.
        isAnchor: whether it is an authority that is trusted, so that nothing above it matters.
        role: the side whose path it is.
        at: the time to judge for.
        maximumDepth: the most authorities that may be between the end entity and the one that is trusted.
    """

    certificate: ParsedCertificate
    below: tuple[ParsedCertificate, ...]
    isAnchor: bool
    role: Role
    at: datetime
    maximumDepth: int

    @property
    def depth(self) -> int:
        return len(self.below)

    @property
    def isLeaf(self) -> bool:
        return not self.below

    @property
    def isIssuingAnchor(self) -> bool:
        return self.isAnchor and not self.isLeaf

    @cached_property
    def kind(self) -> tuple[bool, bool, Role]:
        """All of the place that a rule may look at which looks at one certificate alone."""
        return self.isLeaf, self.isAnchor, self.role


@dataclass(frozen=True)
class Breach:
    """How a rule is broken by another certificate than the one in whose place it is checked.

    Attributes:
        detail: how, as a phrase.
        depth: the place of the certificate that breaks it.
    """

    detail: str
    depth: int


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        name: what it is called, in kebab-case.
        source: the document and the section.
        code: the failure's code.
        about: what it asks for, as a sentence.
        weight: under which profile it is insisted on.
        openssl: the numbers of the errors by which OpenSSL means the same.
        isFixed: whether the check looks at the certificate and `PathPosition.kind` alone, so that its answer can be
            kept.
        isOfReading: whether it is checked also where the certificate cannot be read.
        isOfForm: whether it is about how a certificate is written. Of an issuer that is trusted no more is taken than
            its name, its key and what it allows (RFC 5280, section 6.1.1 (d)), so there a breach only warns.
        check: says how the rule is broken, once for each breach; nothing where it is kept.
    """

    name: str
    source: str
    code: str
    about: str
    weight: Weight = "always"
    openssl: frozenset[int] = frozenset()
    isFixed: bool = True
    isOfReading: bool = False
    isOfForm: bool = False
    check: Callable[[PathPosition], Iterable[str | Breach]] = field(repr=False)

    def isRequiredBy(self, profile: Profile) -> bool:
        """Return whether a chain that breaks it is refused."""
        return self.weight in ("always", profile)

    def ofIssuingAnchors(self, areThey: bool) -> Rule:
        """Return the same rule for issuers that are trusted alone, or for all others alone."""
        return replace(self, check=lambda position: self.check(position) if position.isIssuingAnchor is areThey else ())

    def problems(self, position: PathPosition) -> tuple[Problem, ...]:
        """Say how the rule is broken in a place."""
        # Nearly always it is kept.
        found = tuple(self.check(position))
        return tuple(self._problem(each, position) for each in found) if found else ()

    def _problem(self, found: str | Breach, position: PathPosition) -> Problem:
        breach = found if isinstance(found, Breach) else Breach(found, position.depth)
        culprit = position.certificate if breach.depth == position.depth else position.below[breach.depth]
        detail = f"{breach.detail} ({self.name}, {self.source})"
        return Problem(self.code, breach.depth, culprit.subjectText, detail)


class RuleBook:
    """Rules to check together.

    Attributes:
        fixed: those that look at one certificate alone.
        ofReading: those of them that are checked of a certificate that cannot be read.
        moving: those that look at time and at what is below it.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.fixed = tuple(rule for rule in rules if rule.isFixed)
        self.ofReading = tuple(rule for rule in self.fixed if rule.isOfReading)
        self.moving = tuple(rule for rule in rules if not rule.isFixed)

    def __iter__(self) -> Iterator[Rule]:
        return iter((*self.fixed, *self.moving))


def problemsAt(position: PathPosition, rules: RuleBook) -> tuple[tuple[Rule, Problem], ...]:
    """Return which rules a certificate breaks in its place, and how.

    Args:
        place: the certificate and what is below it.
        rules: those to check; of a certificate that cannot be read only those that say so.
    """
    certificate = position.certificate
    fixed = certificate.remembered.get((rules, position.kind))
    if fixed is None:
        checked = rules.ofReading if certificate.malformation else rules.fixed
        fixed = tuple((rule, problem) for rule in checked for problem in _checked(rule, position))
        certificate.remembered[rules, position.kind] = fixed
    if fixed and fixed[0][1].depth != position.depth:
        fixed = tuple((rule, replace(problem, depth=position.depth)) for rule, problem in fixed)
    if certificate.malformation:
        return fixed
    return (*fixed, *((rule, problem) for rule in rules.moving for problem in _checked(rule, position)))


def _checked(rule: Rule, position: PathPosition) -> tuple[Problem, ...]:
    try:
        return rule.problems(position)
    except Exception as broken:
        # What a stranger wrote may break any parser, and a check that breaks has not accepted anything.
        detail = f"it cannot be checked: {unreadableText(broken)} ({rule.name}, {rule.source})"
        return (Problem("invalid-certificate", position.depth, position.certificate.subjectText, detail),)
