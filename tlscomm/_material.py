"""What a reader of credentials is given, and what it gives back.

Readers differ by format alone. What they share is here: the bytes with the name that messages call them by, the pass
phrase, which is asked for once and only when it is needed, and the certificates and keys that were found.

None of these objects shows a secret in its `repr`, so a traceback that prints local variables does not show one either.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, TypeAlias

from cryptography import x509
from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from tlscomm.failures import FileNotFound, PassphraseRequired, PassphraseWrong, TLSFailure, Unreadable, printable

__all__ = [
    "REJECTIONS",
    "Contents",
    "Passphrase",
    "PassphraseSource",
    "Secret",
    "Source",
    "SourceLike",
    "nameOf",
    "readSource",
]

SourceLike: TypeAlias = "str | os.PathLike[str] | bytes"
"""A path, or the content itself as `bytes`."""

PassphraseSource: TypeAlias = "bytes | Callable[[str], bytes | None] | None"
"""A pass phrase, or what asks for it: called with the name of the source, returns None where nobody can answer."""

#: All that cryptography 50 raises for content that it does not read. `Warning` is among them for programs that run with
#: warnings as errors: it warns of deviations from the standards that it still puts up with.
REJECTIONS = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    InternalError,
    Warning,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)

_LARGEST = 16 * 1024 * 1024
_READABLE_BY_OTHERS = 0o077
_LONGEST_PATH = 4096


@dataclass(frozen=True, repr=False)
class Source:
    """Bytes to be read, and what to call them.

    Attributes:
        name: what messages call it, printable.
        content: the bytes.
        isReadableByOthers: whether somebody other than its owner may read the file it is from.
    """

    name: str
    content: bytes
    isReadableByOthers: bool = False


@dataclass(frozen=True, repr=False)
class Contents:
    """What one source holds.

    Attributes:
        certificates: all of them, in the order of the source.
        keys: the private keys, where they were wanted.
        friendlyName: what a PFX calls the credential.
        holdsKey: whether there is a private key, wanted or not.
    """

    certificates: tuple[x509.Certificate, ...] = ()
    keys: tuple[PrivateKeyTypes, ...] = ()
    friendlyName: str | None = None
    holdsKey: bool = False


@dataclass(frozen=True, repr=False)
class Secret:
    """Bytes that are not shown."""

    value: bytes


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
        self._answers: dict[str, Secret | None] = {}

    def candidates(self, name: str) -> Iterator[Secret]:
        """Give out what may open something, until it is open.

        The pass phrase that was given comes first, then the empty one, and then the one that has to be asked for: so
        one that is given and not needed does no harm, and nobody is asked for an empty one.

        Args:
            name: what is opened; whoever is asked is shown it, once.
        """
        if isinstance(self._given, bytes):
            yield Secret(self._given)
        yield Secret(b"")
        answer = self._answer(name)
        if answer is not None:
            yield answer

    def refusal(self, name: str) -> TLSFailure:
        """Return the failure for something that no pass phrase opened."""
        if isinstance(self._given, bytes) or self._answers.get(name) is not None:
            return PassphraseWrong(name)
        return PassphraseRequired(name)

    def _answer(self, name: str) -> Secret | None:
        if self._given is None or isinstance(self._given, bytes):
            return None
        if name not in self._answers:
            self._answers[name] = _secret(self._given(name))
        return self._answers[name]


def readSource(source: SourceLike) -> Source:
    """Read a file, or take bytes as they are.

    Args:
        source: a path, or the content. At most 16 MiB: nothing that holds a credential is larger, and a device or a
            disk image named by mistake would fill the memory.

    Raises:
        FileNotFound: there is no such file.
        Unreadable: it may not be read, is a folder, or is too large.
    """
    name = nameOf(source)
    if isinstance(source, bytes):
        return _bounded(name, source)
    try:
        with open(source, "rb") as file:
            return _bounded(name, file.read(_LARGEST + 1), isReadableByOthers=_isReadableByOthers(file))
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFound(name) from None
    except ValueError:
        # A NUL or a character that the file system cannot express.
        raise FileNotFound(f"{name} cannot be the name of a file") from None
    except OSError as error:
        raise Unreadable(f"{name}: {error.strerror}") from None


def nameOf(source: SourceLike) -> str:
    """Return what messages call a source, printable."""
    return "the bytes that were given" if isinstance(source, bytes) else printable(os.fsdecode(source), _LONGEST_PATH)


def _secret(answer: bytes | None) -> Secret | None:
    if answer is not None and not isinstance(answer, bytes):
        raise TypeError(f"a pass phrase is bytes, not {type(answer).__name__}")
    return None if answer is None else Secret(answer)


def _bounded(name: str, content: bytes, *, isReadableByOthers: bool = False) -> Source:
    if len(content) > _LARGEST:
        raise Unreadable(f"{name} is larger than {_LARGEST // 1024 // 1024} MiB")
    return Source(name, content, isReadableByOthers)


def _isReadableByOthers(file: IO[bytes]) -> bool:
    # Windows makes up the mode from the read-only attribute. A pipe or terminal is not kept, so nobody finds it later.
    if sys.platform == "win32":
        return False
    mode = os.fstat(file.fileno()).st_mode
    return stat.S_ISREG(mode) and bool(mode & _READABLE_BY_OTHERS)
