"""Where pass phrases come from, for programs that are started by a person, by another program, or by systemd.

None of the places is a command line, which every user of a machine can read. Nothing is read before it is needed, and
what is wrong with the place itself is said as such: a missing file is not a wrong pass phrase.
"""

from __future__ import annotations

import codecs
import os
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

from tlscomm.credentials._passphrase import Retrying, Secret, retrying
from tlscomm.credentials._sources import Pipe, Readable, isPipe, nameOf, opened
from tlscomm.failures import FileNotFound, PassphraseRequired, Unreadable, printable

__all__ = ["SYSTEMD_CREDENTIAL", "Prompt", "anyPassphrase", "passphraseSource"]

Prompt: TypeAlias = "Callable[[str], bytes | None]"
"""Answers with the pass phrase of what is named, or with None."""

SYSTEMD_CREDENTIAL = "tlscomm.passphrase"
"""The name under which systemd hands over a pass phrase that no option names, as
``LoadCredentialEncrypted=tlscomm.passphrase``."""

#: A pass phrase is a line; a larger file is the wrong one.
_LONGEST = 4096


def passphraseSource(
    file: str | None = None,
    variable: str | None = None,
    prompt: Prompt | None = None,
    *,
    descriptor: int | None = None,
    systemd: str | None = None,
) -> Prompt | None:
    """Return what answers with the pass phrase when it is needed.

    Args:
        file: a file whose first line is the pass phrase. One that Notepad wrote, in UTF-8 or UTF-16, is one as well.
        variable: the environment variable that holds it.
        prompt: asks a person, three times at most; used where no place is named and systemd hands over none.
        descriptor: the number of an open file that it can be read from, up to the first line end or the end; once.
        systemd: the name of one of systemd's credentials (``LoadCredential=``), a file in the folder that
            ``CREDENTIALS_DIRECTORY`` names. Without any place, `SYSTEMD_CREDENTIAL` is looked for there.

    Returns:
        What takes the place of ``passphrase`` in `loadCredential`; it raises `FileNotFound`, `Unreadable` or
        `PassphraseRequired` where the place has none. None where there is neither place nor prompt.

    Raises:
        ValueError: more than one place is named, or systemd's name is none.
    """
    if sum(place is not None for place in (file, variable, descriptor, systemd)) > 1:
        raise ValueError("a pass phrase comes from one place: a file, the environment, a descriptor, or systemd")
    if file is not None:
        return lambda _: _fromFile(file)
    if variable is not None:
        return lambda _: _fromEnvironment(variable)
    if descriptor is not None:
        return _Descriptor(descriptor)
    if systemd is not None:
        return partial(_fromSystemd, _plainName(systemd))
    if _systemdFile(SYSTEMD_CREDENTIAL).is_file():
        return partial(_fromSystemd, SYSTEMD_CREDENTIAL)
    return None if prompt is None else retrying(prompt)


def anyPassphrase(
    files: Sequence[str] = (),
    variables: Sequence[str] = (),
    descriptors: Sequence[int | Prompt] = (),
    prompt: Prompt | None = None,
) -> Prompt | None:
    """Return the same for any number of places, for several things that are encrypted.

    Which pass phrase opens what is found out by trying, so it need not be said, and their order does not matter.

    Args:
        files: each as in `passphraseSource`.
        variables: each as in `passphraseSource`.
        descriptors: each as in `passphraseSource`, or what `passphraseSource` made of one, which still knows what it
            has read from it.
        prompt: as in `passphraseSource`.
    """
    sources = [
        *(passphraseSource(file) for file in files),
        *(passphraseSource(None, variable) for variable in variables),
        *(passphraseSource(descriptor=each) if isinstance(each, int) else each for each in descriptors),
    ]
    places = [source for source in sources if source is not None]
    if len(places) > 1:
        return _InTurn(places)
    return places[0] if places else passphraseSource(prompt=prompt)


class _InTurn(Retrying):
    """Answers from each of several places in turn, once for each time that something is opened."""

    def __init__(self, places: Sequence[Prompt]) -> None:
        super().__init__(self._next, len(places))
        self._places = tuple(places)
        self._count: Counter[str] = Counter()

    def __call__(self, name: str) -> bytes | None:
        return self._next(name)

    def _next(self, name: str) -> bytes | None:
        self._count[name] += 1
        return self._places[(self._count[name] - 1) % len(self._places)](name)


class _Descriptor:
    """Reads a pass phrase from an open file, and keeps it: a pipe gives it once, and two files may need it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._read: Secret | None = None

    def __call__(self, _name: str) -> bytes:
        if self._read is None:
            self._read = Secret(self._line())
        return self._read.value

    def _line(self) -> bytes:
        where = f"the file descriptor {self._descriptor}"
        try:
            content = _beginning((Pipe if isPipe(self._descriptor) else _Open)(self._descriptor))
        except (OSError, OverflowError) as problem:
            raise Unreadable(f"{where}, for the pass phrase: {getattr(problem, 'strerror', None) or problem}") from None
        return _firstLine(content, where)


class _Open:
    """An open file that is not ours to close."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def read(self, size: int, /) -> bytes:
        return os.read(self._descriptor, size)


def _fromFile(file: str | os.PathLike[str]) -> bytes:
    where = nameOf(file)
    try:
        with opened(file) as stream:
            return _firstLine(_beginning(stream), where)
    except (OSError, ValueError) as problem:
        failure = Unreadable if isinstance(problem, OSError) and os.path.exists(file) else FileNotFound
        raise failure(f"{where}, for the pass phrase: {getattr(problem, 'strerror', None) or problem}") from None


def _beginning(stream: Readable) -> Secret:
    """Read up to the first line end, or to the end."""
    content = bytearray()
    while b"\n" not in content and len(content) < _LONGEST + 4:
        if not (piece := stream.read(_LONGEST + 4 - len(content))):
            break
        content += piece
    return Secret(bytes(content))


def _fromEnvironment(variable: str) -> bytes:
    if (value := os.environ.get(variable)) is None:
        raise PassphraseRequired(f"the environment variable {printable(variable)} is not set")
    return os.fsencode(value)


def _fromSystemd(name: str, _asked: str) -> bytes:
    if "CREDENTIALS_DIRECTORY" not in os.environ:
        raise PassphraseRequired(f"systemd hands over no credentials here (LoadCredential={printable(name)}:…)")
    return _fromFile(_systemdFile(name))


def _systemdFile(name: str) -> Path:
    # Where the variable is missing this is the name of no file.
    return Path(os.environ.get("CREDENTIALS_DIRECTORY", os.devnull), name)


def _plainName(name: str) -> str:
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise ValueError(f"{name!r} is not the name of a credential of systemd's")
    return name


def _firstLine(content: Secret, where: str) -> bytes:
    line = Secret(_inUTF8(content).value.split(b"\n", 1)[0].rstrip(b"\r"))
    if len(line.value) > _LONGEST:
        raise Unreadable(f"{where} holds no pass phrase: its first line has more than {_LONGEST} bytes")
    return line.value


def _inUTF8(content: Secret) -> Secret:
    # Notepad marks the encoding of its files, and the mark is no part of what was typed.
    if content.value.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Secret(content.value.decode("utf-16", "replace").encode("utf-8", "replace"))
    return Secret(content.value.removeprefix(codecs.BOM_UTF8))
