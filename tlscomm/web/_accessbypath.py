"""Access rules for each path of a web site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from twisted.logger import Logger
from twisted.web.resource import IResource, getChildForRequest
from zope.interface import implementer

from tlscomm._dataclasses import dataclass
from tlscomm.access import AccessRules, Peer
from tlscomm.failures import printable
from tlscomm.web._paths import FOLDINGS, Segments, folded, readingsOf, segmentsOf
from tlscomm.web._peers import peerOf

__all__ = ["PUBLIC", "AccessByPath", "PathDecision", "PathRules"]

_log = Logger(namespace="tlscomm")

_BAD_REQUEST, _FORBIDDEN = 400, 403
_LONGEST_PATH = 200


class _Public:
    """The rule of what is for all, without a certificate too."""

    def __repr__(self) -> str:
        return "PUBLIC"


#: For a path that is for all, those without a certificate too, where a server does not require one.
PUBLIC: Final = _Public()

_Rules: TypeAlias = "AccessRules | _Public"

#: What is said of a path: rules, or the texts of those that allow.
Said: TypeAlias = "AccessRules | Iterable[str] | _Public"


@dataclass(frozen=True)
class PathDecision:
    """What the rules say of a request.

    Attributes:
        status: the status of HTTP that answers it: 200 where it is permitted, 400 where its path can be read in several
            ways, 403 where it is not permitted.
        code: of a request that is not permitted the code of the failure, ``no-certificate`` or ``not-allowed``.
        detail: why, for the log of the server; the client is not told.
    """

    status: int = 200
    code: str = ""
    detail: str = ""

    @property
    def isPermitted(self) -> bool:
        """Whether the request may be answered."""
        return self.status == 200


class PathRules:
    """Which peers may ask for which paths. The rules of the longest prefix count, and no others.

    A path that no prefix is for is not permitted.
    """

    def __init__(self, rules: Mapping[str, Said]) -> None:
        """
        Args:
            rules: what is said of each prefix: `AccessRules`; the texts of rules that allow, as in
                ``["dns=*.example.org"]``; or `PUBLIC`. ``/admin`` is a prefix of ``/admin``, ``/admin/`` and
                ``/admin/users``, and not of ``/administrator``; ``/`` is one of all. They are written as people read
                them, without percent signs.

        Raises:
            TypeError: a rule is one text and not several.
            ValueError: a prefix is no path, or two are the same but for case; or a text is no rule.
        """
        self._rules: dict[Segments, _Rules] = {}
        for prefix, said in rules.items():
            segments = _prefix(prefix)
            if folded(segments) in map(folded, self._rules):
                raise ValueError(f"{printable(prefix)} has rules already; case and a slash at the end do not matter")
            self._rules[segments] = _rulesOf(said)
        self._tables = [(see, {see(known): rule for known, rule in self._rules.items()}) for see in FOLDINGS]
        self._longest = max(map(len, self._rules), default=0)

    def judge(self, peer: Peer | None, path: bytes) -> PathDecision:
        """Decide on a request.

        Args:
            peer: who has sent it; None for one without a certificate.
            path: what it is for, as it stands in the request, without a query.
        """
        segments = segmentsOf(path)
        readings = None if segments is None else readingsOf(segments)
        if readings is None:
            return PathDecision(_BAD_REQUEST, detail="its path can be read in several ways")
        rules = (self._longestPrefix(table, see(each)) for see, table in self._tables for each in readings)
        decisions = (self._judgeBy(rule, peer) for rule in _unique(rules))
        return next((each for each in decisions if not each.isPermitted), PathDecision())

    def _longestPrefix(self, table: Mapping[Segments, _Rules], segments: Segments) -> _Rules | None:
        lengths = range(min(len(segments), self._longest), -1, -1)
        return next((table[segments[:length]] for length in lengths if segments[:length] in table), None)

    def _judgeBy(self, rule: _Rules | None, peer: Peer | None) -> PathDecision:
        if isinstance(rule, _Public):
            return PathDecision()
        if peer is None:
            return PathDecision(_FORBIDDEN, "no-certificate", "it came without a certificate")
        if rule is None:
            return PathDecision(_FORBIDDEN, "not-allowed", "there are no rules for this path")
        problem = rule.judge(peer).problem
        return PathDecision() if problem is None else PathDecision(_FORBIDDEN, problem.code, problem.detail)


@implementer(IResource)
class AccessByPath:
    """A ``Resource`` that asks rules for each request before another one answers it.

    It is the root of a ``Site``, or stands wherever the other would; the rules are for whole paths all the same. Each
    request is judged when it comes, so new rules hold for the next request of an open connection.

    Attributes:
        rules: the rules in use; they may be replaced at any time.
    """

    # It finds the resource below itself, so that none is asked of what is not permitted.
    isLeaf = True
    server = None

    def __init__(self, resource: IResource, rules: PathRules | Mapping[str, Said]) -> None:
        """
        Args:
            resource: answers what is permitted. It may have children, or be a leaf as Klein's and WSGI's.
            rules: a `PathRules`, or what one is made of.

        Raises:
            ValueError: what is said is no rules, as `PathRules` tells.
        """
        self._resource = resource
        self.rules = rules if isinstance(rules, PathRules) else PathRules(rules)

    def getChildWithDefault(self, name: bytes, request: Any) -> IResource:
        """Part of `IResource`: it is a leaf, and has none."""
        raise LookupError("the children of what asks rules are found when a request is permitted")

    def putChild(self, path: bytes, child: IResource) -> None:
        """Part of `IResource`: children are those of the resource that answers."""
        raise TypeError("put children below the resource that answers")

    def render(self, request: Any) -> Any:
        """Judge a request, and have it answered where it is permitted."""
        decision = self.rules.judge(peerOf(request), request.path)
        if decision.isPermitted:
            return getChildForRequest(self._resource, request).render(request)
        return _refuse(request, decision)


def _refuse(request: Any, decision: PathDecision) -> bytes:
    _log.info(
        "refused a request for {path}: {detail}",
        path=printable(request.path.decode("latin-1"), _LONGEST_PATH),
        detail=decision.detail,
        code=decision.code,
    )
    request.setResponseCode(decision.status)
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    # The answer is for this peer: no cache may give it to another.
    request.setHeader(b"cache-control", b"no-store")
    if not decision.code:
        return b"400 bad request: write the path without dot segments, empty segments and encoded slashes\n"
    request.setHeader(b"tls-failure", decision.code.encode())
    return f"403 forbidden: {decision.code}\n".encode()


def _prefix(text: str) -> Segments:
    if not text.startswith("/") or "%" in text:
        raise ValueError(f"{printable(text)} is no prefix of paths: it begins with a slash and has no percent sign")
    segments = tuple(text[1:].removesuffix("/").split("/")) if text != "/" else ()
    readings = readingsOf(segments)
    if readings is None or len(readings) > 1:
        raise ValueError(f"{printable(text)} is no prefix of paths: programs read it differently")
    return segments


def _unique(rules: Iterable[_Rules | None]) -> Iterable[_Rules | None]:
    """Give each once: mostly all readings of a path come to the same rules."""
    return {id(rule): rule for rule in rules}.values()


def _rulesOf(said: Said) -> _Rules:
    if isinstance(said, AccessRules | _Public):
        return said
    if isinstance(said, str):
        raise TypeError(f"several rules are expected and not one text: [{said!r}]")
    allow = tuple(said)
    if not allow:
        raise ValueError("no rule allows anything here; AccessRules() is for each peer with a valid certificate")
    return AccessRules.parse(allow)
