"""The secrets of connections in a file of lines, as Wireshark and other programs read them (``SSLKEYLOGFILE``)."""

from __future__ import annotations

import os
import re
from pathlib import Path

from twisted.logger import Logger

from tlscomm.failures import printable
from tlscomm.tracing._ownedfiles import OwnedFile, Replaceable, appendTo, isAnothers

__all__ = ["KeyLogFile"]

_log = Logger(namespace="tlscomm")

#: How other programs begin theirs, before there is a secret.
_HEADING = b"# SSL/TLS secrets log file"

#: A secret, as every program writes it, and what may stand between secrets.
_SECRET = re.compile(rb"[A-Z][A-Z0-9_]*[ \t]+[0-9A-Fa-f]+[ \t]+[0-9A-Fa-f]+\s*")
_BETWEEN = re.compile(rb"\s*(#.*)?", re.DOTALL)


class KeyLogFile:
    """A key log (RFC 9850): what decrypts connections that others have captured.

    A program has to ask for it; no environment variable does. Only its owner can read the file. Each line is in it at
    once. A file that is there is appended to. When it is full, it gets ``.1`` behind its name in the place of an older
    one, and a new file is begun. A connection's lines may then be in both. What is no key log is neither appended to,
    nor moved or replaced.

    One that is another user's when the log begins, and that this user can read, is treated as if it were full: a server
    that is started as root has begun it after it had given that up.

    Where it cannot be written, that is logged once and no more is written. Connections are not disturbed.

    Attributes:
        path: of the file.
    """

    def __init__(self, path: str | os.PathLike[str], maximumBytes: int = 16 << 20) -> None:
        """
        Args:
            path: of the file.
            maximumBytes: of the file; 16 MB are the secrets of about 20,000 connections.

        Raises:
            OSError: it cannot be opened; or it is a link, no key log, or others have access to it; or what a full one
                would replace is no key log.
        """
        self.path = Path(path)
        # A program may go to another folder before a new file is begun.
        self._place = self.path.absolute()
        self._maximumBytes = maximumBytes
        self._older = Path(f"{self._place}.1")
        self._replaceable = Replaceable("key log", _isKeyLog)
        self._replaceable.require((self._place, self._older))
        if isAnothers(self._place):
            os.replace(self._place, self._older)
        self._file: OwnedFile | None = self._opened()

    @property
    def isStopped(self) -> bool:
        """Whether nothing more is written: it was closed, or could not be written."""
        return self._file is None

    def write(self, line: bytes) -> None:
        """Write a line; its end is added."""
        if self._file is None:
            return
        piece = line.rstrip(b"\r\n") + b"\n"
        try:
            if self._file.size and self._file.size + len(piece) > self._maximumBytes:
                self._file = self._begun(self._file)
            self._file.write(piece)
        except OSError as error:
            self.close()
            _log.error(
                "The key log {path} cannot be written: {problem}. No more secrets are written.",
                path=printable(str(self.path)),
                problem=error.strerror,
            )

    def close(self) -> None:
        """Write no more. More than once does no harm."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _begun(self, full: OwnedFile) -> OwnedFile:
        self._replaceable.require((self._place, self._older))
        os.replace(self._place, self._older)
        full.close()
        return self._opened()

    def _opened(self) -> OwnedFile:
        file = appendTo(self._place)
        self._replaceable.made(self._place)
        return file


def _isKeyLog(beginning: bytes) -> bool:
    """Return whether there are secrets, and no other lines, as far as they are whole."""
    lines = beginning.splitlines(keepends=True)
    whole = lines if lines[-1].endswith(b"\n") else lines[:-1]
    secrets = [line for line in whole if not _BETWEEN.fullmatch(line)]
    return bool(secrets or beginning.startswith(_HEADING)) and all(map(_SECRET.fullmatch, secrets))
