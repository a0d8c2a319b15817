"""What the tests of hooks share: a hook that writes down what it is asked, and both places where it can be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conversation import VERSIONS
from twisted.internet.defer import Deferred

from tlscomm.tls import TLSConnection, pump
from tlscomm.verification import Question

__all__ = ["OTHER", "ROLES", "Asked", "Slow", "ended", "everywhere"]

ROLES = ("client", "server")
OTHER = {"client": "server", "server": "client"}


class Asked:
    """A hook that gives one answer, or raises it.

    Attributes:
        questions: what it was asked.
    """

    def __init__(self, answer: Any = True) -> None:
        self._answer = answer
        self.questions: list[Question] = []

    @property
    def question(self) -> Question:
        """The only question."""
        (question,) = self.questions
        return question

    def __call__(self, question: Question) -> Any:
        self.questions.append(question)
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer


class Slow:
    """A hook that answers when a test says so.

    Attributes:
        questions: what it was asked.
        answers: the Deferred of each.
        cancelled: how many of them were cancelled.
    """

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.answers: list[Deferred[Any]] = []
        self.cancelled = 0

    def __call__(self, question: Question) -> Any:
        self.questions.append(question)
        self.answers.append(Deferred(self._noteCancel))
        return self.answers[-1]

    def answer(self, answer: Any = True) -> None:
        """Answer the latest question."""
        self.answers[-1].callback(answer)

    def _noteCancel(self, _: object) -> None:
        self.cancelled += 1


def ended(client: TLSConnection, server: TLSConnection) -> None:
    """End a connection in order. OpenSSL need not resume the session of one that was broken off."""
    for side in (client, server):
        side.close()
        pump(client, server)
    for side in (client, server):
        side.release()


def everywhere() -> Iterator[tuple[str, str]]:
    """Yield each version of TLS with each side that a hook can be on."""
    return ((version, role) for version in VERSIONS for role in ROLES)
