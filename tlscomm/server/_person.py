"""Who started the program, and the pass phrases that come from there: typed at a terminal, or out of a pipe.

Both give a pass phrase once. A program that reads its files again, and the workers of a supervisor, need it again.
"""

from __future__ import annotations

import base64
import getpass
import os
import sys
from collections.abc import Mapping
from typing import Any

from tlscomm.credentials._passphrasesources import Prompt, passphraseSource

__all__ = ["Person"]


class Person:
    """Who started the program, and is asked once: later the program has no terminal, or other things to do."""

    def __init__(self, said: Mapping[str, Any] | None = None) -> None:
        """
        Args:
            said: what the person has said to another process (`said`), which is asked no more; None where this one
                asks.
        """
        self._mayAsk = said is None
        self._typed: dict[str, bytes | None] = {} if said is None else _asBytes(said["typed"])
        self._read: dict[str, bytes | None] = {} if said is None else _asBytes(said["read"])
        self._pipes: dict[int, Prompt] = {}

    def ask(self, source: str) -> bytes | None:
        """Ask for a pass phrase, where there is a terminal."""
        if not self._mayAsk:
            return self.remember(source)
        if sys.stdin is None or not sys.stdin.isatty():
            return None
        try:
            answer = os.fsencode(getpass.getpass(f"Pass phrase for {source}: "))
        except (EOFError, KeyboardInterrupt):
            answer = None
        self._typed[source] = answer
        return answer

    def remember(self, source: str) -> bytes | None:
        """Return what was answered last."""
        return self._typed.get(source)

    def pipe(self, number: int) -> Prompt:
        """Return what answers with the pass phrase in an open file.

        Args:
            number: the file's, in the process that the person started.
        """
        if number not in self._pipes:
            self._pipes[number] = self._keeping(str(number), passphraseSource(descriptor=number))
        return self._pipes[number]

    @property
    def said(self) -> dict[str, Any]:
        """What the person has said up to now, for another process. Nothing else may read it: it is secret."""
        return {"typed": _asTexts(self._typed), "read": _asTexts(self._read)}

    def _keeping(self, number: str, read: Prompt | None) -> Prompt:
        def answer(name: str) -> bytes | None:
            if number not in self._read and self._mayAsk and read is not None:
                self._read[number] = read(name)
            return self._read.get(number)

        return answer


def _asTexts(answers: Mapping[str, bytes | None]) -> dict[str, str | None]:
    return {name: None if each is None else base64.b64encode(each).decode() for name, each in answers.items()}


def _asBytes(answers: Mapping[str, str | None]) -> dict[str, bytes | None]:
    return {name: None if each is None else base64.b64decode(each) for name, each in answers.items()}
