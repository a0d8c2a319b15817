"""The text of an access rule, taken apart.

A value stands as it is, because most have nothing in them that could be mistaken, or in double quotes, where a
backslash takes the meaning from a quote and from itself. A distinguished name may hold every sign that combines rules,
and a rule that is read in another way than it was meant keeps out the wrong ones; so what could be meant in two ways is
refused, with the way to write it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tlscomm.access._conditions import KINDS
from tlscomm.access._rule import AccessRule, Condition, allOf, anyOf
from tlscomm.failures import printable

__all__ = ["parseRule", "parseRules"]

#: Deeper than a person can read.
_DEEPEST = 20
#: Longer than a person can read.
_LONGEST = 10_000

_SIGN = re.compile(r"[&|()!,]")
_QUOTED = re.compile(r'([a-z][a-z0-9-]*)="((?:[^"\\]|\\["\\])*)"')
_PLAIN = re.compile(r'([a-z][a-z0-9-]*)=([^&|()"\\]+)')
_PLAIN_IN_LIST = re.compile(r'([a-z][a-z0-9-]*)=([^&|()"\\,]+)')
_ESCAPED = re.compile(r"\\(.)")
_AMBIGUOUS = re.compile(rf"[,;\s]\s*(?:{'|'.join(KINDS)})=")


def parseRule(text: str) -> AccessRule:
    """Return the rule that a text means: one condition, ``KIND=PATTERN``, or several combined.

    =================== ====================================================================================
    ``cn=``             a common name of the subject; a label that the authority may not have checked
    ``ou=``, ``o=``     an organizational unit, an organization of the subject
    ``dns=``            a DNS name among the subject alternative names
    ``ip=``             an IP address among them, a network (``192.0.2.0/24``), or ``192.0.2.*``
    ``uri=``            a URI among them, SPIFFE ids for one
    ``spiffe=``         the SPIFFE id of an X.509-SVID, or with no path in it a trust domain
    ``trust-domain=``   the trust domain of its SPIFFE id
    ``email=``          a mail address among them
    ``issuer=``         who issued it: a common name, or with a ``=`` in it a distinguished name (RFC 4514)
    ``authority=``      ``sha256:`` and the digest of the certificate of any authority above it
    ``authority-spki=`` ``sha256:`` and the digest of the public key of any authority above it
    ``spki=``           ``sha256:`` and the digest of its public key (SubjectPublicKeyInfo) in hexadecimal
    ``fingerprint=``    ``sha256:`` and the digest of its certificate in hexadecimal
    ``ja4=``            the JA4 fingerprint of a client's first message, in three parts
    =================== ====================================================================================

    ``*`` stands for any part of one label, and never for the sign between two: a dot, in a path a slash. ``a&b`` fits
    where both do, ``a|b`` where one does, ``!a`` where ``a`` does not; ``&`` binds more than ``|``, and parentheses
    group. A value that holds one of ``& | ( ) " \\`` stands in double quotes, in which ``\\`` stands before ``"`` and
    ``\\``.

    Raises:
        ValueError: it is no rule; the message says why.
    """
    return _Parser(text).whole()


def parseRules(text: str) -> tuple[AccessRule, ...]:
    """Return rules that are separated by commas. A comma in a value then needs quotes.

    Raises:
        ValueError: one of them is no rule.
    """
    return _Parser(text, commas=True).list()


class _Parser:
    """Reads from left to right; each method reads one thing and leaves what follows."""

    def __init__(self, text: str, *, commas: bool = False) -> None:
        self._text = text
        self._tokens = list(_tokens(text, commas))
        self._place = 0
        self._depth = 0

    def whole(self) -> AccessRule:
        rule = self._any()
        if self._next is not None:
            raise self._wrong()
        return rule

    def list(self) -> tuple[AccessRule, ...]:
        rules = [self._any()]
        while self._takes(","):
            rules.append(self._any())
        if self._next is not None:
            raise self._wrong()
        return tuple(rules)

    def _any(self) -> AccessRule:
        return self._joined("|", lambda: self._joined("&", self._one))

    def _joined(self, sign: str, read: Callable[[], AccessRule]) -> AccessRule:
        rules = [read()]
        while self._takes(sign):
            rules.append(read())
        return allOf(*rules) if sign == "&" else anyOf(*rules)

    def _one(self) -> AccessRule:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError(f"{_shown(self._text)} is no access rule: it is nested more than {_DEEPEST} deep")
        rule = self._negated() if self._takes("!") else self._group() if self._takes("(") else self._condition()
        self._depth -= 1
        return rule

    def _negated(self) -> AccessRule:
        return ~self._one()

    def _group(self) -> AccessRule:
        rule = self._any()
        if not self._takes(")"):
            raise self._wrong("a parenthesis is not closed" if self._next is None else "")
        return rule

    def _condition(self) -> AccessRule:
        token = self._next
        if not isinstance(token, tuple):
            raise self._wrong()
        self._place += 1
        return Condition(*token)

    def _takes(self, sign: str) -> bool:
        isThere = self._next == sign
        self._place += isThere
        return isThere

    @property
    def _next(self) -> _Token | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def _wrong(self, why: str = "") -> ValueError:
        if not why and not self._tokens:
            why = "it is empty"
        elif not why and self._next is None:
            why = "its end is missing"
        elif not why:
            why = (
                f"{self._next} is in the wrong place"
                if isinstance(self._next, str)
                else "a sign between two is missing"
            )
        return _noRule(self._text, why)


#: A sign, or a condition's kind and pattern.
_Token = str | tuple[str, str]


def _tokens(text: str, commas: bool) -> Iterator[_Token]:
    if len(text) > _LONGEST:
        raise ValueError(f"{_shown(text)} is no access rule: it has more than {_LONGEST} characters")
    plain = _PLAIN_IN_LIST if commas else _PLAIN
    rest = text.strip()
    while rest:
        if match := _SIGN.match(rest):
            yield match[0]
        elif match := _QUOTED.match(rest):
            yield match[1], _ESCAPED.sub(r"\1", match[2])
        elif match := plain.match(rest):
            yield match[1], _unambiguous(match[2].strip())
        else:
            raise _noRule(text, _whyNone(rest))
        rest = rest[match.end() :].lstrip()


def _whyNone(rest: str) -> str:
    """Return why nothing begins where a condition should, or nothing where the text says it by itself."""
    if match := re.match(rf"({'|'.join(KINDS)})=(.?)", rest):
        return "a quote is not closed, or more follows it" if match[2] == '"' else f"{match[1]}= has no value"
    return f"{rest[0]} stands outside quotes" if rest[0] in '"\\' else ""


def _unambiguous(value: str) -> str:
    if _AMBIGUOUS.search(value):
        raise ValueError(f"{_shown(value)} may be one value or two: write & between rules, or quotes around the value")
    return value


def _noRule(text: str, why: str) -> ValueError:
    reason = f"{why}; " if why else ""
    kinds = ", ".join(f"{kind}=…" for kind in KINDS)
    return ValueError(
        f"{_shown(text)} is no access rule: {reason}a rule is one of {kinds}, or several with & | ! and "
        "parentheses; "
        'what has one of & | ( ) " \\ in it stands in double quotes'
    )


def _shown(text: str) -> str:
    return f"'{printable(text)}'"
