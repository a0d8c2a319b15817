"""Why a side refused: what its alert says, and what the other side had shown and offered.

An alert fits several causes. A program that is refused settles them by what it knows of itself
(`tlscomm.tls._naming`); here the same is seen from outside: the certificates that were shown, what was asked for, and
what was offered.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

from cryptography import x509

from tlscomm._wire.names import groupsText, suitesText, versionsText
from tlscomm.failures import Alert, Problem, codeForAlert, printable
from tlscomm.tls._owncertificate import factFor
from tlscomm.tracing._certificates import ShownChain
from tlscomm.tracing._course import Course
from tlscomm.tracing._proofs import hasProof
from tlscomm.tracing._trace import Side
from tlscomm.x509._distinguishednames import decodedName
from tlscomm.x509._facts import authoritiesText, issuedText, subjectText
from tlscomm.x509._keystrengths import unsignableKey

__all__ = ["Cause", "causeInSilence", "causeOf", "offered", "toldOf"]

_HANDSHAKE_FAILURE, _ILLEGAL_PARAMETER, _ACCESS_DENIED, _DECRYPT_ERROR, _INTERNAL_ERROR = 40, 47, 49, 51, 80

#: Alerts that servers send to a client without a certificate, as in `tlscomm.tls._naming`.
_VAGUE_OR_ABOUT_CERTIFICATES = frozenset({40, 41, 42, 43, 46, 48, 49, 50, 80, 116})

_ABOUT_CERTIFICATES = frozenset({42, 46, 49})

#: For what an alert says by itself, what else the certificates may show it to mean; None for everything.
_MEANINGS: dict[str, frozenset[str] | None] = {
    "expired": frozenset({"expired", "not-yet-valid"}),
    "not-allowed": None,
    "refused": None,
    "wrong-purpose": frozenset({"wrong-purpose"}),
    "unknown-issuer": frozenset({"chain-too-long", "incomplete-chain", "not-permitted", "self-signed"}),
}

#: What every side refuses, whomever it trusts.
_PLAIN = frozenset(
    {"bad-signature", "expired", "invalid-certificate", "name-mismatch", "not-yet-valid", "wrong-purpose"}
)

_TLS_1_2, _TLS_1_3 = 0x0303, 0x0304
#: What nearly all clients offer both of, and one of; and so few suites that a person must have chosen them.
_COMMON_GROUPS = frozenset({23, 29})
_COMMON_SUITES = frozenset({0x1301, 0xC02B, 0xC02F})
_FEW = 2


class Cause(NamedTuple):
    """Why.

    Attributes:
        problem: what is wrong; `Problem.depth` is the place among the certificates that were sent.
        isCertain: whether it could not be another one.
        evidence: what it rests on, a phrase each.
        said: what to say in the place of the failure's own summary, if anything.
        isJudges: whether it is the side that refused which has something to change.
    """

    problem: Problem
    isCertain: bool
    evidence: tuple[str, ...] = ()
    said: str = ""
    isJudges: bool = False


class _Case(NamedTuple):
    number: int
    judge: Side
    course: Course
    chain: ShownChain | None

    @property
    def isMissing(self) -> bool:
        """Whether the client was asked for a certificate and sent none."""
        course = self.course
        return self.judge == "server" and bool(course.isRequested) and course.hasClientCertificate is False

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        return () if self.chain is None else self.chain.certificates

    @property
    def alert(self) -> str:
        return f"the {self.judge}'s alert is {Alert(self.number, 'received').name} ({self.number})"


def causeOf(number: int, judge: Side, course: Course, chain: ShownChain | None) -> Cause:
    """Return what a fatal alert means.

    Args:
        number: the AlertDescription.
        judge: the side that sent it.
        course: what had come before.
        chain: what the other side had shown, None where that is not known.
    """
    case = _Case(number, judge, course, chain)
    return _beforeVerdict(case) or _byCertificates(case) or _byItself(case)


def causeInSilence(judge: Side, course: Course, chain: ShownChain | None) -> Cause:
    """Return what a side that ended the connection without a word had most evidently against the other side."""
    case = _Case(0, judge, course, chain)
    if case.isMissing:
        return Cause(Problem("no-certificate", 0), False, (_NOT_SENT,))
    shown = issuedText(case.certificates[0]) if case.certificates else ""
    return _fault(case, None) or Cause(Problem("refused", 0, detail=shown), False)


def _beforeVerdict(case: _Case) -> Cause | None:
    """Return what an alert means that is not about what a certificate says."""
    number, course = case.number, case.course
    if case.isMissing and number in _VAGUE_OR_ABOUT_CERTIFICATES:
        return Cause(Problem("no-certificate", 0, detail=_NOT_SENT), True, (_NOT_SENT, case.alert))
    if number == _HANDSHAKE_FAILURE and case.judge == "server" and course.answer.suite is None:
        return _notCommon(case)
    if number == _DECRYPT_ERROR:
        return _badlySigned(case)
    if number == _ILLEGAL_PARAMETER and case.certificates and (weak := unsignableKey(case.certificates[0])):
        return Cause(Problem("key-too-weak", 0, detail=f"it has {weak}"), False, (case.alert,))
    return None


def _badlySigned(case: _Case) -> Cause:
    if case.chain is None or not case.certificates:
        return Cause(Problem("protocol-violation", 0), True, (case.alert,))
    isWrong = case.chain.isWronglySigned
    if isWrong is False:
        return Cause(Problem("protocol-violation", 0), True, (case.alert, "its certificates are signed as they should"))
    leaf = None if isWrong else case.chain.leaf
    if leaf is not None and hasProof(case.course, case.chain.role, leaf) is False:
        said = f"the {case.chain.role}'s signature on the handshake is not that of its certificate's key"
        # A client signs its certificate too, so one that was changed on the way shows the same.
        return Cause(Problem("protocol-violation", 0, detail=said), case.judge == "client", (case.alert, said))
    # Where the issuer's certificate is not at hand, nothing else shows it.
    detail = issuedText(case.certificates[0])
    return Cause(Problem("bad-signature", 0, detail=detail), isWrong is True, (case.alert,))


def _byCertificates(case: _Case) -> Cause | None:
    code = codeForAlert(case.number)
    return _fault(case, _MEANINGS[code]) if code in _MEANINGS else None


def _fault(case: _Case, meanings: frozenset[str] | None) -> Cause | None:
    """Return what is wrong with what was shown, by all that is seen; of the codes that may be meant."""
    if case.chain is None or not case.certificates:
        return None
    alert = (case.alert,) if case.number else ()
    for problem in case.chain.problems:
        if meanings is None or problem.code in meanings:
            detail = toldOf(problem, case.certificates)
            isCertain = meanings is not None or problem.code in _PLAIN
            return Cause(replace(problem, detail=detail), isCertain, (*alert, f"the certificate was seen: {detail}"))
    if meanings is not None:
        return None
    if (foreign := _foreignIssuer(case)) or (case.number and case.chain.isWronglySigned):
        code = "unknown-issuer" if foreign else "bad-signature"
        detail = foreign or issuedText(case.certificates[0])
        # A server that says whom it accepts, and refuses another's certificate by an alert, refuses it for that.
        isCertain = bool(foreign) and case.number in _ABOUT_CERTIFICATES
        return Cause(Problem(code, 0, detail=detail), isCertain, (*alert, detail))
    return None


def _foreignIssuer(case: _Case) -> str:
    """Say that the server's list of acceptable authorities has none of those in the client's chain, where so it is."""
    accepted = case.course.request.authorities
    if case.judge != "server" or not accepted:
        return ""
    try:
        if any(each.issuer.public_bytes() in accepted for each in case.certificates):
            return ""
        return f"{issuedText(case.certificates[0])}; the server accepts {_authorities(accepted)}"
    except Exception:
        # Whatever a parser raises for what a stranger wrote.
        return ""


def _notCommon(case: _Case) -> Cause:
    """Say what a server that has chosen nothing has not in common with the client; its alert does not say what.

    What the client has less of than others is taken to be it (as in `Negotiation.restricted`).
    """
    hello = case.course.hello
    versions = set(hello.versions) & {_TLS_1_2, _TLS_1_3}
    lacksGroups = hello.groups is not None and not hello.groups >= _COMMON_GROUPS
    lacksSuites = not _COMMON_SUITES & set(hello.cipherSuites) or len(hello.cipherSuites) <= _FEW
    if not versions or (versions == {_TLS_1_3} and not lacksGroups and not lacksSuites):
        code = "no-common-version"
    elif lacksGroups:
        code = "no-common-group"
    else:
        # A server that says so of versions is rare (GnuTLS).
        code = "refused" if versions == {_TLS_1_2} and not lacksSuites else "no-common-cipher"
    isCertain = code == "refused" or (code == "no-common-cipher" and len(versions) == 2 and not lacksSuites)
    kinds = (code,) if code != "refused" else ("no-common-version", "no-common-cipher", "no-common-group")
    detail = "; ".join(offered(kind, case.course) for kind in kinds)
    return Cause(Problem(code, 0, detail=detail), isCertain, (case.alert, _NOT_SAID_WHICH))


def _byItself(case: _Case) -> Cause:
    code = codeForAlert(case.number)
    if case.number == _INTERNAL_ERROR:
        return Cause(Problem(code, 0, detail=_ITS_OWN_ERROR), True, (case.alert,))
    if case.number == _ACCESS_DENIED and case.judge == "server" and not _isListed(case):
        return Cause(Problem("refused", 0, detail=_DENIED), True, (case.alert,))
    if code == "no-certificate" and case.judge == "server" and case.course.hasClientCertificate is not True:
        return Cause(Problem(code, 0, detail=_NOT_SENT), True, (case.alert,))
    if (doubted := _doubted(code, case)) is not None:
        return doubted
    said = _shown(code, case)
    return Cause(Problem(code, 0, detail=said or offered(code, case.course)), True, (case.alert,))


def _doubted(code: str, case: _Case) -> Cause | None:
    """Return what an alert means that the certificates do not bear out: the side that sent it has the cause.

    OpenSSL sends unknown_ca where it has no revocation list, and certificate_expired where its list has expired.
    """
    isFaulty = case.chain is None or any(problem.code == code for problem in case.chain.problems)
    if code not in _DOUBTS or isFaulty or not case.certificates:
        return None
    if code == "unknown-issuer" and not (case.judge == "server" and _isListed(case)):
        return None
    said, remedy = _DOUBTS[code]
    problem = Problem(code, 0, detail=_shown(code, case), remedy=remedy)
    return Cause(problem, False, (case.alert, "nothing of the kind is seen in the certificates"), said, True)


def _shown(code: str, case: _Case) -> str:
    """Say what the certificate that was shown has to do with an alert; it is not at fault by all that is seen here."""
    if case.chain is None or (leaf := case.chain.leaf) is None:
        return ""
    if code in _ABOUT_ISSUERS:
        return issuedText(leaf)
    try:
        fact = factFor(code, leaf, case.chain.at)
    except Exception:
        # Whatever a parser raises for what a stranger wrote.
        fact = ""
    fact = fact.replace("the clock here shows", "this was seen at")
    return f"{subjectText(leaf)}, {fact}" if fact else ""


def _isListed(case: _Case) -> bool:
    """Return whether the server has named an authority of the client's chain as one that it accepts."""
    accepted = case.course.request.authorities
    try:
        return any(each.issuer.public_bytes() in accepted for each in case.certificates)
    except Exception:
        return False


def offered(code: str, course: Course) -> str:
    """Say what the client offered of what is not common; nothing where a failure is of another kind."""
    hello, answer = course.hello, course.answer
    if code == "no-common-version":
        chosen = f"; the server chose {versionsText([answer.version])}" if answer.version else ""
        return f"the client offers {versionsText(hello.versions)}{chosen}"
    if code == "no-common-cipher":
        return f"the client offers {suitesText(hello.cipherSuites)}"
    if code == "no-common-group":
        return f"the client offers the groups {groupsText(hello.groups or ())}"
    if code == "no-common-protocol":
        names = [printable(each.decode("utf-8", "replace"), _LONGEST_NAME) for each in hello.applicationProtocols]
        return f"the client offers {', '.join(names[:_MOST_NAMED]) or 'none'}"
    if code == "unknown-server-name":
        return f"it asked for {printable(hello.serverName)}" if hello.serverName else "it asked for none"
    return ""


def toldOf(problem: Problem, certificates: Sequence[x509.Certificate]) -> str:
    """Return a problem as a phrase: which certificate, and what is wrong with it."""
    if problem.code in _ABOUT_ISSUERS and not problem.detail and problem.depth < len(certificates):
        return issuedText(certificates[problem.depth])
    if problem.code == "self-signed" and certificates:
        return f"{subjectText(certificates[0])} is its own issuer"
    return ", ".join(part for part in (problem.subject, problem.detail) if part)


def _authorities(accepted: Collection[bytes]) -> str:
    """Name some of the authorities on a list. Systems trust some 150, so only a few are read."""
    names = [decodedName(each) for each in sorted(accepted)[:_MOST_AUTHORITIES]]
    more = len(accepted) - len(names)
    return authoritiesText(names) + (f" and {more} more" if more > 0 else "")


_ABOUT_ISSUERS = frozenset(
    {"bad-signature", "incomplete-chain", "not-allowed", "refused", "revocation-unknown", "self-signed"}
    | {"unknown-issuer"}
)

_NOT_SENT = "the server asked for a certificate and the client sent none"
_ITS_OWN_ERROR = "it reports an error of its own (internal_error): its check may have failed, or been too slow"
_DENIED = "it says access_denied, which some servers (GnuTLS) say of each certificate that they refuse"
#: What alerts say, and what to do, where nothing in the certificates bears them out.
_DOUBTS = {
    "expired": (
        "it says that a certificate has expired, and {whose} was valid then",
        "Most likely something of the peer's own has expired: its revocation list, or its copy of an authority's "
        "certificate; or its clock is wrong. Renew the list and the copy, and check the clock of the peer. It may also "
        "be the certificate of an authority that was not sent.",
    ),
    "unknown-issuer": (
        "it says unknown_ca of {whose}, though it names the authority as one that it accepts",
        "Look in the log of the peer. Likely it checks revocation and has no revocation list of that authority; "
        "or an intermediate certificate is missing; or its own certificate of that authority has another key.",
    ),
    "wrong-purpose": (
        "it says unsupported_certificate, and nothing in {whose} forbids this use",
        "Look in the log of the peer. It may not support the kind of the key or of the signature, or ask for more than "
        "the standards do; or the certificate of an authority that was not sent is restricted to other uses.",
    ),
}
_NOT_SAID_WHICH = "handshake_failure means that something that it needs is not common, and does not say what"

_MOST_NAMED, _LONGEST_NAME, _MOST_AUTHORITIES = 8, 80, 3
