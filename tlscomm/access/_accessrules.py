"""Who of those with a valid certificate is let in.

A trusted authority says who a peer is. Whether that peer has business here is for the server to say, in rules
that are written as one word each: ``dns=*.example.org``, ``uri=spiffe://example.org/billing``. A rule that denies wins
over every rule that allows, in whatever order they were given. Where there are rules that allow, one of them has to
fit; where there are none, everybody is let in whom no rule denies. A peer that is kept out is refused as
``not-allowed``, which never means that its certificate is bad.

What cannot be decided, because a part of the certificate cannot be read or holds a name that is none, keeps out: then
no rule that allows fits, and every rule that denies does.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from tlscomm._dataclasses import dataclass
from tlscomm.access._peer import Peer
from tlscomm.access._presented import PresentedIdentifiers
from tlscomm.access._rule import AccessRule, Condition, allOf, anyOf, noneOf
from tlscomm.access._ruletext import parseRule
from tlscomm.failures import Problem, printable
from tlscomm.x509._facts import nameText, subjectText

__all__ = [
    "NO_ACCESS_RULES",
    "AccessRule",
    "AccessRules",
    "Condition",
    "Decision",
    "allOf",
    "anyOf",
    "noneOf",
    "parseRule",
]

#: How many of its names a refusal shows.
_SHOWN = 5


@dataclass(frozen=True)
class Decision:
    """What the rules say of a peer.

    Attributes:
        rule: the rule that lets it in; None where none has to, and where it is kept out.
        deniedBy: the rule that keeps it out; None where it is let in, and where no rule fitted.
        problem: why it is kept out; None where it is let in.
    """

    rule: AccessRule | None = None
    deniedBy: AccessRule | None = None
    problem: Problem | None = None

    @property
    def isLetIn(self) -> bool:
        """Whether the peer is let in."""
        return self.problem is None


@dataclass(frozen=True)
class AccessRules:
    """The rules of one side. Without any, everybody is let in whose certificate is valid.

    Attributes:
        allow: one of them has to fit; where there are none, every peer counts as allowed.
        deny: none of them may fit.

    Raises:
        TypeError: one of them is no rule, but its text for one.
    """

    allow: tuple[AccessRule, ...] = ()
    deny: tuple[AccessRule, ...] = ()

    def __post_init__(self) -> None:
        for name in ("allow", "deny"):
            rules = tuple(getattr(self, name))
            object.__setattr__(self, name, rules)
            if wrong := [rule for rule in rules if not isinstance(rule, AccessRule)]:
                raise TypeError(f"{wrong[0]!r} is no AccessRule; parseRule makes one of a text")

    @classmethod
    def parse(cls, allow: Iterable[str] = (), deny: Iterable[str] = ()) -> AccessRules:
        """Return the rules of their texts, each as `parseRule` takes it.

        Raises:
            ValueError: one of them is no rule.
        """
        return cls(tuple(map(parseRule, allow)), tuple(map(parseRule, deny)))

    def judge(self, peer: Peer) -> Decision:
        """Decide whether a peer is let in.

        Args:
            peer: one whose certificate is valid, with the chain that was verified.
        """
        presented = PresentedIdentifiers(peer)
        for rule in self.deny:
            if (answer := rule.judge(presented)) is not False:
                return Decision(None, rule, _problem(peer, _whyDenied(rule, answer, presented)))
        if not self.allow:
            return Decision()
        for rule in self.allow:
            if rule.judge(presented):
                return Decision(rule)
        detail = f"no rule lets it in{_names(peer)}{_issuer(peer, self.allow)}{_doubts(self.allow, presented)}"
        return Decision(problem=_problem(peer, detail))

    @property
    def lookAtHello(self) -> bool:
        """Whether one of them looks at the fingerprint of a client's first message, which is then worked out."""
        return any(each.kind == "ja4" for rule in (*self.allow, *self.deny) for each in rule.conditions())

    def __bool__(self) -> bool:
        return bool(self.allow or self.deny)


#: No rules: each peer with a valid certificate.
NO_ACCESS_RULES = AccessRules()


def _problem(peer: Peer, detail: str) -> Problem:
    return Problem("not-allowed", depth=0, subject=subjectText(peer.certificate), detail=detail)


def _whyDenied(rule: AccessRule, answer: bool | None, presented: PresentedIdentifiers) -> str:
    text = printable(str(rule))
    return f"the rule {text} denies it" if answer else f"the rule {text} may deny it{_doubts([rule], presented)}"


def _doubts(rules: Iterable[AccessRule], presented: PresentedIdentifiers) -> str:
    """Return the first reason why a condition could not be decided, as the end of a phrase, or nothing."""
    known = (presented.known(condition.kind) for rule in rules for condition in rule.conditions())
    return next((f", and cannot be ruled out: {each.doubt}" for each in known if each.doubt), "")


def _names(peer: Peer) -> str:
    """Return the names of a peer, as the end of a phrase, besides its subject, which the problem has already."""
    names = peer.alternativeNames or ()
    shown = [printable(nameText(name), 80) for name in islice(names, _SHOWN)]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"; its names: {', '.join(shown)}{more}" if shown else ""


def _issuer(peer: Peer, rules: Iterable[AccessRule]) -> str:
    """Return who issued the certificate, as the end of a phrase, where a rule asks for that."""
    asked = any(condition.kind == "issuer" for rule in rules for condition in rule.conditions())
    return f"; its issuer: {peer.facts.issuer}" if asked else ""
