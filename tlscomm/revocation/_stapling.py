"""OCSP responses that a server sends along with its certificate (RFC 6066, section 8; RFC 8446, section 4.4.2.1).

A client that is given one need not ask the authority itself, which would tell the authority whom it talks to. The
response comes from a file that another program renews, or from the responder that the certificate names, fetched in the
background well before the last one expires. What a client would not accept is not sent: a response that has expired, is
about another certificate or says that this one was revoked would only make it refuse a server that it might let pass.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import field
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID
from twisted.logger import Logger

from tlscomm._dataclasses import dataclass
from tlscomm.credentials import Credential
from tlscomm.failures import TLSFailure, printable
from tlscomm.failures._loggedfailure import logFailure
from tlscomm.failures._wording import timeText
from tlscomm.revocation._addresses import FetchFailed, isFetchable
from tlscomm.revocation._backgroundtask import BackgroundTask, Task
from tlscomm.revocation._crl import hasIssued
from tlscomm.revocation._ocsp import (
    LARGEST_RESPONSE,
    SingleResponse,
    answerIn,
    mustStaple,
    readResponse,
    statusByResponse,
)
from tlscomm.revocation._retrying import Schedule
from tlscomm.watching._marks import Mark, markOf
from tlscomm.watching._renewaltask import RenewalTask
from tlscomm.watching._watchedfiles import WatchedFiles
from tlscomm.x509._extensions import extensionsOf
from tlscomm.x509._facts import subjectText
from tlscomm.x509._unreadable import REJECTIONS

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from tlscomm.watching._renewal import Renewal

__all__ = ["Staple", "warnOfUnstapled"]

_log = Logger(namespace="tlscomm")

_FilesRead: TypeAlias = "tuple[dict[str, tuple[Mark, bytes]], list[TLSFailure]]"

#: Seconds between two looks at the times, where files are looked at by another program.
_WORK_SECONDS = 5.0

_SECONDS = 15.0
_MOST_RESPONDERS = 4
_KIND = "application/ocsp-request"

_GET_CERTIFICATE = "Get a new certificate, and ask the issuer why this one was revoked."
_GET_RESPONSE = (
    "Get a current response about this certificate from its issuer's responder (openssl ocsp -respout FILE) and put it "
    "into the file, or have it fetched (--staple fetch)."
)


@dataclass
class _Served:
    """A certificate that a server shows, and the response for it that may be sent."""

    certificate: x509.Certificate
    issuer: x509.Certificate | None
    addresses: tuple[str, ...] = ()
    response: bytes = b""
    answer: SingleResponse | None = None
    schedule: Schedule = field(default_factory=Schedule)


class Staple:
    """Responses that a server staples.

    Args:
        files: each holds one response, DER, as ``openssl ocsp -respout`` writes it. They are read again when they
            change; one that is damaged then changes nothing until it expires.
        fetches: whether responses are fetched from where the certificates say (``authorityInfoAccess``).
        fetchFromPrivateAddresses: whether from private, loopback and link-local addresses too.
        interval: seconds between two looks at the files, while the server listens, where the system does not tell that
            they have changed. None: a program looks that calls `reread`.

    Attributes:
        backgroundTasks: what does that, and looks at the times and fetches, while a server uses it.

    Raises:
        TLSFailure: a file cannot be read.
        ValueError: there is neither a file, nor is anything to be fetched.
    """

    def __init__(
        self,
        files: Sequence[str | os.PathLike[str]] = (),
        *,
        fetches: bool = False,
        fetchFromPrivateAddresses: bool = False,
        interval: float | None = 5.0,
    ) -> None:
        if not files and not fetches:
            raise ValueError("a staple comes from a file, or is fetched")
        self._fetches = fetches
        self._fromPrivateAddresses = fetchFromPrivateAddresses
        self._files: dict[str, tuple[Mark, bytes]] = {}
        self._served: dict[x509.Certificate, _Served] = {}
        self._refused: set[tuple[bytes, str]] = set()
        # Before they are read, so that no change is missed.
        watched = WatchedFiles.of(lists=[os.fspath(file) for file in files]) if files and interval is not None else None
        for file in files:
            path = os.fspath(file)
            self._files[path] = markOf(path), readResponse(path)
        self.backgroundTasks: tuple[Task, ...] = (
            *(() if watched is None else (RenewalTask(partial(self._newRenewal, watched, interval or 0.0)),)),
            BackgroundTask(self._work, interval or _WORK_SECONDS),
        )

    def serve(self, credential: Credential, issuers: Iterable[x509.Certificate] = ()) -> None:
        """Prepare for a certificate that the server shows.

        Args:
            credential: it, with its chain.
            issuers: authorities that may have issued it, where the chain has none.

        Raises:
            ValueError: responses are to be fetched, and the certificate does not say where, or its issuer is not known.
        """
        certificate = credential.certificate
        if certificate in self._served:
            return
        root = () if credential.root is None else (credential.root,)
        issuer = next((each for each in (*credential.chain, *root, *issuers) if hasIssued(each, certificate)), None)
        served = _Served(certificate, issuer, _responders(certificate) if self._fetches else ())
        if self._fetches and not self._files:
            if not served.addresses:
                raise ValueError(
                    "the certificate does not say where to fetch an OCSP response (authorityInfoAccess); name a file "
                    "with one (--staple FILE)"
                )
            if issuer is None:
                raise ValueError(
                    "to fetch an OCSP response, the certificate of the issuer is needed; append it to the identity's "
                    "file, to the store Root if the identity is in a store, or to the client roots (--client-roots)"
                )
        self._served[certificate] = served
        self._choose()

    def responseFor(self, certificate: x509.Certificate) -> bytes:
        """Return the response to send with a certificate now, DER; nothing where there is none that counts."""
        served = self._served.get(certificate)
        if served is None or served.answer is None:
            return b""
        return served.response if datetime.now(timezone.utc) < served.answer.until else b""

    def reread(self) -> list[TLSFailure]:
        """Read the files that have changed.

        Returns:
            Why some could not be read. What they held before is sent until it expires.
        """
        return self.takeFiles(self.readFiles())

    def readFiles(self) -> _FilesRead:
        """Do the half of `reread` that takes its time, in a thread; `takeFiles` does the other one."""
        changed: dict[str, tuple[Mark, bytes]] = {}
        problems: list[TLSFailure] = []
        for path, (mark, response) in tuple(self._files.items()):
            if (current := markOf(path)) != mark:
                try:
                    changed[path] = current, readResponse(path)
                except TLSFailure as problem:
                    changed[path] = current, response
                    problems.append(problem)
        return changed, problems

    def takeFiles(self, read: _FilesRead) -> list[TLSFailure]:
        """Send what `readFiles` has read, where the reactor runs, and return why some could not be read."""
        changed, problems = read
        self._files.update(changed)
        self._choose()
        return problems

    def _newRenewal(self, files: WatchedFiles, interval: float, clock: IReactorTime) -> Renewal[Any]:
        # Only what has a clock comes here.
        from tlscomm.watching._renewal import Renewal
        from tlscomm.watching._rereading import logProblems

        what = "responses to staple"
        return Renewal(clock, self.readFiles, self.takeFiles, logProblems, files=files, what=what, interval=interval)

    def _work(self, clock: IReactorTime) -> None:
        # Only what has a clock comes here.
        from twisted.internet.defer import Deferred
        from twisted.internet.interfaces import IReactorTCP

        self._choose()
        if IReactorTCP.providedBy(clock):
            for served in self._served.values():
                if served.addresses and served.issuer is not None and served.schedule.isDue(clock.seconds()):
                    Deferred.fromCoroutine(self._fetch(served, served.issuer, clock))

    def _choose(self) -> None:
        """Find for each certificate the file that has a response for it, and drop what has expired."""
        now = datetime.now(timezone.utc)
        for served in self._served.values():
            for _, response in self._files.values():
                if response != served.response:
                    self._consider(served, response, now)
            if served.answer is not None and now >= served.answer.until:
                _log.warn(
                    "the OCSP response for {subject} is not sent any more: it expired at {until}. "
                    "Next step: {nextStep}",
                    subject=subjectText(served.certificate),
                    until=timeText(served.answer.until),
                    nextStep=_GET_RESPONSE,
                )
                served.answer = None

    def _consider(self, served: _Served, response: bytes, at: datetime) -> None:
        """Take a response, unless it does not count or is older than the one that there is."""
        answer = answerIn(response, served.certificate, served.issuer)
        fault = answer if isinstance(answer, str) else _fault(response, served, at)
        isOther = len(self._files) > 1 and fault == "is about another certificate"
        if isinstance(answer, SingleResponse) and not fault:
            if served.answer is None or answer.thisUpdate >= served.answer.thisUpdate:
                served.response, served.answer = response, answer
        elif not isOther and (response, fault) not in self._refused:
            self._refused = {*list(self._refused)[-9:], (response, fault)}
            _log.warn(
                "an OCSP response for {subject} is not sent: it {fault}. Next step: {nextStep}",
                subject=subjectText(served.certificate),
                fault=fault,
                nextStep=_GET_CERTIFICATE if isinstance(answer, SingleResponse) and answer.isRevoked else _GET_RESPONSE,
            )

    async def _fetch(self, served: _Served, issuer: x509.Certificate, clock: IReactorTime) -> None:
        served.schedule.isRunning = True
        try:
            isFetched = await self._fetched(served, issuer, clock)
        except Exception:
            # Else a bug would end the fetching for good, without a word.
            logFailure(_log, "fetching an OCSP response broke")
            isFetched = False
        if not isFetched:
            served.schedule.failed(clock.seconds())

    async def _fetched(self, served: _Served, issuer: x509.Certificate, clock: IReactorTime) -> bool:
        """Ask one responder after the other; return whether one has answered."""
        # Twisted's HTTP client comes with it, and most servers fetch nothing.
        from tlscomm.revocation._web import fetch

        # RFC 5019, section 2.1.1: what every responder understands.
        request = ocsp.OCSPRequestBuilder().add_certificate(served.certificate, issuer, hashes.SHA1()).build()
        asked = request.public_bytes(Encoding.DER)
        for url in served.addresses:
            try:
                response = await fetch(
                    clock,
                    url,
                    largest=LARGEST_RESPONSE,
                    seconds=_SECONDS,
                    fromPrivateAddresses=self._fromPrivateAddresses,
                    body=asked,
                    kind=_KIND,
                )
                answer = _checked(response, served)
            except FetchFailed as problem:
                _log.warn("no OCSP response from {url}: {problem}", url=printable(url), problem=printable(str(problem)))
                continue
            served.response, served.answer = response, answer
            served.schedule.succeeded(clock.seconds(), datetime.now(timezone.utc), answer.until)
            _log.info(
                "fetched the OCSP response from {url}, valid until {until}",
                url=printable(url),
                until=timeText(answer.until),
            )
            return True
        return False


def warnOfUnstapled(credentials: Iterable[Credential], staple: Staple | None) -> None:
    """Say in the log which certificates clients will refuse: they must staple (RFC 7633) and have nothing to staple.

    Args:
        credentials: what a server shows.
        staple: what it staples.
    """
    for credential in credentials:
        if mustStaple(credential.certificate) and not (staple and staple.responseFor(credential.certificate)):
            _log.warn(
                "clients will refuse {subject}: it has to come with an OCSP response (RFC 7633); there is none{yet}."
                " Next step: {nextStep}",
                subject=subjectText(credential.certificate),
                yet=" yet" if staple else "",
                nextStep="Name a file with a current response (--staple FILE), and have newer ones fetched (fetch).",
            )


def _checked(response: bytes, served: _Served) -> SingleResponse:
    answer = answerIn(response, served.certificate, served.issuer)
    fault = answer if isinstance(answer, str) else _fault(response, served, datetime.now(timezone.utc))
    if isinstance(answer, str) or fault:
        raise FetchFailed(f"it {fault}")
    return answer


def _fault(response: bytes, served: _Served, at: datetime) -> str:
    status = statusByResponse(response, served.certificate, served.issuer, at, lambda _: False)
    said = f"says that the certificate was revoked {status.detail}" if status.code == "revoked" else status.detail
    return said.removeprefix("its OCSP response ")


def _responders(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        places = extensionsOf(certificate).get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, *REJECTIONS):
        return ()
    found = (
        place.access_location.value
        for place in places
        if place.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(place.access_location, x509.UniformResourceIdentifier)
    )
    return tuple(url for url in found if isFetchable(url))[:_MOST_RESPONDERS]
