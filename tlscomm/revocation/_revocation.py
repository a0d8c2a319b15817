"""Which certificates have been revoked: lists that authorities publish, and responses that servers staple.

A user who names a list wants to know of every certificate whether it was revoked. So where lists are given, one that no
valid list covers is refused as well (``revocation-unknown``), unless the mode is ``soft``, in which that is a
warning. What was revoked is refused in both.

`Revocation` may change while connections are open: files are read again when they change (`Revocation.reread`), and
a program that keeps a verdict looks at `Revocation.generation`, or asks to be told (`Revocation.whenChanged`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tlscomm._dataclasses import dataclass
from tlscomm.credentials import SourceLike
from tlscomm.failures import Problem, TLSFailure
from tlscomm.revocation._backgroundtask import BackgroundTask, Task
from tlscomm.revocation._crl import GOOD, Status, isListedBy, issuerKey, statusByLists
from tlscomm.revocation._listfiles import ListFiles, readLists
from tlscomm.revocation._ocsp import mustStaple, statusByResponse
from tlscomm.revocation._revocationlist import RevocationList
from tlscomm.watching._renewaltask import RenewalTask
from tlscomm.watching._watchedfiles import WatchedFiles
from tlscomm.x509._canonicalname import CanonicalName
from tlscomm.x509._facts import subjectText

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from tlscomm.revocation._fetching import ListFetcher
    from tlscomm.watching._renewal import Renewal

__all__ = ["MODES", "Mode", "Revocation", "loadRevocationLists"]

#: Seconds between two looks at what has to be fetched, where files are looked at by another program.
_FETCH_SECONDS = 5.0

_STAPLE = (
    "The server has to staple a current OCSP response (--staple FILE or fetch); no revocation list takes its place."
)
_GET_LISTS = (
    "Get the current revocation list of each authority of the chain, and put it in the place of one that has expired, "
    "or name it with --crl."
)

Mode: TypeAlias = Literal["off", "soft", "required"]

MODES: tuple[Mode, ...] = ("off", "soft", "required")
"""What is done where nothing tells whether a certificate was revoked: nothing is looked at, a warning, a refusal."""


class Revocation:
    """What is known of revoked certificates, and what follows where nothing is known.

    Without lists and without a mode it is ``soft`` and silent: what a server staples is checked, and there is no
    warning that there are no lists, because a user who has given none knows that.

    Args:
        lists: revocation lists.
        mode: ``required`` where lists or files are given and none is named, else ``soft``.
        files: files with more lists, in any form, and folders of such files. A folder without a list is refused, and so
            is a file in it that is called as one is and is nothing that is known.
        fetchCRLs: a folder for lists that are fetched in the background from where the peers' certificates say that
            they are published; without one nothing is fetched.
        fetchFromPrivateAddresses: whether lists are fetched from private, loopback and link-local addresses too.
        interval: seconds between two looks at the files, while a server listens or a client is connected, where the
            system does not tell that they have changed. None: a program looks that calls `reread`.

    Attributes:
        mode: ``off``: nothing is looked at. ``soft``: what was revoked is refused, and what nothing is known of is
            warned of. ``required``: both are refused.
        generation: counts the changes, for programs that keep a verdict.
        backgroundTasks: what does that, and fetches, while a server or a client uses it.

    Raises:
        TLSFailure: a file cannot be used.
        ValueError: there is no such mode, or a list cannot be read.
    """

    def __init__(
        self,
        lists: Iterable[x509.CertificateRevocationList] = (),
        *,
        mode: Mode | None = None,
        files: Sequence[str | os.PathLike[str]] = (),
        fetchCRLs: str | os.PathLike[str] | None = None,
        fetchFromPrivateAddresses: bool = False,
        interval: float | None = 5.0,
    ) -> None:
        if mode is not None and mode not in MODES:
            raise ValueError(f"revocation is {', '.join(MODES)}, not {mode}")
        self._given = [RevocationList(each.public_bytes(Encoding.DER)) for each in lists]
        # Before they are read, so that no change is missed.
        watched = WatchedFiles.of(lists=[os.fspath(file) for file in files]) if files and interval is not None else None
        self._files = ListFiles(files)
        self._fetcher: ListFetcher | None = None
        if fetchCRLs is not None:
            from tlscomm.revocation._fetching import ListFetcher

            self._fetcher = ListFetcher(fetchCRLs, self._noteChange, fromPrivateAddresses=fetchFromPrivateAddresses)
        self._isSilent = mode is None and not self._given and not self._files and self._fetcher is None
        self.mode: Mode = mode or ("soft" if self._isSilent else "required")
        self.generation = 0
        self._listeners: list[Callable[[], object]] = []
        self._byIssuer: dict[CanonicalName, list[RevocationList]] = {}
        self._index()
        self.backgroundTasks: tuple[Task, ...] = (
            *(() if watched is None else (RenewalTask(partial(self._newRenewal, watched, interval or 0.0)),)),
            *(() if self._fetcher is None else (BackgroundTask(self._fetcher.work, interval or _FETCH_SECONDS),)),
        )

    @property
    def isAskedFor(self) -> bool:
        """Whether lists or a mode were given."""
        return not self._isSilent and self.mode != "off"

    @property
    def isIdle(self) -> bool:
        """Whether nothing is known but by what servers staple: `check` says nothing then of a peer without a response.

        Of a server's certificate that has to come with one it does.
        """
        return self._isSilent

    @property
    def lists(self) -> tuple[x509.CertificateRevocationList, ...]:
        """All lists that count now."""
        return tuple(each.crl for each in self._allLists())

    @property
    def due(self) -> tuple[tuple[str, datetime | None], ...]:
        """For each list that counts now what sentences call it, printable, and when the next one is due."""
        return tuple((each.description, each.nextUpdate) for each in self._allLists())

    def check(
        self,
        path: Sequence[x509.Certificate],
        *,
        at: datetime,
        staple: bytes | None = None,
        others: Sequence[x509.Certificate] = (),
        stapling: bool = False,
        isStrict: bool = False,
    ) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        """Say what is known of the certificates of a path.

        Args:
            path: the peer's certificate first, the trust anchor, which no list can revoke, last.
            at: the time to judge for, with a time zone.
            staple: the OCSP response (DER) that came with a server's certificate.
            others: more certificates, any of which may have signed a list.
            stapling: whether the peer could have stapled a response, as servers can. Then one whose certificate says
                that it must (RFC 7633) is refused without, in every mode but ``off``: a thief of its key would leave
                the response out, and its owner has asked for just this.
            isStrict: whether lists have to keep the rules for who makes them, as under the profile ``strict``.

        Returns:
            What the peer is refused for, and what is only to be warned of.
        """
        if self.mode == "off":
            return (), ()
        problems: list[Problem] = []
        warnings: list[Problem] = []
        known = self._listsFor(path)
        for depth, certificate in enumerate(path[:-1]):
            issuers = path[depth + 1 :]
            byLists = None
            if not self._isSilent:
                byLists = statusByLists(issuers, certificate, known, (*path, *others), at, isStrict=isStrict)
            finding = _Finding(byLists or GOOD)
            if depth == 0:
                isListed = partial(isListedBy, issuers[0], lists=known)
                byStaple = None if staple is None else statusByResponse(staple, certificate, issuers[0], at, isListed)
                finding = _combined(byLists, byStaple, isDemanded=stapling and mustStaple(certificate))
            if finding.status == GOOD:
                continue
            if self._fetcher is not None and finding.status.code == "revocation-unknown":
                finding = finding.because(self._fetcher.whyMissing(path[depth:]))
            isRefusal = self.mode == "required" if finding.isRefusal is None else finding.isRefusal
            remedy = finding.remedy
            if not remedy and finding.status.code == "revocation-unknown" and not (stapling and depth == 0):
                remedy = _GET_LISTS
            (problems if isRefusal else warnings).append(_problem(finding.status, depth, certificate, remedy))
        return tuple(problems), tuple(warnings)

    def want(self, path: Sequence[x509.Certificate]) -> None:
        """Have the lists for a path fetched in the background, where lists are fetched.

        Args:
            path: a path that was verified, up to its trust anchor, and that nothing speaks against, but perhaps that
                lists are missing. Of any other one who connects could choose which addresses our server asks.
        """
        if self._fetcher is not None and self.mode != "off":
            self._fetcher.note(path)

    def reread(self) -> list[TLSFailure]:
        """Read the files that have changed.

        Returns:
            Why some could not be read. What they held before goes on counting.
        """
        return self.takeFiles(self.readFiles())

    def readFiles(self) -> tuple[bool, list[TLSFailure]]:
        """Do the half of `reread` that takes its time, in a thread; `takeFiles` does the other one."""
        return self._files.reread()

    def takeFiles(self, read: tuple[bool, list[TLSFailure]]) -> list[TLSFailure]:
        """Let count what `readFiles` has read, where the reactor runs, and return why some could not be read."""
        changed, problems = read
        if changed:
            self._noteChange()
        return problems

    def whenChanged(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Have a callable called after each change.

        Returns:
            Call it to end that.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def __eq__(self, other: object) -> bool:
        """Return whether the other one is the same, or neither can change and both know the same."""
        if not isinstance(other, Revocation) or self._canChange or other._canChange:
            return self is other
        return (self.mode, self.lists) == (other.mode, other.lists)

    def __hash__(self) -> int:
        return hash(self.mode)

    @property
    def _canChange(self) -> bool:
        return bool(self._files) or self._fetcher is not None

    def __repr__(self) -> str:
        return f"<Revocation {self.mode}, {len(self.lists)} lists>"

    def _listsFor(self, path: Sequence[x509.Certificate]) -> list[RevocationList]:
        fetched = () if self._fetcher is None else self._fetcher.listsFor(path)
        if not self._byIssuer:
            return [*fetched]
        names = dict.fromkeys(issuerKey(certificate) for certificate in path)
        return [*(each for name in names for each in self._byIssuer.get(name, ())), *fetched]

    def _allLists(self) -> Iterator[RevocationList]:
        for group in (*self._byIssuer.values(), () if self._fetcher is None else self._fetcher.lists):
            yield from group

    def _index(self) -> None:
        byIssuer: dict[CanonicalName, list[RevocationList]] = {}
        for each in (*self._given, *self._files.lists):
            byIssuer.setdefault(each.issuer, []).append(each)
        self._byIssuer = byIssuer

    def _newRenewal(self, files: WatchedFiles, interval: float, clock: IReactorTime) -> Renewal[Any]:
        # Only what has a clock comes here.
        from tlscomm.watching._renewal import Renewal
        from tlscomm.watching._rereading import logProblems

        what = "revocation lists"
        return Renewal(clock, self.readFiles, self.takeFiles, logProblems, files=files, what=what, interval=interval)

    def _noteChange(self) -> None:
        self._index()
        self.generation += 1
        for listener in tuple(self._listeners):
            listener()


def loadRevocationLists(source: SourceLike) -> tuple[x509.CertificateRevocationList, ...]:
    """Load the revocation lists of a file, any number in any form, or of every such file in a folder.

    Args:
        source: a path, or the content as bytes. Not standard input.

    Raises:
        FileNotFound, Unreadable: the file cannot be read.
        UnknownFormat: it holds no revocation list.
        Damaged: it holds one that is broken.
    """
    if isinstance(source, str | os.PathLike) and os.path.isdir(source):
        return tuple(each.crl for each in ListFiles([source]).lists)
    return tuple(each.crl for each in readLists(source))


@dataclass(frozen=True)
class _Finding:
    """What is known of one certificate, and whether it refuses; None where that is for the mode to say.

    Attributes:
        status: what is known.
        isRefusal: whether that refuses.
        remedy: what to do, where the code's own next step does not help.
    """

    status: Status
    isRefusal: bool | None = None
    remedy: str = ""

    def because(self, reason: str) -> _Finding:
        """Return the same with one more reason, if there is one."""
        detail = "; ".join(filter(None, (self.status.detail, reason)))
        return replace(self, status=replace(self.status, detail=detail))

    def __post_init__(self) -> None:
        if self.status.code == "revoked":
            object.__setattr__(self, "isRefusal", True)


def _combined(byLists: Status | None, byStaple: Status | None, *, isDemanded: bool) -> _Finding:
    """Return what lists and a stapled response come to together. That it was revoked needs one of them to say."""
    for each in (byLists, byStaple):
        if each is not None and each.code == "revoked":
            return _Finding(each)
    if byStaple == GOOD:
        return _Finding(GOOD)
    if isDemanded:
        detail = "none came" if byStaple is None else byStaple.detail
        return _Finding(Status("revocation-unknown", f"it has to come with an OCSP response, {detail}"), True, _STAPLE)
    if byStaple is None:
        return _Finding(byLists or GOOD)
    if byLists == GOOD:
        return _Finding(byStaple, isRefusal=False)
    details = [byStaple.detail, *([] if byLists is None else [byLists.detail])]
    return _Finding(Status("revocation-unknown", "; ".join(details)))


def _problem(status: Status, depth: int, certificate: x509.Certificate, remedy: str) -> Problem:
    return Problem(status.code, depth, subjectText(certificate), status.detail, remedy=remedy)
