"""The captures that a command reads: with which secrets, and by which authorities certificates are judged."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from typing import TYPE_CHECKING, Any

import click

from tlscomm._capture.problems import CaptureProblem
from tlscomm._dataclasses import dataclass
from tlscomm._wire.secrets import Secrets
from tlscomm.commandline._passphrases import passphraseTo
from tlscomm.commandline._printing import isTerminal, sayingWarnings, sayNote
from tlscomm.failures import FileNotFound, TLSFailure, UnknownFormat, Unreadable, printable
from tlscomm.tracing._captures import readCaptures

if TYPE_CHECKING:
    from rich.progress import TaskID

    from tlscomm.credentials._passphrasesources import Prompt
    from tlscomm.tracing._captures import CaptureReading
    from tlscomm.verification import Verifier
    from tlscomm.x509._roles import Role

__all__ = ["Captures", "failureOf", "interruptible", "showingProgress"]

#: A file of a key log is read in pieces of so many bytes.
_PIECE = 1 << 20

#: Bytes of captures from which on a bar says how far reading is.
_LONG = 20_000_000


@dataclass(frozen=True, kw_only=True)
class Captures:
    """What is to be read.

    Attributes:
        files: the captures; ``-`` is standard input.
        keylogs: files with secrets.
        applicationDataBytes: how much application data is kept of each direction of a connection.
        settings: values of settings by name.
    """

    files: Sequence[str]
    keylogs: Sequence[str]
    applicationDataBytes: int
    settings: Mapping[str, Any]
    # The files of the key logs that have secrets in them.
    _read: list[str] = field(default_factory=list)

    @property
    def isStream(self) -> bool:
        """Whether one of them may not have been written yet."""
        return "-" in self.files

    def title(self, *, isRedacted: bool) -> str:
        """Return what a page of them is called; names of files may tell what a redacted one must not."""
        return "" if isRedacted else ", ".join(map(os.path.basename, self.files))

    def read(self, tell: Callable[[int, int], None] | None) -> CaptureReading:
        """Begin to read.

        Args:
            tell: is called now and then with the bytes that were read and those that there are.

        Raises:
            CaptureProblem: one of the files is no capture.
            TLSFailure: a file with secrets or authorities cannot be read.
        """
        passphrase = passphraseTo(self.settings)
        with sayingWarnings():
            return readCaptures(
                self.files,
                self._secrets(),
                clientVerifier=_verifier("client", self.settings["clientRoots"], passphrase),
                serverVerifier=_verifier("server", self.settings["roots"], passphrase),
                applicationDataBytes=self.applicationDataBytes,
                progress=tell,
            )

    def _secrets(self) -> Secrets:
        secrets = Secrets()
        for path in self.keylogs:
            before = secrets.taken
            _add(secrets, path)
            if secrets.taken > before:
                self._read.append(path)
            else:
                sayNote(f"{printable(path)} holds no secrets; they are lines in the form of SSLKEYLOGFILE.")
        return secrets

    def sayUnused(self, reading: CaptureReading) -> None:
        """Say where the secrets that were given are those of other connections, when all is read."""
        if self._read and not reading.areSecretsUsed:
            names = printable(", ".join(self._read), 500)
            sayNote(f"no secret in {names} belongs to a connection in the capture.")


def failureOf(problem: CaptureProblem) -> TLSFailure:
    """Return the failure of the closed list that a file which is no capture is."""
    detail = str(problem).removesuffix(".")
    if isinstance(problem.__cause__, OSError):
        return _unread(detail, problem.__cause__)
    remedy = "Give a capture, pcap or pcapng, as tcpdump -w FILE, Wireshark and tlscomm --capture FILE write them."
    return UnknownFormat(detail, remedy=remedy)


@contextmanager
def showingProgress() -> Iterator[Callable[[int, int], None] | None]:
    """Give what draws on a terminal how far reading is, where it takes a while."""
    if not isTerminal(sys.stderr):
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    progress = Progress(console=Console(stderr=True), transient=True)
    task: TaskID | None = None

    def tell(position: int, size: int) -> None:
        nonlocal task
        if task is None and size >= _LONG:
            task = progress.add_task("Reading", total=size)
            progress.start()
        if task is not None:
            progress.update(task, completed=position)

    try:
        yield tell
    finally:
        progress.stop()


@contextmanager
def interruptible(*, isStream: bool) -> Iterator[None]:
    """Let Ctrl-C end a stream and not the command, once: it ends what captures too, whose last packets then come.

    Where the stream does not end by itself, it is cut off a second later.
    """
    if not isStream or not hasattr(signal, "setitimer"):
        yield
        return

    def cutOff(*_: object) -> None:
        os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())

    def interrupted(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGALRM, cutOff)
        signal.setitimer(signal.ITIMER_REAL, 1)

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGINT, before)


def _verifier(peerRole: Role, sources: Sequence[str], passphrase: Prompt | None) -> Verifier | None:
    from tlscomm.configuration._fromsettings import loadRoots
    from tlscomm.verification import Trust, Verifier

    if not sources:
        return None
    try:
        roots = tuple(root for source in sources for root in loadRoots(source, passphrase, peerRole))
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None
    return Verifier(peerRole=peerRole, trust=Trust(roots))


def _add(secrets: Secrets, path: str) -> None:
    try:
        with open(path, "rb") as file:
            while lines := file.readlines(_PIECE):
                secrets.add(b"".join(lines))
    except OSError as error:
        raise _unread(printable(path), error) from None


def _unread(detail: str, error: OSError) -> TLSFailure:
    return (FileNotFound if isinstance(error, FileNotFoundError) else Unreadable)(detail)
