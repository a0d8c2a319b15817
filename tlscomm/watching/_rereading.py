"""A running program's configuration, read again while it runs, in two steps: all of it is ready, then it is used.

Files are read, and whatever is made of them is made, in a thread, one reading at a time. One that takes too long counts
as failed; its thread is left to itself, and what it may still bring is not used. Whatever goes wrong, the configuration
of before stays, as a whole: nothing is used before all of it is there, and to use it then cannot fail.

The second step is one of its own because several processes that are one server take it together, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tlscomm._clocks import timeOfDay
from tlscomm._dataclasses import dataclass
from tlscomm.credentials._rereading import READING_SECONDS, inOwnThread
from tlscomm.failures import NotYetValid, TLSFailure, Unreadable, printable
from tlscomm.failures._loggedfailure import logFailure
from tlscomm.watching._reloadresult import ReloadResult
from tlscomm.watching._watchedfiles import Marks, WatchedFiles

__all__ = ["Prepared", "Rereading", "logProblems", "logReload", "nextStepFor", "nothingToRead"]

_log = Logger(namespace="tlscomm")

_T = TypeVar("_T")

#: How many readings may be left to themselves at a time.
_MOST_LATE = 4

#: What may be over without a change of files: a disk that does not answer, too many open files, a clock.
_MAY_PASS = (Unreadable, NotYetValid)

_PLAIN_FILE = "Have a plain file on a disk there, and try again."


@dataclass(frozen=True)
class _Read(Generic[_T]):
    """What a thread has brought.

    Attributes:
        value: the configuration; None where there is none, or it has not changed.
        problem: why it cannot be used, or a part of it.
        marks: the files that it was read from; None where it is not known which these are.
        changed: which of them are others than those in use.
        areLists: whether nothing but lists was read.
    """

    value: _T | None = None
    problem: BaseException | None = None
    marks: Marks | None = None
    changed: tuple[str, ...] = ()
    areLists: bool = False


class Prepared(Generic[_T]):
    """What was read and is ready, and what nothing uses yet; or why there is nothing.

    Attributes:
        problem: why it cannot be used; None where it can.
        isChange: whether there is anything to decide.
        changed: which files are others than those in use.
        trigger: why it was read: ``signal``, ``files`` or ``program``.
        result: what became of it; None before that is decided.
    """

    def __init__(
        self, trigger: str, read: _Read[_T], decide: Callable[[str, _Read[_T], BaseException | None], ReloadResult]
    ) -> None:
        """
        Args:
            trigger: why it was read.
            read: what was read, or why it cannot be.
            decide: uses it, or not where there is a problem.
        """
        self.trigger = trigger
        self.problem = read.problem
        self.isChange = read.value is not None or read.problem is not None
        self.changed = read.changed
        self.result: ReloadResult | None = None
        self._read: _Read[_T] | None = read
        self._decide = decide

    def commit(self) -> ReloadResult:
        """Use it, where there is no problem. What was decided once stays so."""
        return self._end(self.problem)

    def abort(self, problem: BaseException) -> ReloadResult:
        """Do not use it.

        Args:
            problem: why, where it could be used: that of another process for one.
        """
        return self._end(self.problem or problem)

    def _end(self, problem: BaseException | None) -> ReloadResult:
        if self._read is not None:
            read, self._read = self._read, None
            self.result = self._decide(self.trigger, read, problem)
        assert self.result is not None
        return self.result

    def supersede(self, now: float) -> None:
        """A later reading takes its place, and is told of instead."""
        if self._read is not None:
            self._read = None
            self.result = ReloadResult(now, self.trigger, ValueError("a later reading took its place"))


class Rereading(Generic[_T]):
    """Reads a configuration again when it is told to."""

    def __init__(
        self,
        clock: IReactorTime,
        read: Callable[[], _T],
        take: Callable[[_T], Sequence[BaseException] | None],
        told: Callable[[ReloadResult], object] | None = None,
        *,
        files: WatchedFiles | None = None,
        readLists: Callable[[], _T] | None = None,
    ) -> None:
        """
        Args:
            clock: tells the time.
            read: returns the configuration as it is now, ready to be used. It is called in a thread.
            take: uses what it returned, where the reactor runs, and returns why parts of it cannot be used; nothing as
                a rule.
            told: is told of what came of each reading that found a change, once; `logReload` where None.
            files: what is read. Where it is known, a reading for which nothing but a change of files is the reason
                reads nothing that has not changed.
            readLists: is called in the place of `read`, where nothing but lists has changed.
        """
        self._clock = clock
        self._read = read
        self._take = take
        self._told = told or logReload
        self._files = files
        self._readLists = readLists
        self._late = 0
        #: Why the last reading of everything was not used.
        self._refused: BaseException | None = None
        self._isReading = False
        self._undecided: Prepared[_T] | None = None
        self._next: list[tuple[str, Deferred[Prepared[_T]]]] = []

    def begin(self, trigger: str = "program") -> Deferred[ReloadResult]:
        """Read now, or once more after the reading that is under way, which may have seen what was there before.

        Args:
            trigger: why: ``signal``, ``files`` or ``program``.

        Returns:
            What came of it. Where it could not be read, the configuration of before stays.
        """
        return self.prepare(trigger).addCallback(lambda prepared: prepared.commit())

    def prepare(self, trigger: str = "program") -> Deferred[Prepared[_T]]:
        """Read as `begin` does, and use nothing of it yet.

        Who prepares has to commit or to abort. A later reading takes the place of one of which that was not decided.
        """
        told: Deferred[Prepared[_T]] = Deferred()
        self._next.append((trigger, told))
        if not self._isReading:
            self._go()
        return told

    def _go(self) -> None:
        waiting, self._next = self._next, []
        self._isReading = True
        # Files alone are the weakest reason: a person who sends a signal wants everything to be read.
        trigger = next((trigger for trigger, _ in waiting if trigger != "files"), "files")
        self._once(trigger).addCallback(self._done, waiting)

    def _done(self, prepared: Prepared[_T], waiting: list[tuple[str, Deferred[Prepared[_T]]]]) -> None:
        self._isReading = False
        if self._undecided is not None:
            self._undecided.supersede(timeOfDay(self._clock)())
        self._undecided = prepared
        for _, told in waiting:
            told.callback(prepared)
        if self._next and not self._isReading:
            self._go()

    def _once(self, trigger: str) -> Deferred[Prepared[_T]]:
        if self._late >= _MOST_LATE:
            waiting = Unreadable(f"{self._late} readings of before still wait for a file")
            return succeed(self._prepared(trigger, _Read(problem=waiting)))
        finished: Deferred[Prepared[_T]] = Deferred()

        def late(name: str) -> None:
            self._late += 1
            detail = f"reading {name or 'the files'} has taken {READING_SECONDS:g} s"
            finished.callback(self._prepared(trigger, _Read(problem=Unreadable(detail, remedy=_PLAIN_FILE))))

        def end(read: _Read[_T] | Failure) -> None:
            if finished.called:
                self._late -= 1
                return
            if isinstance(read, Failure):
                read = _Read(problem=read.value)
            if self._files is not None and read.marks is not None and not isinstance(read.problem, _MAY_PASS):
                self._files.noteTried(read.marks)
            finished.callback(self._prepared(trigger, read))

        inOwnThread(self._clock, lambda: self._inThread(trigger), late).addBoth(end)
        return finished

    def _prepared(self, trigger: str, read: _Read[_T]) -> Prepared[_T]:
        return Prepared(trigger, read, self._decide)

    def _inThread(self, trigger: str) -> _Read[_T]:
        files, read = self._files, self._read
        marks: Marks | None = None
        changed: tuple[str, ...] = ()
        areLists = False
        if files is not None:
            marks = files.lookBeforeReading()
            changed = files.changedSince(marks)
            if trigger == "files" and not changed and self._refused is None:
                return _Read(marks=marks)
            if trigger == "files" and self._readLists is not None and files.areListsAlone(marks):
                read, areLists = self._readLists, True
        value, problem = None, None
        try:
            value = read()
        except BaseException as raised:
            # Whatever it is, SystemExit of a module that is imported for one, has to arrive where it can be seen.
            problem = raised
        if files is not None and marks is not None:
            marks = files.withNew(marks)
        return _Read(value, problem, marks, changed, areLists=areLists and problem is None)

    def _decide(self, trigger: str, read: _Read[_T], problem: BaseException | None) -> ReloadResult:
        problems: tuple[BaseException, ...] = () if problem is None else (problem,)
        isChange = read.value is not None or problem is not None
        isPartial = False
        # Each list counts by itself, whatever another process says of others.
        if read.value is not None and (problem is None or read.areLists):
            try:
                problems = (*problems, *(self._take(read.value) or ()))
            except Exception as broken:
                problems = (broken,)
            else:
                if read.areLists and self._refused is not None:
                    # That is as it was.
                    problems = (*problems, self._refused)
                isPartial = bool(problems)
                if self._files is not None and read.marks is not None:
                    self._files.noteRead(read.marks, areLists=read.areLists)
        if not read.areLists:
            self._refused = problems[0] if problems else None
        now = timeOfDay(self._clock)()
        result = ReloadResult(
            now, trigger, problems[0] if problems else None, read.changed, problems[1:], isPartial=isPartial
        )
        if isChange:
            self._told(result)
        return result


_REFUSED = "the configuration is not read again, the former one stays"
_PARTIAL = "a part of the configuration is not read again, what it held before goes on counting"


def nothingToRead(clock: IReactorTime) -> Deferred[ReloadResult]:
    """Return what comes of reading again where there is nothing to read."""
    return succeed(ReloadResult(timeOfDay(clock)(), "program", ValueError("there is nothing that could be read again")))


def logReload(result: ReloadResult) -> None:
    """Write what came of a reading into Twisted's log."""
    if result:
        _log.info("the configuration was read again{changed}", changed=_changedIn(result))
    logProblems(result)


def logProblems(result: ReloadResult) -> None:
    """Write into Twisted's log what could not be read."""
    what, changed = _PARTIAL if result.isPartial else _REFUSED, _changedIn(result)
    for problem in (result.problem, *result.others):
        if isinstance(problem, TLSFailure | ValueError):
            _log.error(
                what + ": {problem}{changed} Next step: {nextStep}",
                problem=str(problem),
                code=getattr(problem, "code", None),
                changed=changed,
                nextStep=nextStepFor(problem),
            )
        elif problem is not None:
            # A bug, or what a module of the program's own raised when it was asked.
            logFailure(_log, what, Failure(problem))


def _changedIn(result: ReloadResult) -> str:
    return f" (changed: {', '.join(map(printable, result.changed))})" if result.changed else ""


def nextStepFor(problem: BaseException) -> str:
    """Return what to do about a configuration that could not be read."""
    return str(getattr(problem, "nextStep", "Correct it and try again."))
