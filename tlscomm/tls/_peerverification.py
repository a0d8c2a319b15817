"""The verdict on one connection's peer: when it is due, what it rests on, and how it can be put off.

OpenSSL wants a verdict in the middle of a handshake, when little is known: in a server it does not say what else the
client has sent, in a TLS 1.2 client the OCSP response has yet to come, and a hook that needs a database cannot answer
while OpenSSL waits. So OpenSSL is told to go on wherever something may still change, and the real verdict falls when
our next flight is ready and has not left. Until then the peer has got nothing from us that it could take for an
acceptance; a refusal takes the place of that flight.

    side                  the verdict is due
    --------------------  --------------------------------------------------------------------------------------
    server, in full       at the client's Finished; earlier, by OpenSSL, where the client's own certificate is bad
    server, resuming      at the ClientHello, before the ServerHello leaves
    client                at the server's last message before our answer: Finished, or TLS 1.2's ServerHelloDone
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone

from cryptography import x509
from OpenSSL import SSL
from twisted.python.reflect import safe_repr, safe_str

from tlscomm._openssl.certificates import ReadChain
from tlscomm._openssl.channel import Channel
from tlscomm.configuration import Configuration
from tlscomm.failures import (
    CertificateFailure,
    HookFailed,
    HookTimeout,
    InvalidCertificate,
    NoCertificate,
    Problem,
    TLSFailure,
    failureForCode,
    printable,
)
from tlscomm.tls._keptverdict import KeptVerdict
from tlscomm.verification import Answer, OpenSSLResult, Question, VerificationResult, Verifier
from tlscomm.verification._opensslerrors import FOLLOWING, asProblem, errorToReport
from tlscomm.verification._paths import SearchBudget
from tlscomm.verification._strangers import heaviness, modestOnes, refusalOfHeavy
from tlscomm.x509._facts import certificateFacts
from tlscomm.x509._unreadable import unreadableText

__all__ = ["PeerVerification"]

#: What a hook would say that changes nothing.
_NOTHING_OVERRULED = Answer()

_REVOCATION = frozenset({"revoked", "revocation-unknown"})


class PeerVerification:
    """Decides on the peer of one connection.

    Attributes:
        pendingAnswer: what a hook has returned that has to be waited for, or None.
        isSettled: whether the verdict has fallen.
        hasAccepted: whether it lets the peer in; where it does not, `takeRefusal` says why.
    """

    __slots__ = (
        "_acceptedAt",
        "_budget",
        "_channel",
        "_configuration",
        "_findings",
        "_isClient",
        "_kept",
        "_overruling",
        "_raw",
        "_refusal",
        "_result",
        "hasAccepted",
        "isSettled",
        "ja4",
        "pendingAnswer",
    )

    def __init__(self, configuration: Configuration, raw: SSL.Connection, channel: Channel) -> None:
        """
        Args:
            configuration: a server's or a client's.
            raw: a connection that has not begun its handshake.
            channel: that of the connection, whose certificates are judged here from now on.
        """
        self._configuration = configuration
        self._isClient = configuration.isClient
        self._raw = raw
        self._channel = channel
        self._findings: OpenSSLResult | None = None
        self._budget: SearchBudget | None = None
        self._overruling: Answer | None = None
        self._acceptedAt: datetime | None = None
        self._refusal: TLSFailure | None = None
        self._result: VerificationResult | None = None
        self._kept: KeptVerdict | None = None
        self.pendingAnswer: Awaitable[Answer | bool] | None = None
        self.isSettled = False
        self.hasAccepted = False
        self.ja4: str | None = None
        channel.judge = self._note
        channel.weigh = self._weigh

    @property
    def result(self) -> VerificationResult | None:
        """What came of it, once that is known."""
        return self._result if self._kept is None else self._kept.of(self._channel.peerCertificate)

    def forgetHandshake(self) -> None:
        """Keep no more than what `result` and `revalidate` need; the peer is accepted."""
        self._findings = self._budget = None
        if self._result is not None and self._result.chain:
            self._channel.keepPeerCertificate()
            self._kept = KeptVerdict(self._result)
            self._result = None

    def takeRefusal(self) -> TLSFailure | None:
        """Return why the peer is refused, once: it is the failure of the connection from then on."""
        refusal, self._refusal = self._refusal, None
        return refusal

    def isDue(self, isDone: bool) -> bool:
        """Return whether the verdict has to fall now.

        Args:
            isDone: whether OpenSSL has finished the handshake.
        """
        if isDone:
            return True
        if self._isClient and self._findings is not None:
            return self._channel.hasOutput
        return self._channel.resumed and self._channel.hasOutput

    def look(self) -> None:
        """Judge the peer, as far as it can be done without the hook."""
        try:
            self._result = self._judge()
        except Exception as broken:
            self._settle(_broken(broken))

    @property
    def isStale(self) -> bool:
        """Whether a client resumes a session that was good once."""
        judged = self.result is not None and bool(self.result.problems)
        refused = self.isSettled and not self.hasAccepted
        return not self._isClient and self._channel.resumed and (judged or refused)

    @property
    def staple(self) -> bytes | None:
        """The OCSP response for the server's certificate, of this handshake or of the one that it resumes."""
        return self._channel.staple or (self._configuration.keptStaple(self._raw) if self._channel.resumed else None)

    def decide(self, question: Callable[[VerificationResult], Question]) -> None:
        """Decide what `look` has left open, or ask the hook; afterwards `isSettled` or `pendingAnswer` is set.

        Args:
            question: makes of a judgement what the hook is asked.
        """
        if self.isSettled or self.result is None:
            return
        if self._configuration.hook is None:
            self._conclude(_NOTHING_OVERRULED)
            return
        try:
            answer = self._configuration.hook(question(self.result))
            if isinstance(answer, Awaitable):
                self.pendingAnswer = answer
            else:
                self.answer(answer)
        except BaseException as raised:
            self.refuse(hookFailure(raised))
            if isinstance(raised, KeyboardInterrupt | SystemExit):
                raise

    def answer(self, answer: object) -> None:
        """Take what the hook has said."""
        self.pendingAnswer = None
        try:
            if isinstance(answer, bool):
                answer = Answer(code=None if answer else "refused-by-hook")
            if isinstance(answer, Answer):
                self._conclude(answer)
            else:
                self._settle(HookFailed(f"it returned {printable(repr(answer))}, which is no answer"))
        except Exception as raised:
            # What the hook has made may raise when it is looked at.
            self.refuse(hookFailure(raised))

    def refuse(self, failure: TLSFailure) -> None:
        """The hook has not answered, for a reason that is a failure; where it has raised one, that is its answer."""
        self.pendingAnswer = None
        if _isRaised(failure) and self.result is not None:
            self._conclude(Answer(code=failure.code, reason=failure.detail))
        else:
            self._settle(failure)

    def revalidate(self, verifier: Verifier | None = None) -> TLSFailure | None:
        """Return why the peer, which was accepted, would be refused now, or None where it would not.

        Args:
            verifier: what a peer has to be now; what it had to be then where None.
        """
        if self._result is None and self._kept is None:
            return None
        presented = self._channel.presented
        verifier = verifier or self._configuration.verifier
        if not presented:
            return NoCertificate() if verifier.requiresCertificate else None
        try:
            opensslResult = self._resultOfThen() if verifier.trust is None else None
            result = verifier.verify(presented, opensslResult=opensslResult, staple=self.staple, ja4=self.ja4)
        except Exception as broken:
            return _broken(broken)
        left = result.problems if self._overruling is None else self._overruling.leaves(result.problems)
        return _refusal(left, result) if left else None

    def _weigh(self, errors: Sequence[tuple[int, int]], chain: Sequence[bytes]) -> int:
        """Grant a peer that OpenSSL has refused what it may cost, or end the handshake where that is too little."""
        self._budget = SearchBudget.ofStranger()
        if not chain or (heavy := heaviness(chain)) is None:
            return 0
        failure = refusalOfHeavy(errors[0], heavy, chain)
        self._settle(failure)
        return errorToReport(failure.code, failure.opensslError)

    def _note(self, errors: Sequence[tuple[int, int]], chain: Sequence[bytes]) -> int:
        """Take what OpenSSL found, and end the handshake here where nothing can change the verdict.

        The answer makes OpenSSL choose the alert.
        """
        if self.isSettled:
            # A peer that was judged cannot become another.
            return errorToReport("invalid-certificate", None)
        try:
            read = ReadChain.of(chain, isStrangers=bool(errors))
            opensslResult = self._findings = OpenSSLResult(tuple(_asProblems(errors)) if errors else (), read)
            if self._isClient:
                return 0
            self._result = result = self._configuration.verifier.verify(
                opensslResult.chain, opensslResult=opensslResult, budget=self._budget, isEarly=True, ja4=self.ja4
            )
        except Exception as broken:
            failure = _broken(broken)
            self._settle(failure)
            return errorToReport(failure.code, None)
        if not result.problems:
            return 0
        if self._configuration.hook is not None or _mayChange(result.problems) or self._mayHaveAnotherIssuer(result):
            self._channel.forbidResumption()
            return 0
        self._settle(_refusal(result.problems, result))
        return errorToReport(result.problems[0].code, result.problems[0].opensslError)

    def _mayHaveAnotherIssuer(self, result: VerificationResult) -> bool:
        """Return whether a wrong signature may be that of another authority of the same name, which was sent as well.

        OpenSSL takes the first that it finds, where no identifier tells them apart.
        """
        issuer = result.chain[1:2]
        isSent = bool(issuer) and issuer[0] not in self._configuration.verifier.anchors
        return isSent and all(each.depth > 0 or each.code == "bad-signature" for each in result.problems)

    def _judge(self) -> VerificationResult:
        resumed = self._channel.resumed
        known = None if resumed else self.result or self._judgedByPath()
        if known is not None and not known.problems:
            return known
        if known is not None and self._budget is None:
            # Only the path was signed by an authority that is trusted; what else came may be a stranger's.
            self._budget = SearchBudget.ofStranger()
        presented = self._presented()
        if not presented:
            missing = Problem("invalid-certificate", depth=0, detail="the server presented no certificate")
            return VerificationResult((), (missing,) if self._isClient else ())
        opensslResult = self._findings
        if resumed:
            opensslResult = self._resultOfThen() if self._configuration.usesExternalContext else None
        elif opensslResult is None:
            return VerificationResult(
                tuple(presented), (Problem("invalid-certificate", 0, detail="it was not checked"),)
            )
        elif known is not None and set(presented) <= set(opensslResult.chain):
            # There is nothing to find another path with.
            return known
        return self._configuration.verifier.verify(
            presented, opensslResult=opensslResult, staple=self.staple, budget=self._budget, ja4=self.ja4
        )

    def _judgedByPath(self) -> VerificationResult | None:
        """Judge a server by the path that OpenSSL accepts, if it has found one, and by nothing else that it sent."""
        found = self._findings
        if found is None or found.problems:
            return None
        return self._configuration.verifier.verify(found.chain, opensslResult=found, staple=self.staple)

    def _presented(self) -> Sequence[x509.Certificate]:
        """Return the certificates that the peer sent; of one that was refused no more than are looked at."""
        if self._budget is None:
            return self._channel.presented
        isWanted = modestOnes()

        def note(encoded: bytes) -> bool:
            assert self._budget is not None
            self._budget.hasLeftOut = not isWanted(encoded)
            return not self._budget.hasLeftOut

        return self._channel.presentedWhile(note)

    def _resultOfThen(self) -> OpenSSLResult:
        """What an external context has accepted stands, because only it knows whom it trusts; but time goes by."""
        resumed, result = self._channel.resumed, self.result
        chain = result.chain if result is not None and not resumed else self._channel.presented
        # Of a session only that is known which was sent, and servers send more than what their chain needs.
        dated = chain[:1] if resumed and self._isClient else chain
        now = datetime.now(timezone.utc)
        # Their callback may have let something pass.
        passed = () if self._acceptedAt is None else tuple(_outOfTime(dated, self._acceptedAt))
        problems = [each for each in _outOfTime(dated, now) if each not in passed]
        if resumed and (number := self._channel.foundThen):
            # What a hook overruled once, in a session that could not be withheld any more, it has to overrule again.
            problems.append(asProblem(number, 0))
        return OpenSSLResult(tuple(problems), chain)

    def _conclude(self, answer: Answer) -> None:
        """Settle by what the hook says, or would say if there were one: it accepts what is not refused already."""
        result = self.result
        assert result is not None
        left = answer.leaves(result.problems)
        if answer.code is not None:
            first = Problem(answer.code, depth=0, detail=printable(answer.reason))
            self._settle(_refusal((first, *result.problems), result))
        elif left:
            self._settle(_refusal(left, result))
        else:
            self._overruling, self._acceptedAt = answer, datetime.now(timezone.utc)
            overruled = result.problems
            self._result = replace(result, problems=(), overruled=overruled) if overruled else result
            self._settle(None)

    def _settle(self, failure: TLSFailure | None) -> None:
        self._refusal = failure
        self.isSettled = True
        self.hasAccepted = failure is None


def hookFailure(raised: BaseException) -> TLSFailure:
    """Return the failure for a hook that raised."""
    if isinstance(raised, TLSFailure) and _isRaised(raised):
        return raised
    detail, evidence = f"{type(raised).__name__}: {safe_str(raised)}", safe_repr(raised)
    failure = HookFailed(printable(detail), evidence=(printable(evidence),))
    failure.__cause__ = raised
    return failure


def _isRaised(failure: TLSFailure) -> bool:
    """Return whether a hook has made a failure to raise it, as its refusal of this peer.

    One of another connection that the hook was busy with, or of a check of its own, knows more than a phrase.
    """
    isFresh = failure.side == "local" and failure.peer is None and failure.alert is None and failure.certificate is None
    isOfPeers = isinstance(failure, CertificateFailure) and not isinstance(failure, HookFailed | HookTimeout)
    return isOfPeers and isFresh and not failure.evidence


def _mayChange(problems: Sequence[Problem]) -> bool:
    """Return whether more certificates may help, or the alert is one that OpenSSL cannot send.

    What is wrong with the own certificate of a peer is wrong on every path, but for what an authority does not permit.
    """
    return problems[0].code == "not-allowed" or all(
        problem.depth > 0 or problem.code == "not-permitted" for problem in problems
    )


def _broken(broken: Exception) -> TLSFailure:
    # A check that breaks has not accepted a peer.
    return InvalidCertificate(f"it cannot be checked: {unreadableText(broken)}")


def _outOfTime(chain: Sequence[x509.Certificate], at: datetime) -> Iterator[Problem]:
    # Certificates know whole seconds, and the last one belongs to the validity (RFC 5280, section 4.1.2.5).
    at = at.replace(microsecond=0)
    for depth, certificate in enumerate(chain):
        if at > certificate.not_valid_after_utc:
            yield Problem("expired", depth)
        if at < certificate.not_valid_before_utc:
            yield Problem("not-yet-valid", depth)


def _asProblems(errors: Sequence[tuple[int, int]]) -> list[Problem]:
    problems = [asProblem(number, depth) for number, depth in errors]
    causes = [problem for problem in problems if problem.opensslError not in FOLLOWING]
    # OpenSSL looks at revocation before dates and signatures; who mends a chain has to mend those first.
    causes.sort(key=lambda problem: problem.code in _REVOCATION)
    return causes or problems


def _refusal(problems: Sequence[Problem], result: VerificationResult) -> TLSFailure:
    first = problems[0]
    facts = tuple(certificateFacts(certificate) for certificate in result.chain)
    detail = ", ".join(part for part in (first.subject, first.detail) if part)
    return failureForCode(first.code)(
        detail,
        certificate=facts[first.depth] if first.depth < len(facts) else None,
        depth=first.depth,
        opensslError=first.opensslError,
        problems=tuple(problems),
        chain=facts,
        remedy=first.remedy,
    )
