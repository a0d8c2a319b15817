"""The secrets of connections in a file of lines, as Wireshark and other programs read them (``SSLKEYLOGFILE``)."""

from __future__ import annotations

import os
import re
from pathlib import Path

from twisted.logger import Logger

from tlscomm.failures import printable
from tlscomm.tracing._ownedfiles import OwnedFile, appendTo, refuseUnless

__all__ = ["KeyLogFile"]

#: A line of a key log, or a comment, as other programs begin theirs.
_BEGINNING = re.compile(rb"\s*(#|[A-Z][A-Z0-9_]* [0-9A-Fa-f]+ )")

_log = Logger(namespace="tlscomm")


class KeyLogFile:
    """A key log (RFC 9850): what decrypts connections that others have captured.

    A program has to ask for it; no environment variable does. Only its owner can read the file. Each line is in it at
    once. A file that is there is appended to. When it is full, it gets ``.1`` behind its name in the place of an older
    one, and a new file is begun. A connection's lines may then be in both.

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
            OSError: it cannot be opened; or it is a link, another user's, others have access to it, or there is
                something else in it, a private key for one.
        """
        self.path = Path(path)
        # A program may go to another folder before a new file is begun.
        self._place = self.path.absolute()
        self._maximumBytes = maximumBytes
        refuseUnless(_BEGINNING, self._place)
        self._file: OwnedFile | None = appendTo(self._place)

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
        os.replace(self._place, f"{self._place}.1")
        full.close()
        return appendTo(self._place)
