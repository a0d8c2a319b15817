"""Access rules as objects: one condition, or conditions that are combined.

An answer is True, False, or None where the certificate leaves it in doubt. Doubt stays doubt when it is turned round,
and goes away only where the other conditions decide by themselves (Kleene's logic). So a rule that lets a peer in
never does so because something could not be read, and one that keeps a peer out never fails to.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import field

from tlscomm._dataclasses import dataclass
from tlscomm.access._conditions import Test, compiled
from tlscomm.access._peer import Peer
from tlscomm.access._presented import PresentedIdentifiers

__all__ = ["AccessRule", "Condition", "allOf", "anyOf", "noneOf"]

#: What ends a value that is not in quotes, and what would be taken for quotes.
_NEEDS_QUOTES = re.compile(r"""[&|()"\\,]|^\s|\s$""")


class AccessRule(ABC):
    """A rule: a condition on a peer, or several combined with ``&`` (all), ``|`` (any) and ``~`` (not).

    Rules are equal when they say the same in the same words, and can be keys of a dictionary. ``str`` of one is the
    text of which `parseRule` makes it again.
    """

    __slots__ = ()

    def fits(self, peer: Peer) -> bool:
        """Return whether the peer is one that the rule means. Where that is in doubt, it is not."""
        return self.judge(PresentedIdentifiers(peer)) is True

    @abstractmethod
    def judge(self, presented: PresentedIdentifiers) -> bool | None:
        """Return whether the rule fits what a peer presented, None where that cannot be known."""

    @abstractmethod
    def conditions(self) -> Iterator[Condition]:
        """Return the conditions that it is made of."""

    def __and__(self, other: AccessRule) -> AccessRule:
        return allOf(self, other)

    def __or__(self, other: AccessRule) -> AccessRule:
        return anyOf(self, other)

    def __invert__(self) -> AccessRule:
        return noneOf(self)

    def __repr__(self) -> str:
        return f"parseRule({str(self)!r})"


@dataclass(frozen=True, repr=False)
class Condition(AccessRule):
    """One condition.

    Attributes:
        kind: what of the peer is looked at.
        pattern: what it has to be, in the form in which it is compared where that is one.

    Raises:
        ValueError: there is no such kind, or the pattern is none of it.
    """

    kind: str
    pattern: str
    _test: Test = field(init=False, compare=False)

    def __post_init__(self) -> None:
        pattern, test = compiled(self.kind, self.pattern)
        object.__setattr__(self, "pattern", pattern)
        object.__setattr__(self, "_test", test)

    def judge(self, presented: PresentedIdentifiers) -> bool | None:
        known = presented.known(self.kind)
        if self._test(known.values):
            return True
        return None if known.doubt else False

    def conditions(self) -> Iterator[Condition]:
        yield self

    def __str__(self) -> str:
        if not _NEEDS_QUOTES.search(self.pattern):
            return f"{self.kind}={self.pattern}"
        quoted = self.pattern.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.kind}="{quoted}"'

    def __reduce__(self) -> tuple[type[Condition], tuple[str, str]]:
        return Condition, (self.kind, self.pattern)


@dataclass(frozen=True, repr=False)
class AllOf(AccessRule):
    """Fits where all its rules do. Made by ``&``."""

    rules: tuple[AccessRule, ...]

    def judge(self, presented: PresentedIdentifiers) -> bool | None:
        answers = {rule.judge(presented) for rule in self.rules}
        return False if False in answers else None if None in answers else True

    def conditions(self) -> Iterator[Condition]:
        return (condition for rule in self.rules for condition in rule.conditions())

    def __str__(self) -> str:
        return "&".join(f"({rule})" if isinstance(rule, AnyOf) else str(rule) for rule in self.rules)


@dataclass(frozen=True, repr=False)
class AnyOf(AccessRule):
    """Fits where one of its rules does. Made by ``|``."""

    rules: tuple[AccessRule, ...]

    def judge(self, presented: PresentedIdentifiers) -> bool | None:
        answers = {rule.judge(presented) for rule in self.rules}
        return True if True in answers else None if None in answers else False

    def conditions(self) -> Iterator[Condition]:
        return (condition for rule in self.rules for condition in rule.conditions())

    def __str__(self) -> str:
        return "|".join(map(str, self.rules))


@dataclass(frozen=True, repr=False)
class Not(AccessRule):
    """Fits where its rule does not. Made by ``~``."""

    rule: AccessRule

    def judge(self, presented: PresentedIdentifiers) -> bool | None:
        answer = self.rule.judge(presented)
        return None if answer is None else not answer

    def conditions(self) -> Iterator[Condition]:
        return self.rule.conditions()

    def __str__(self) -> str:
        return f"!{self.rule}" if isinstance(self.rule, Condition) else f"!({self.rule})"


def allOf(*rules: AccessRule) -> AccessRule:
    """Return the rule that fits where all of some rules do.

    Raises:
        ValueError: there are none: such a rule would fit everybody.
    """
    return _combined(AllOf, rules)


def anyOf(*rules: AccessRule) -> AccessRule:
    """Return the rule that fits where one of some rules does.

    Raises:
        ValueError: there are none.
    """
    return _combined(AnyOf, rules)


def noneOf(*rules: AccessRule) -> AccessRule:
    """Return the rule that fits where none of some rules does.

    Raises:
        ValueError: there are none: such a rule would fit everybody.
    """
    rule = anyOf(*rules)
    return rule.rule if isinstance(rule, Not) else Not(rule)


def _combined(combination: type[AllOf] | type[AnyOf], rules: Iterable[AccessRule]) -> AccessRule:
    # A combination in one of the same sort is taken apart, so that one text means one object.
    members = [m for rule in rules for m in (rule.rules if isinstance(rule, combination) else (rule,))]
    if not members:
        raise ValueError("a combination needs rules to combine")
    return members[0] if len(members) == 1 else combination(tuple(members))
