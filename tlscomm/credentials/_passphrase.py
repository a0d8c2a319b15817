"""Pass phrases: asked for when they are needed, as often as makes sense, and shown nowhere.

No object here shows a secret in its `repr`, so a traceback that prints local variables does not show one either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from tlscomm._dataclasses import dataclass
from tlscomm.failures import PassphraseRequired, PassphraseWrong, TLSFailure

__all__ = [
    "NotOpened",
    "Passphrase",
    "PassphraseSource",
    "Retrying",
    "Secret",
    "Spelling",
    "WrongPassphrase",
    "retrying",
    "spellings",
]

PassphraseSource: TypeAlias = "bytes | Callable[[str], bytes | None] | None"
"""A pass phrase, or what asks for it: called with the name of the source, returns None where no person can answer."""


class WrongPassphrase(Exception):
    """What is encrypted does not open."""


class NotOpened(WrongPassphrase):
    """The library does not open it: the pass phrase is wrong, or what it opens cannot be read."""


@dataclass(frozen=True, repr=False)
class Secret:
    """Bytes that are not shown."""

    value: bytes


@dataclass(frozen=True, repr=False)
class Spelling:
    """A pass phrase as bytes, which each standard spells in its own way. Its `repr` does not show it.

    Attributes:
        wide: as PKCS#12 has it: UTF-16, and two zeros at the end (RFC 7292, appendix B.1).
        plain: as PKCS#5 has it: the bytes as they are.
    """

    wide: bytes
    plain: bytes

    @property
    def unwidened(self) -> bytes:
        """What OpenSSL spells as PKCS#12 has it: UTF-8."""
        return self.wide[:-2].decode("utf-16-be").encode("utf-8")


class Retrying:
    """Asks again when an answer was wrong; made by `retrying`.

    Attributes:
        tries: how often it may be asked about one source.
    """

    def __init__(self, prompt: Callable[[str], bytes | None], tries: int) -> None:
        self._prompt = prompt
        self._asked: set[str] = set()
        self.tries = tries

    def __call__(self, name: str) -> bytes | None:
        again = f"{name} (the last one was wrong)" if name in self._asked else name
        self._asked.add(name)
        return self._prompt(again)


def retrying(prompt: Callable[[str], bytes | None], tries: int = 3) -> Retrying:
    """Let a person try again after a wrong pass phrase.

    Args:
        prompt: asks, with the name of what is to be opened, and on the next try with the remark that the last one was
            wrong. It returns None where no answer comes, and is then not called again.
        tries: how often it is called for one source.

    Returns:
        What `loadCredential` and the others take as ``passphrase``.
    """
    return prompt if isinstance(prompt, Retrying) else Retrying(prompt, tries)


class Passphrase:
    """A pass phrase that may have to be asked for.

    Args:
        given: the pass phrase, what asks for it, or None.

    Raises:
        TypeError: it is of another type, `str` for one: which bytes a text becomes is the caller's decision.
    """

    def __init__(self, given: PassphraseSource) -> None:
        if given is not None and not isinstance(given, bytes) and not callable(given):
            raise TypeError(f"a pass phrase is bytes or a callable, not {type(given).__name__}")
        self._given = given
        self._tries = given.tries if isinstance(given, Retrying) else 1
        self._answers: dict[str, list[Secret | None]] = {}

    def candidates(self, name: str) -> Iterator[Secret]:
        """Give out what may open something, until it is open.

        The pass phrase that was given comes first, then the empty one, and then the one that has to be asked for: so
        one that is given and not needed does no harm, and an empty one is not asked for. What was answered before
        for the same source is tried before a person is asked again.

        Args:
            name: what is opened; the person who is asked is shown it.
        """
        if isinstance(self._given, bytes):
            yield Secret(self._given)
        yield Secret(b"")
        for number in range(self._tries):
            answer = self._answer(name, number)
            if answer is None:
                return
            yield answer

    def refusal(self, name: str) -> TLSFailure:
        """Return the failure for something that no pass phrase opened."""
        if isinstance(self._given, bytes) or any(self._answers.get(name, ())):
            return PassphraseWrong(name)
        return PassphraseRequired(name)

    def _answer(self, name: str, number: int) -> Secret | None:
        if self._given is None or isinstance(self._given, bytes):
            return None
        answers = self._answers.setdefault(name, [])
        if number == len(answers):
            answers.append(_secret(self._given(name)))
        return answers[number]


def spellings(secret: Secret) -> Iterator[Spelling]:
    """Return a pass phrase in each way in which programs have spelt it, the right one first.

    The empty one is two zeros or nothing at all. One that is not ASCII was once widened byte by byte, without a look at
    its encoding.
    """
    plain = secret.value
    yield Spelling(_wide(plain) + b"\0\0", plain)
    if not plain:
        yield Spelling(b"", b"")
    elif not plain.isascii():
        yield Spelling(plain.decode("latin-1").encode("utf-16-be") + b"\0\0", plain)


def _wide(plain: bytes) -> bytes:
    try:
        return plain.decode("utf-8").encode("utf-16-be")
    except UnicodeDecodeError:
        return plain.decode("latin-1").encode("utf-16-be")


def _secret(answer: bytes | None) -> Secret | None:
    if answer is not None and not isinstance(answer, bytes):
        raise TypeError(f"a pass phrase is bytes, not {type(answer).__name__}")
    return None if answer is None else Secret(answer)
