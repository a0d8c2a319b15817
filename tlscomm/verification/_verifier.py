"""Who may be on the other side: the one place that decides, for live connections and for verdicts off line.

A peer is accepted by a path from its certificate to an authority that is trusted, which OpenSSL accepts and the rules
here accept (`tlscomm.verification._corerules`). OpenSSL has built one in the handshake, and mostly that is the one; a
verdict off line has it build one in the same way. Where it has found none, or one that breaks a rule, others are tried,
and OpenSSL is asked again about each of them alone. So no peer gets in by a path that only one of the two has looked
at, and none stays out for a path that OpenSSL did not see.

Every problem is collected, because a person who mends one wants to know of the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field, replace
from datetime import datetime, timezone
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

from cryptography import x509

from tlscomm._dataclasses import dataclass
from tlscomm._openssl import PathBuilder, verifyPath
from tlscomm._openssl.certificates import encodings
from tlscomm.access import NO_ACCESS_RULES, AccessRule, AccessRules, Peer
from tlscomm.failures import Problem
from tlscomm.revocation import Revocation
from tlscomm.revocation._ocsp import mustStaple
from tlscomm.verification._explanation import malformation, merged, refined
from tlscomm.verification._opensslerrors import asProblem
from tlscomm.verification._paths import ByName, Path, PathSearch, SearchBudget, byName
from tlscomm.verification._rule import PROFILES, PathPosition, Profile, RuleBook, problemsAt
from tlscomm.verification._rulebooks import RULES, RuleCheck, decidingRules, warningRules
from tlscomm.verification._servernames import canonicalServerName, nameProblem
from tlscomm.verification._trust import Trust
from tlscomm.verification._webpki import webPKIProblem
from tlscomm.x509._certificate import ParsedCertificate, parsedCertificate
from tlscomm.x509._facts import subjectText
from tlscomm.x509._purposes import purposeFor
from tlscomm.x509._roles import Role

__all__ = [
    "PROFILES",
    "RULES",
    "OpenSSLResult",
    "Profile",
    "Role",
    "VerificationResult",
    "Verifier",
    "malformation",
    "nameProblem",
]

#: As many as Twisted's options allow (``verifyDepth``).
_MAXIMUM_DEPTH = 9

#: OpenSSL verifies all signatures of each again, so of a hostile peer's only so many are tried.
_MOST_PATHS = 16
#: Of the paths to an authority that is trusted on which something is wrong.
_MOST_TOLD = 4
#: Authorities between the two ends of such a path, so that one that is too long is named so. In a handshake OpenSSL
#: has named it.
_LONGEST_TOLD = 32

#: What it may cost to find out why a peer that is refused is refused, where it is no matter of a handshake.
_EXPLANATION = SearchBudget(signatures=32, steps=256)
#: Microseconds that it costs to ask OpenSSL about a path, its signatures aside.
_PRICE_OF_ASKING = 250

_MEND_PINS = (
    "Compare the pins (--pin) with the digests of the chain's certificates and keys, which tlscomm inspect FILE shows, "
    "and name the right one; or another peer is there than you meant."
)

_BADLY_SIGNED, _SELF_SIGNED_LEAF, _SELF_SIGNED_ISSUER, _ISSUER_NOT_FOUND = 7, 18, 19, 20

#: OpenSSL found no authority that is trusted; another path may lead to one.
_UNTRUSTED = frozenset({"unknown-issuer", "incomplete-chain", "self-signed"})

#: What OpenSSL has no say in.
_UNKNOWN_TO_OPENSSL = frozenset({"name-mismatch", "not-allowed", "revoked", "revocation-unknown"})

_FINAL = frozenset({"revoked", "revocation-unknown"})

_MOST_REMEMBERED = 1024
#: Bytes of certificates, all that were presented: peers choose how much that is.
_LARGEST_REMEMBERED = 1 << 15


@dataclass(frozen=True)
class OpenSSLResult:
    """What OpenSSL's own verification came to in a handshake.

    Attributes:
        problems: what OpenSSL says is wrong; nothing where it accepts the chain.
        chain: the chain that it built, the peer's own certificate first.
    """

    problems: tuple[Problem, ...] = ()
    chain: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True, eq=False)
class VerificationResult:
    """What came of looking at a peer's certificates. Two are equal where they say the same, the warnings included.

    Attributes:
        chain: of an accepted peer the verified chain, its own certificate first and the trusted authority last; of a
            refused one the chain that says most about why.
        problems: why the peer is refused, the one to act on first; nothing means that it is accepted.
        rule: the access rule that let the peer in, or None where there are none.
        overruled: what was wrong with the chain and did not count.
        noted: what else was found while the peer was judged, and was no reason to refuse it.
        unchecked: the rules that do not decide, with what they look at besides the chain; None where there are none.
    """

    chain: tuple[x509.Certificate, ...]
    problems: tuple[Problem, ...] = ()
    rule: AccessRule | None = None
    overruled: tuple[Problem, ...] = ()
    noted: tuple[Problem, ...] = ()
    unchecked: RuleCheck | None = None

    @cached_property
    def warnings(self) -> tuple[Problem, ...]:
        """What is not right with the chain and was no reason to refuse it, as it was when the peer was judged.

        The rules that do not decide are checked when this is read for the first time.
        """
        broken = () if self.unchecked is None else self.unchecked.broken(self.chain)
        return (*self.overruled, *(problem for _, problem in broken), *self.noted)

    def __eq__(self, other: object) -> bool:
        return self._said == other._said if isinstance(other, VerificationResult) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.chain, self.problems, self.rule))

    @property
    def _said(self) -> tuple[object, ...]:
        return self.chain, self.problems, self.rule, self.warnings


@dataclass(slots=True)
class _Case:
    """What is to be judged, and when."""

    presented: tuple[x509.Certificate, ...]
    opensslResult: OpenSSLResult | None
    staple: bytes | None
    at: datetime
    budget: SearchBudget | None = None
    isEarly: bool = False
    ja4: str | None = None

    @property
    def isSound(self) -> bool:
        """Whether OpenSSL has found nothing wrong in a handshake."""
        return self.opensslResult is not None and not self.opensslResult.problems

    @property
    def isFinal(self) -> bool:
        """Whether OpenSSL has found what no other path makes good: its context may have lists that we do not know."""
        return self.opensslResult is not None and any(problem.code in _FINAL for problem in self.opensslResult.problems)


class _Accepted(NamedTuple):
    """A judgement that is remembered, and what of it time may change."""

    result: VerificationResult
    notBefore: datetime
    notAfter: datetime
    unknown: tuple[Problem, ...]
    mustStaple: bool


@dataclass(frozen=True, kw_only=True)
class Verifier:
    """What a peer has to be.

    Attributes:
        peerRole: which side the peer is on.
        serverName: the DNS name, the address or the SPIFFE id that a server's certificate has to be for; None
            where any name will do, as for clients.
        trust: whom to trust. Where None an external context decides on that: what OpenSSL says there stands, and
            the rules for chains only warn.
        access: who is let in, of the peers that nothing else is wrong with.
        revocation: what is known of revoked certificates.
        profile: ``compatible`` insists on what makes a chain secure, and warns of the rest; ``strict`` insists on the
            rules of RFC 5280 and the Web PKI.
        maximumDepth: the most authorities between the peer's certificate and the trusted one.
        requiresCertificate: whether a peer must show a certificate, when an open connection is verified again.
    """

    peerRole: Role
    serverName: str | None = None
    trust: Trust | None = None
    access: AccessRules = NO_ACCESS_RULES
    revocation: Revocation = field(default_factory=Revocation)
    profile: Profile = "compatible"
    maximumDepth: int = _MAXIMUM_DEPTH
    requiresCertificate: bool = False
    _accepted: dict[object, _Accepted] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise ValueError(f"a profile is {' or '.join(PROFILES)}, not {self.profile}")
        if self.maximumDepth < 0:
            raise ValueError(f"the maximum depth is a number of authorities, not {self.maximumDepth}")
        if self.serverName is not None:
            object.__setattr__(self, "serverName", canonicalServerName(self.serverName))

    @property
    def anchors(self) -> tuple[x509.Certificate, ...]:
        """The authorities that the user named; nothing where they are the system's, or an external context's affair."""
        return () if self.trust is None else self.trust.named

    def verify(
        self,
        presented: Sequence[x509.Certificate],
        *,
        opensslResult: OpenSSLResult | None = None,
        staple: bytes | None = None,
        at: datetime | None = None,
        budget: SearchBudget | None = None,
        isEarly: bool = False,
        ja4: str | None = None,
    ) -> VerificationResult:
        """Decide on a peer.

        Args:
            presented: the certificates that the peer sent, its own first, the others in any order.
            opensslResult: what OpenSSL found in the handshake. Without it OpenSSL is asked here, about each path that
                is tried.
            staple: the OCSP response (DER) that came with a server's certificate.
            at: the time to judge for, with a time zone; now where None.
            budget: what it may cost to look for another path than OpenSSL's, and to say why there is none. A peer that
                is judged more than once in a handshake is judged out of the same one.
            isEarly: whether the peer is judged once more when all that it sent is known, so that nothing is to be spent
                on saying why it is refused by the part of it that OpenSSL has used.
            ja4: the fingerprint of a client's first message, where access rules look at it.

        Raises:
            ValueError: no certificate is presented, or the time has no time zone.
        """
        if ja4 is not None and not self.access.lookAtHello:
            # Else a client could have as many results remembered as it can send messages.
            ja4 = None
        at = datetime.now(timezone.utc) if at is None else at
        if not presented or at.tzinfo is None:
            raise ValueError("to judge a peer takes its certificate, and a time with a time zone")
        # Certificates know whole seconds, and the last one belongs to the validity (RFC 5280, section 4.1.2.5).
        case = _Case(tuple(presented), opensslResult, staple, at.replace(microsecond=0), budget, isEarly, ja4)
        # A path of our own OpenSSL has been asked about. In a handshake it has not yet looked at all when it asks us.
        byOpenSSL = opensslResult is not None and not opensslResult.problems
        # All bytes of all certificates, so what is found is about these and no others.
        chain = opensslResult.chain if opensslResult is not None and byOpenSSL else presented
        key = ((byOpenSSL, ja4), *encodings(chain))
        result = None if case.isFinal else self._remembered(key, case)
        if result is None:
            result = self._judged(case)
            if not result.problems:
                self._remember(key, result)
        if not result.problems or all(problem.code == "revocation-unknown" for problem in result.problems):
            # OpenSSL and all rules have accepted this path, and a list may be what is missing.
            self.revocation.want(result.chain)
        return result

    def _judged(self, case: _Case) -> VerificationResult:
        refused: list[VerificationResult] = []
        first = self._builtByOpenSSL(case)
        if first:
            result = self._judgedByRules(first, case)
            if not result.problems:
                return result
            if not all(problem.code in _UNKNOWN_TO_OPENSSL for problem in result.problems):
                # OpenSSL looks at name constraints only after it has asked us.
                result = self._judgedAlone(first, case)
            refused.append(result)
        search = self._search(case)
        if not case.isFinal:
            for path in islice(map(_certificates, search.paths()), _MOST_PATHS):
                if path == first:
                    continue
                result = self._judgedAlone(path, case)
                if not result.problems:
                    return result
                refused.append(result)
        result = self._telling(refused, case)
        if search.budget.isExhausted or search.budget.hasLeftOut:
            result = replace(result, problems=(*result.problems, _exhausted(case.presented[0])))
        return result

    def _builtByOpenSSL(self, case: _Case) -> tuple[x509.Certificate, ...]:
        """Return the path that OpenSSL has built in the handshake, or builds now; nothing where it accepts none."""
        if case.opensslResult is not None:
            return case.opensslResult.chain if case.isSound else ()
        return self._builder.build(case.presented, purposeFor(self.peerRole).opensslNumber, case.at)

    def _telling(self, refused: Sequence[VerificationResult], case: _Case) -> VerificationResult:
        """Return, of a peer that is refused, the result that says most."""
        if refused:
            return min(refused, key=_countOfProblems)
        if case.opensslResult is not None and (case.isEarly or case.isFinal or not _isUntrusted(case.opensslResult)):
            return self._explained(case.opensslResult, case)
        search = self._search(case, isForgiving=True)
        paths = islice(search.paths(), _MOST_TOLD)
        judged = [self._judgedAlone(_certificates(path), case, search) for path in paths if _isAffordable(path, case)]
        if judged:
            return min(judged, key=_countOfProblems)
        return self._explained(case.opensslResult or _deadEnd(search.deadEnd), case)

    def _search(self, case: _Case, *, isForgiving: bool = False) -> PathSearch:
        budget = case.budget or (replace(_EXPLANATION, signed={}) if isForgiving else SearchBudget())
        longest = self.maximumDepth + isForgiving
        if isForgiving and case.opensslResult is None:
            longest = max(longest, _LONGEST_TOLD)

        def mayStand(certificate: ParsedCertificate, below: Path, isAnchor: bool) -> bool:
            if isForgiving:
                return True
            if certificate.subtrees is not None:
                budget.names -= sum(each.weightOfNames for each in below)
            place = PathPosition(certificate, below, isAnchor, self.peerRole, case.at, self.maximumDepth)
            return not problemsAt(place, decidingRules(self.profile))

        return PathSearch(
            leaf=parsedCertificate(case.presented[0]),
            anchors=self._anchorsByName,
            others=(*case.presented[1:], *(() if self.trust is None else self.trust.intermediates)),
            maximumDepth=longest,
            mayStand=mayStand,
            isForgiving=isForgiving,
            budget=budget,
        )

    @cached_property
    def _builder(self) -> PathBuilder:
        return PathBuilder(() if self.trust is None else self.trust.anchors)

    @cached_property
    def _anchorsByName(self) -> ByName:
        return byName(parsedCertificate(anchor) for anchor in (() if self.trust is None else self.trust.anchors))

    def _judgedAlone(
        self, path: tuple[x509.Certificate, ...], case: _Case, search: PathSearch | None = None
    ) -> VerificationResult:
        """Judge a path of our own: by OpenSSL, which knows nothing else, and by the rules."""
        chain, number, depth = verifyPath(path, purposeFor(self.peerRole).opensslNumber, case.at)
        result = self._judgedByRules(chain, case, [asProblem(number, depth)] if number else [])
        if search is not None and not result.problems:
            # OpenSSL verifies signatures of more kinds, and a search that forgives accepts no peer.
            found = [asProblem(_BADLY_SIGNED, depth) for depth in search.badlySigned(path)]
            result = self._judgedByRules(chain, case, found)
        return replace(result, noted=(*result.noted, *_forgotten(chain, case.presented)))

    def _judgedByRules(
        self, chain: tuple[x509.Certificate, ...], case: _Case, found: Sequence[Problem] = ()
    ) -> VerificationResult:
        """Judge a path that leads to an authority that is trusted, by the rules and by what the user asks for.

        Args:
            chain: the path.
            case: what else there is to know.
            found: what OpenSSL has found wrong with it; the signatures are right otherwise.
        """
        problems = self._broken(chain, case, found, isTrusted=True)
        problems += self._unwanted(chain)
        problems += self._strictly(chain, case) if not problems else ()
        revoked, unknown = self._revocation(chain, case, problems)
        problems += revoked
        return self._asked(self._judgement(chain, case, problems, unknown, isTrusted=True), case)

    def _asked(self, result: VerificationResult, case: _Case) -> VerificationResult:
        """Ask the access rules as well, last, and whatever else is wrong.

        A hook may overrule what is wrong with a certificate, and has not thereby let in whom a rule keeps out.
        """
        decision = self.access.judge(Peer(result.chain, ja4=case.ja4))
        kept = () if decision.problem is None else (decision.problem,)
        return replace(result, problems=(*result.problems, *kept), rule=decision.rule)

    def _explained(self, opensslResult: OpenSSLResult, case: _Case) -> VerificationResult:
        """Judge a chain that OpenSSL has refused, which may not lead to an authority that is trusted."""
        chain, isTrusted = opensslResult.chain, not _isUntrusted(opensslResult)
        problems = self._broken(chain, case, opensslResult.problems, isTrusted=isTrusted)
        problems += self._unwanted(chain)
        revoked, unknown = self._revocation(chain, case, problems) if isTrusted else ((), ())
        return self._asked(self._judgement(chain, case, (*problems, *revoked), unknown, isTrusted=isTrusted), case)

    def _judgement(
        self,
        chain: tuple[x509.Certificate, ...],
        case: _Case,
        problems: Sequence[Problem],
        noted: Sequence[Problem],
        *,
        isTrusted: bool,
    ) -> VerificationResult:
        unchecked = self._check(warningRules(self._decides), case, isTrusted)
        return VerificationResult(chain, tuple(problems), noted=tuple(noted), unchecked=unchecked)

    def _check(self, rules: RuleBook, case: _Case, isTrusted: bool) -> RuleCheck:
        return RuleCheck(rules, self.peerRole, case.at, self.maximumDepth, isTrusted)

    @property
    def _decides(self) -> Profile | None:
        """The profile, or None where an external context decides."""
        return None if self.trust is None else self.profile

    def _broken(
        self, chain: tuple[x509.Certificate, ...], case: _Case, found: Sequence[Problem], *, isTrusted: bool
    ) -> list[Problem]:
        """Return what a chain is refused for in itself."""
        broken = self._check(decidingRules(self._decides), case, isTrusted).broken(chain)
        return merged([self._refined(problem, chain) for problem in found], broken)

    def _revocation(
        self, chain: Sequence[x509.Certificate], case: _Case, problems: Sequence[Problem] = ()
    ) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        if any(problem.code in _UNTRUSTED or problem.code == "bad-signature" for problem in problems):
            # No list of an authority tells anything of a certificate that the authority has not signed.
            return (), ()
        known = () if self.trust is None else self.trust.intermediates
        return self.revocation.check(
            chain,
            at=case.at,
            staple=case.staple,
            others=(*case.presented, *known),
            stapling=self.peerRole == "server",
            isStrict=self._decides == "strict",
        )

    def _strictly(self, chain: Sequence[x509.Certificate], case: _Case) -> Iterator[Problem]:
        if self.profile == "strict" and self.trust is not None:
            problem = webPKIProblem(chain, self.peerRole, self.serverName, case.at, self.maximumDepth)
            if problem is not None:
                yield problem

    def _unwanted(self, chain: Sequence[x509.Certificate]) -> Iterator[Problem]:
        """Say what is not as the user asked for, however good the chain is."""
        if self.serverName is not None and (mismatch := nameProblem(chain[0], self.serverName, chain[1:])):
            yield mismatch
        if self.trust is not None and not self.trust.isPinned(chain):
            detail = "no certificate of its chain, and no key in it, is one of those that are pinned"
            yield Problem("not-allowed", 0, subjectText(chain[0]), detail, remedy=_MEND_PINS)

    def _refined(self, problem: Problem, chain: Sequence[x509.Certificate]) -> Problem:
        return refined(problem, chain, self.trust, self.peerRole)

    def _remembered(self, key: object, case: _Case) -> VerificationResult | None:
        """Return the result for a peer that was accepted before, where nothing has changed since."""
        # Taken out and put back, so that those that do not come again are the first to be forgotten.
        kept = self._accepted.pop(key, None)
        if kept is None or not kept.notBefore <= case.at <= kept.notAfter:
            return None
        if not self.revocation.isIdle or case.staple is not None or kept.unknown or kept.mustStaple:
            # Lists become old, and a staple is new each time, so this is asked again.
            revoked, unknown = self._revocation(kept.result.chain, case)
            if revoked or unknown != kept.unknown:
                return None
        self._accepted[key] = kept
        return kept.result

    def _remember(self, key: tuple[Any, ...], result: VerificationResult) -> None:
        if sum(map(len, key[1:])) > _LARGEST_REMEMBERED:
            return
        while len(self._accepted) >= _MOST_REMEMBERED:
            self._accepted.pop(next(iter(self._accepted)), None)
        try:
            begins = max(certificate.not_valid_before_utc for certificate in result.chain)
            ends = min(certificate.not_valid_after_utc for certificate in result.chain)
        except ValueError:
            # An external context has accepted what cannot be read here.
            return
        unknown = tuple(each for each in result.noted if each.code == "revocation-unknown")
        self._accepted[key] = _Accepted(result, begins, ends, unknown, mustStaple(result.chain[0]))


def _certificates(path: Path) -> tuple[x509.Certificate, ...]:
    return tuple(each.certificate for each in path)


def _isAffordable(path: Path, case: _Case) -> bool:
    """Return whether OpenSSL may be asked about a path that is not signed as it should be, and charge for it."""
    if case.budget is None:
        return True
    case.budget.microseconds -= _PRICE_OF_ASKING + sum(issuer.price for issuer in path[1:])
    return not case.budget.isExhausted


def _deadEnd(path: Path) -> OpenSSLResult:
    """Say what OpenSSL says of a path that leads to no authority that is trusted."""
    depth = len(path) - 1
    number = _ISSUER_NOT_FOUND
    if path[-1].isSelfIssued:
        number = _SELF_SIGNED_ISSUER if depth else _SELF_SIGNED_LEAF
    return OpenSSLResult((asProblem(number, depth),), _certificates(path))


def _forgotten(chain: Sequence[x509.Certificate], presented: Sequence[x509.Certificate]) -> Iterator[Problem]:
    for depth, certificate in enumerate(chain[1:-1], 1):
        if certificate not in presented:
            detail = "the peer forgot to send it; it is known here (RFC 8446, section 4.4.2)"
            yield Problem("incomplete-chain", depth, subjectText(certificate), detail)


def _isUntrusted(opensslResult: OpenSSLResult) -> bool:
    return any(problem.code in _UNTRUSTED for problem in opensslResult.problems)


def _countOfProblems(result: VerificationResult) -> int:
    return len(result.problems)


def _exhausted(leaf: x509.Certificate) -> Problem:
    detail = "its certificates lead to more paths than are tried"
    return Problem("chain-too-long", 0, subjectText(leaf), detail)
