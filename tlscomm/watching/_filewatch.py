"""Tells when files have changed and have been quiet since then.

A program that renews a certificate writes it and its key one after the other, each in pieces. So a change counts when
two looks that are a moment apart have found the same. Files that never come to rest are not waited for: a list of
revoked certificates among them has to count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from tlscomm.credentials._rereading import READING_SECONDS, inOwnThread
from tlscomm.failures._loggedfailure import logFailure
from tlscomm.watching._places import placesOf
from tlscomm.watching._watchedfiles import Marks, WatchedFiles

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime
    from twisted.python.failure import Failure

    from tlscomm.watching._notices import Notices

__all__ = ["LOOK_SECONDS", "QUIET_SECONDS", "FileWatch"]

_log = Logger(namespace="tlscomm")

#: Seconds between two looks where nothing happens.
LOOK_SECONDS = 5.0
#: For how long files have to be quiet.
QUIET_SECONDS = 0.2
#: How soon after a notice they are looked at: what belongs together mostly comes together.
_SOON = 0.02
#: How soon what was told of is told of again, where the reading has not come to an end, or may end in another way.
_AGAIN_SECONDS = 60.0
#: How long they are waited for where they are never quiet.
_MOST_UNQUIET = 0.6


class FileWatch:
    """Looks at files while it is used, from time to time, and at once where the system says that something happens.

    Several may use one object, which then looks once for all of them.
    """

    def __init__(
        self, files: WatchedFiles, changed: Callable[[], object], what: str, interval: float = LOOK_SECONDS
    ) -> None:
        """
        Args:
            files: what is looked at.
            changed: is called where the reactor runs, when the files are others than those of the last reading.
            what: what is in them, for the log.
            interval: seconds between two looks where nothing happens.
        """
        self._files = files
        self._changed = changed
        self._what = what
        self._interval = interval
        self._users = 0
        self._clock: IReactorTime | None = None
        self._timer: IDelayedCall | None = None
        self._isLooking = False
        self._latest: Marks | None = None
        self._toldOf: Marks | None = None
        self._toldAt = float("-inf")
        self._unquietSince: float | None = None
        self._lookedAt = float("-inf")
        self._isHeard = False
        self._notices: Notices | None = None
        self._isWarned = False

    def use(self, clock: IReactorTime) -> None:
        """Begin, if this is the first use. Its clock tells the time for all."""
        self._users += 1
        if self._users == 1:
            self._clock = clock
            self._latest = None
            self._look()

    def release(self) -> None:
        """End one use, and with the last one the looks."""
        self._users -= 1
        if not self._users:
            self._wait(None)
            self._watchWith(None)

    def _heard(self) -> None:
        """Something has happened in one of the folders."""
        clock = self._clock
        if clock is None or not self._users:
            return
        self._isHeard = True
        if not self._isLooking:
            self._waitAtMost(max(_SOON, self._lookedAt + QUIET_SECONDS - clock.seconds()))

    def _waitAtMost(self, seconds: float) -> None:
        clock = self._clock
        if clock is not None and (self._timer is None or self._timer.getTime() > clock.seconds() + seconds):
            self._wait(seconds)

    def _wait(self, seconds: float | None) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        clock = self._clock
        self._timer = None if seconds is None or clock is None else clock.callLater(seconds, self._look)

    def _look(self) -> None:
        clock = self._clock
        if clock is None or self._isLooking:
            return
        self._timer = None
        self._isLooking, self._isHeard = True, False
        self._lookedAt = clock.seconds()
        looking: Any = inOwnThread(clock, self._lookInThread, self._late)
        looking.addCallback(self._seen).addErrback(self._broken)

    def _lookInThread(self) -> tuple[Notices | None, Marks]:
        # The folders come first: what happens after the look is then heard of.
        return self._newNotices(), self._files.look()

    def _newNotices(self) -> Notices | None:
        """Return what tells of the folders as they are now; that of before where they are the same."""
        from twisted.internet.interfaces import IReactorFDSet

        clock: Any = self._clock
        if not IReactorFDSet.providedBy(clock):
            return None
        try:
            from tlscomm.watching._notices import Notices
        except ImportError:
            return None
        places = placesOf(self._files.sources.paths)
        current = self._notices
        return current if current is not None and current.covers(places) else self._noticesOf(Notices, places)

    def _noticesOf(self, kind: Any, places: Any) -> Notices | None:
        from twisted.internet.inotify import INotifyError

        try:
            notices: Notices = kind(self._clock, places, self._heard)
        except INotifyError:
            self._warn()
            return None
        if notices.unwatched:
            self._warn()
        return notices

    def _warn(self) -> None:
        if not self._isWarned:
            self._isWarned = True
            _log.warn(
                "the system does not let all folders with {what} be watched: a change there is found within "
                "{seconds:g} s. Next step: Raise fs.inotify.max_user_watches and fs.inotify.max_user_instances "
                "(sysctl), if it has to count at once.",
                what=self._what,
                seconds=self._interval,
            )

    def _seen(self, seen: tuple[Notices | None, Marks]) -> None:
        notices, marks = seen
        self._isLooking = False
        if not self._users or self._clock is None:
            if notices is not None:
                notices.close()
            return
        self._watchWith(notices)
        isQuiet, self._latest = marks == self._latest, marks
        seconds = self._judge(marks, self._clock.seconds(), isQuiet=isQuiet)
        if not self._users:
            # It was told of a change, and ended by that.
            return
        self._wait(seconds)
        if self._isHeard:
            self._waitAtMost(QUIET_SECONDS)

    def _judge(self, marks: Marks, now: float, *, isQuiet: bool) -> float:
        """Tell of a change, if there is one, and return how long to wait until the next look."""
        isTold = marks == self._toldOf and now - self._toldAt < _AGAIN_SECONDS
        if isTold or not self._files.isUntried(marks):
            self._unquietSince = None
            return self._interval
        if self._unquietSince is None:
            self._unquietSince = now
        if not isQuiet and now - self._unquietSince < _MOST_UNQUIET:
            return QUIET_SECONDS
        self._unquietSince = None
        self._toldOf, self._toldAt = marks, now
        self._changed()
        return self._interval

    def _watchWith(self, notices: Notices | None) -> None:
        former, self._notices = self._notices, notices
        if former is notices:
            return
        if notices is not None:
            notices.begin()
        if former is not None:
            former.close()

    def _broken(self, reason: Failure) -> None:
        self._isLooking = False
        logFailure(_log, "looking at files broke: {what}", reason, what=self._what)
        if self._users:
            self._wait(self._interval)

    def _late(self, name: str) -> None:
        _log.warn(
            "looking at {what} has taken {seconds:g} s and goes on{place}. What was read before stays in use. "
            "Next step: Have the files on a disk there.",
            what=self._what,
            place=name and f", at {name}",
            seconds=READING_SECONDS,
        )
